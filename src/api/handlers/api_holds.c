/* api_holds.c - legal holds: PUT and DELETE /api/recordings/{id}/hold and /api/calls/{call_sid}/hold; GET and POST /api/holds,
 * DELETE /api/holds/{hold_id}.
 *
 * A hold is set in one write, which also finds out whether there is still something to hold: else 409 (domain/hold.h). */
#include <stdlib.h>
#include <string.h>

#include "api/handlers/api_handlers.h"
#include "api/handlers/api_json_body.h"
#include "api/request/api_answer.h"
#include "api/request/api_audit.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/api_subject.h"
#include "api/request/problem.h"
#include "base/clock.h"
#include "base/log.h"
#include "domain/hold.h"
#include "ledger/erasures.h"

enum { LIMIT = 1000, ROW_MAX = 4096, ANSWER_MAX = 4 * 1024 * 1024, NUMBER_SIZE = 24 };

struct holds_request {
  struct db_call db_call; /* first */
  char id[SID_SIZE];
  bool call_known;
  bool too_late; /* its object is removed, or is being removed */
  struct hold hold;
  int64_t hold_id, after;
  int count;
  struct recording row;
  struct buf json;
  bool is_set, was_removed; /* for the log */
};

static struct holds_request *holds_request_of(struct db_call *c) {
  return (struct holds_request *)(void *)c;
}

static void holds_end(struct holds_request *h) {
  db_call_end(&h->db_call);
  buf_done(&h->json);
  free(h);
}

/* NULL: 503 was answered. */
static struct holds_request *holds_new(const struct api_request *req) {
  struct holds_request *h = calloc(1, sizeof(*h));
  char by[SUBJECT_TEXT_SIZE];
  if (!h) {
    problem_answer_err(req->x, ERR_NOMEM);
    return NULL;
  }
  db_call_begin(&h->db_call, req);
  memcpy(h->id, req->id, sizeof(h->id));
  subject_text(&req->subject, &req->api->url_key, by);
  h->hold.business_id = req->subject.business_id;
  IGNORE(str_copy(h->hold.by, sizeof(h->hold.by), str_head_utf8(str_from(by), sizeof(h->hold.by) - 1))); /* it fits */
  buf_init(&h->json, ANSWER_MAX);
  return h;
}

static void holds_log(const struct holds_request *h) {
  const struct hold *x = &h->hold;
  bool is_number = x->key[0] == '+'; /* numbers do not stand in the log */
  log_info(h->is_set ? "Legal hold set" : "Legal hold removed", LOG_INT("business", x->business_id),
           LOG_INT("hold", x->hold_id), LOG_TEXT("on", is_number ? "number" : x->key), LOG_TEXT("by", x->by));
}

static void holds_on_changed(struct db_call *c) {
  struct holds_request *h = holds_request_of(c);
  struct http_fields f;
  answer_fields(&f);
  if (c->result == ERR_NOT_FOUND && h->call_known)
    problem_answer_detail(c->x, PROBLEM_NOT_FOUND, "This call has no recording.");
  else if (c->result == ERR_TOO_BIG)
    problem_answer_detail(c->x, PROBLEM_CONFLICT, "The business has 10,000 legal holds. Remove one first.");
  else if (c->result != OK)
    problem_answer_err(c->x, c->result);
  else if (h->too_late)
    problem_answer(c->x, PROBLEM_TOO_LATE, NULL);
  else {
    if (h->is_set || h->was_removed) holds_log(h);
    http_respond(c->x, 204, &f, NULL);
  }
  holds_end(h);
}

static void holds_begin(struct holds_request *h, enum err (*run)(struct db *db, struct db_call *c),
                        void (*on_done)(struct db_call *c)) {
  h->db_call.changed_recording_sid = h->row.recording_sid;
  h->db_call.outlives_caller = true;
  enum err e = db_call_write(&h->db_call, METRIC_JOB_EDIT, run, on_done);
  if (e == OK) return;
  problem_answer_err(h->db_call.x, e);
  holds_end(h);
}

/* The reason of the body. False: 400 was answered. */
static bool holds_read_reason(const struct api_request *req, const json_t *body, struct hold *ret_hold) {
  struct str reason;
  if (!json_body_text(req, body, "reason", HOLD_REASON_SIZE - 1, &reason)) return false;
  bool is_plain = str_trim(reason).n > 0;
  for (size_t i = 0; i < reason.n; i++) is_plain = is_plain && (unsigned char)reason.p[i] >= ' ';
  if (is_plain && str_copy(ret_hold->reason, sizeof(ret_hold->reason), reason) == OK) return true;
  problem_answer_field(req->x, STR("reason"));
  return false;
}

/* The entry of a number names the hold: numbers do not stand in the audit. */
static enum err holds_note_audit(struct db *db, const struct db_call *c, const struct hold *hold, bool is_set) {
  enum audit_action action = is_set ? AUDIT_HOLD_SET : AUDIT_HOLD_REMOVED;
  return hold->key[0] == '+' ? db_call_audit_number(db, c, action, "hold", hold->hold_id)
                             : db_call_audit(db, c, action, str_from(hold->key), STR_NONE);
}

static enum err holds_note_set(struct db *db, struct holds_request *h) {
  h->is_set = !h->too_late;
  return h->is_set ? holds_note_audit(db, &h->db_call, &h->hold, true) : OK;
}

static enum err holds_end_key(struct db *db, struct holds_request *h, const char *key) {
  bool ended;
  TRY(hold_end(db, h->db_call.subject.business_id, str_from(key), &h->hold, &ended));
  h->was_removed = ended;
  return ended ? holds_note_audit(db, &h->db_call, &h->hold, false) : OK;
}

/* ---- of a recording ---- */

static enum err holds_run_set_recording(struct db *db, struct db_call *c) {
  struct holds_request *h = holds_request_of(c);
  TRY(recordings_resolve(db, c->subject.business_id, str_from(h->id), &h->call_known, &h->row));
  h->hold.at = c->now;
  TRY(hold_set_recording(db, &h->hold, &h->row, &h->too_late));
  return holds_note_set(db, h);
}

static enum err holds_run_remove_recording(struct db *db, struct db_call *c) {
  struct holds_request *h = holds_request_of(c);
  TRY(recordings_resolve(db, c->subject.business_id, str_from(h->id), &h->call_known, &h->row));
  return holds_end_key(db, h, h->row.recording_sid);
}

static void holds_put(struct api_request *req, enum err (*run)(struct db *db, struct db_call *c)) {
  static const char *const members[] = {"reason"};
  json_t *body = json_body_read(req, members, COUNT_OF(members));
  struct holds_request *h = body ? holds_new(req) : NULL;
  if (h && holds_read_reason(req, body, &h->hold))
    holds_begin(h, run, holds_on_changed);
  else if (h)
    holds_end(h);
  json_decref(body);
}

void api_hold_recording(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  (void)x;
  if (request_id(req, ID_RECORDING_OR_CALL)) holds_put(req, holds_run_set_recording);
}

void api_unhold_recording(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  (void)x;
  struct holds_request *h = request_id(req, ID_RECORDING_OR_CALL) ? holds_new(req) : NULL;
  if (h) holds_begin(h, holds_run_remove_recording, holds_on_changed);
}

/* ---- of a call ---- */

static enum err holds_run_set_call(struct db *db, struct db_call *c) {
  struct holds_request *h = holds_request_of(c);
  h->hold.at = c->now;
  TRY(hold_set_call(db, &h->hold, str_from(h->id), &h->too_late));
  return holds_note_set(db, h);
}

static enum err holds_run_remove_call(struct db *db, struct db_call *c) {
  struct holds_request *h = holds_request_of(c);
  struct call call;
  TRY(calls_get(db, c->subject.business_id, str_from(h->id), &call));
  return holds_end_key(db, h, call.call_sid);
}

void api_hold_call(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  (void)x;
  if (request_id(req, ID_CALL)) holds_put(req, holds_run_set_call);
}

void api_unhold_call(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  (void)x;
  struct holds_request *h = request_id(req, ID_CALL) ? holds_new(req) : NULL;
  if (h) holds_begin(h, holds_run_remove_call, holds_on_changed);
}

/* ---- of a number; the list ---- */

static enum err holds_write(void *arg, const struct hold *x) {
  struct holds_request *h = arg;
  struct buf *b = &h->json;
  const char *kind = x->key[0] == '+' ? "number" : x->key[0] == 'C' ? "call_sid" : "recording_sid";
  char at[DATE_TEXT_SIZE];
  static const char *const kinds[] = {"recording_sid", "call_sid", "number"};
  date_format_rfc3339(x->at, at);
  if (h->count++) TRY(buf_add_char(b, ','));
  TRY(buf_addf(b, "{\"hold_id\":%lld", (long long)x->hold_id));
  for (size_t i = 0; i < COUNT_OF(kinds); i++) {
    TRY(buf_addf(b, ",\"%s\":", kinds[i]));
    TRY(strcmp(kinds[i], kind) == 0 ? buf_add_json(b, str_from(x->key)) : buf_add(b, STR("null")));
  }
  TRY(buf_add(b, STR(",\"reason\":")));
  TRY(buf_add_json(b, str_from(x->reason)));
  TRY(buf_add(b, STR(",\"by\":")));
  TRY(buf_add_json(b, str_from(x->by)));
  h->after = x->hold_id;
  return buf_addf(b, ",\"at\":\"%s\"}", at);
}

static enum err holds_run_set_number(struct db *db, struct db_call *c) {
  struct holds_request *h = holds_request_of(c);
  h->hold.at = c->now;
  TRY(hold_set_number(db, &h->hold, &h->too_late));
  TRY(holds_note_set(db, h));
  return h->too_late ? OK : holds_write(h, &h->hold);
}

static void holds_on_number_set(struct db_call *c) {
  struct holds_request *h = holds_request_of(c);
  struct http_fields f;
  if (c->result != OK || h->too_late) {
    holds_on_changed(c);
    return;
  }
  holds_log(h);
  answer_fields(&f);
  answer_json(c->x, 201, &f, buf_str(&h->json));
  holds_end(h);
}

void api_hold_number(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  static const char *const members[] = {"number", "reason"};
  struct str number;
  json_t *body = json_body_read(req, members, COUNT_OF(members));
  struct holds_request *h = body ? holds_new(req) : NULL;
  bool good = h && json_body_text(req, body, "number", 2 * HOLD_KEY_SIZE, &number);
  if (good && erasure_number(number, h->hold.key) != OK) {
    problem_answer_field(x, STR("number"));
    good = false;
  }
  if (good) good = holds_read_reason(req, body, &h->hold);
  if (good)
    holds_begin(h, holds_run_set_number, holds_on_number_set);
  else if (h)
    holds_end(h);
  json_decref(body);
}

static enum err holds_run_remove(struct db *db, struct db_call *c) {
  struct holds_request *h = holds_request_of(c);
  struct hold found;
  TRY(holds_get(db, c->subject.business_id, h->hold_id, &found));
  if (found.key[0] == 'R') TRY(str_copy(h->row.recording_sid, SID_SIZE, str_from(found.key)));
  return holds_end_key(db, h, found.key);
}

void api_remove_hold(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  uint64_t id;
  if (str_to_u64(req->match.params[0], INT64_MAX, &id) != OK || id == 0) {
    problem_answer_field(x, STR("hold_id"));
    return;
  }
  struct holds_request *h = holds_new(req);
  if (!h) return;
  h->hold_id = (int64_t)id;
  holds_begin(h, holds_run_remove, holds_on_changed);
}

static enum err holds_run_list(struct db *db, struct db_call *c) {
  struct holds_request *h = holds_request_of(c);
  TRY(buf_add(&h->json, STR("{\"holds\":[")));
  TRY(holds_each(db, c->subject.business_id, h->after, LIMIT, holds_write, h));
  return h->count < LIMIT ? buf_add(&h->json, STR("],\"next_cursor\":null}"))
                          : buf_addf(&h->json, "],\"next_cursor\":\"%lld\"}", (long long)h->after);
}

static void holds_on_list(struct db_call *c) {
  struct holds_request *h = holds_request_of(c);
  struct http_fields f;
  answer_fields(&f);
  if (c->result == OK)
    db_call_answer_large(c, &f, STR("application/json"), buf_str(&h->json));
  else
    problem_answer_err(c->x, c->result);
  holds_end(h);
}

void api_list_holds(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  char cursor[NUMBER_SIZE];
  uint64_t after = 0;
  if (!request_query(req, "cursor", cursor, sizeof(cursor))) return;
  if (cursor[0] && str_to_u64(str_from(cursor), INT64_MAX, &after) != OK) {
    problem_answer_field(x, STR("cursor"));
    return;
  }
  struct holds_request *h = holds_new(req);
  if (!h) return;
  h->after = (int64_t)after;
  enum err e = db_call_read(&h->db_call, holds_run_list, holds_on_list);
  if (e == OK) return;
  problem_answer_err(x, e);
  holds_end(h);
}
