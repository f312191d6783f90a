/* api_erasure.c - DELETE /api/calls/{call_sid}: removes a call, its legs and their recordings. POST /api/erasure {"number"}:
 * removes all calls of a number. GET /api/erasure/{erasure_id}: how far that is; once it has ended, its certificate.
 *
 * Each begins in one write, which does the first part; a worker does the rest. */
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
#include "domain/erasure.h"
#include "domain/removal.h"
#include "ledger/businesses.h"
#include "ledger/removed_calls.h"

enum { ANSWER_MAX = 2048, BOUND_MAX = 128 };

struct erasure_request {
  struct db_call db_call; /* first */
  struct erasure erasure;
  char id[SID_SIZE];
  int64_t erasure_id;
  bool held;
  bool own_number; /* of the business: all its calls would go */
};

static struct erasure_request *erasure_request_of(struct db_call *c) {
  return (struct erasure_request *)(void *)c;
}

static void erasure_request_end(struct erasure_request *r) {
  db_call_end(&r->db_call);
  secret_wipe(&r->erasure, sizeof(r->erasure));
  free(r);
}

/* NULL: 503 was answered. */
static struct erasure_request *erasure_request_new(const struct api_request *req) {
  struct erasure_request *r = calloc(1, sizeof(*r));
  if (!r) {
    problem_answer_err(req->x, ERR_NOMEM);
    return NULL;
  }
  db_call_begin(&r->db_call, req);
  r->db_call.outlives_caller = true;
  memcpy(r->id, req->id, sizeof(r->id));
  r->erasure.business_id = req->subject.business_id;
  return r;
}

/* A keyed digest of the business and the key: it says whether a number was erased to someone who has both. */
static void erasure_set_digest(const struct api *a, struct erasure *x) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(BOUND_MAX);
  uint8_t mac[SHA256_SIZE];
  if (buf_addf(&b, "erasure:%lld:%s", (long long)x->business_id, x->key) != OK) return;
  hmac_sha256(&a->url_key, buf_str(&b), mac);
  hex_encode(mac, sizeof(mac), x->digest);
}

static enum err erasure_write(struct buf *b, const struct erasure *x) {
  char at[DATE_TEXT_SIZE];
  date_format_rfc3339(x->created_at, at);
  TRY(buf_addf(b,
               "{\"erasure_id\":%lld,\"status\":\"%s\",\"calls\":%lld,\"recordings\":%lld,\"held\":%lld"
               ",\"edited\":%lld",
               (long long)x->erasure_id, x->ended_at ? "done" : "running", (long long)x->calls,
               (long long)x->recordings, (long long)x->held, (long long)x->edited));
  TRY(buf_addf(b, ",\"digest\":\"%s\",\"by\":", x->digest));
  TRY(buf_add_json(b, str_from(x->by)));
  TRY(buf_addf(b, ",\"begun_at\":\"%s\",\"ended_at\":", at));
  date_format_rfc3339(x->ended_at, at);
  return x->ended_at ? buf_addf(b, "\"%s\"}", at) : buf_add(b, STR("null}"));
}

static void erasure_answer(struct erasure_request *r, int status) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(ANSWER_MAX);
  struct http_fields f;
  enum err e = erasure_write(&b, &r->erasure);
  answer_fields(&f);
  if (e == OK)
    answer_json(r->db_call.x, status, &f, buf_str(&b));
  else
    problem_answer_err(r->db_call.x, e);
}

static void erasure_log(const struct erasure_request *r, const char *what) {
  const struct erasure *x = &r->erasure;
  log_info(what, LOG_INT("business", x->business_id), LOG_INT("erasure", x->erasure_id), LOG_INT("calls", x->calls),
           LOG_INT("recordings", x->recordings), LOG_TEXT("by", x->by));
}

static enum err erasure_run(struct db *db, struct db_call *c) {
  struct erasure_request *r = erasure_request_of(c);
  struct erasure *x = &r->erasure;
  char by[SUBJECT_TEXT_SIZE];
  subject_text(&c->subject, &c->api->url_key, by);
  TRY(str_copy(x->by, sizeof(x->by), str_from(by)));
  TRY(str_copy(x->role, sizeof(x->role), audit_role_of(&c->subject)));
  TRY(str_copy(x->ip, sizeof(x->ip), str_from(c->ip)));
  if (x->is_number) TRY(businesses_has_number(db, x->business_id, str_from(x->key), &r->own_number));
  if (r->own_number) return OK;
  TRY(erasure_begin(db, x, c->now, &r->held));
  return r->held ? OK : erasures_get(db, x->business_id, x->erasure_id, x);
}

static void erasure_start(struct erasure_request *r, enum err (*run)(struct db *db, struct db_call *c),
                          void (*on_done)(struct db_call *c)) {
  enum err e = db_call_write(&r->db_call, METRIC_JOB_REMOVE, run, on_done);
  if (e == OK) return;
  problem_answer_err(r->db_call.x, e);
  erasure_request_end(r);
}

/* ---- a call ---- */

/* A call that was deleted, or is being deleted, is deleted again without effect. */
static enum err erasure_run_call(struct db *db, struct db_call *c) {
  struct erasure_request *r = erasure_request_of(c);
  struct call call;
  bool gone;
  enum err e = calls_get(db, c->subject.business_id, str_from(r->id), &call);
  if (e == ERR_NOT_FOUND) {
    TRY(removed_calls_has(db, c->subject.business_id, str_from(r->id), &gone));
    return gone ? OK : ERR_NOT_FOUND;
  }
  TRY(e);
  TRY(erasures_cover_tree(db, c->subject.business_id, str_from(call.top_sid), &gone));
  if (gone) return OK;
  memcpy(r->erasure.key, call.top_sid, sizeof(call.top_sid));
  erasure_set_digest(c->api, &r->erasure);
  return erasure_run(db, c);
}

static void erasure_on_call(struct db_call *c) {
  struct erasure_request *r = erasure_request_of(c);
  struct http_fields f;
  answer_fields(&f);
  if (c->result != OK)
    problem_answer_err(c->x, c->result);
  else if (r->held)
    problem_answer_detail(c->x, PROBLEM_HELD, "A legal hold covers this call. Remove the hold first.");
  else {
    if (r->erasure.erasure_id) erasure_log(r, "Call deleted");
    http_respond(c->x, 204, &f, NULL);
  }
  erasure_request_end(r);
}

void api_delete_call(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  bool at_provider;
  (void)x;
  if (!request_id(req, ID_CALL) || !request_query_flag(req, "at_provider", &at_provider)) return;
  struct erasure_request *r = erasure_request_new(req);
  if (!r) return;
  r->erasure.at_provider = at_provider;
  IGNORE(str_copy(r->erasure.reason, sizeof(r->erasure.reason),
                  str_from(removal_reason_name(REMOVAL_CALL_DELETED)))); /* it fits */
  erasure_start(r, erasure_run_call, erasure_on_call);
}

/* ---- a number ---- */

static void erasure_on_number(struct db_call *c) {
  struct erasure_request *r = erasure_request_of(c);
  if (c->result != OK) {
    problem_answer_err(c->x, c->result);
  } else if (r->held) {
    problem_answer_detail(c->x, PROBLEM_HELD, "A legal hold covers this number. Remove the hold first.");
  } else if (r->own_number) {
    problem_answer_detail(c->x, PROBLEM_CONFLICT, "It is a number of the business: all its calls would be removed.");
  } else {
    erasure_log(r, "Erasure begun");
    erasure_answer(r, r->erasure.ended_at ? 200 : 202);
  }
  erasure_request_end(r);
}

void api_erase_number(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  static const char *const members[] = {"number", "at_provider"};
  struct str number;
  json_t *body = json_body_read(req, members, COUNT_OF(members));
  struct erasure_request *r = body ? erasure_request_new(req) : NULL;
  bool good = r && json_body_text(req, body, "number", 2 * HOLD_KEY_SIZE, &number);
  const json_t *at_provider = json_object_get(body, "at_provider");
  if (good && at_provider && !json_is_boolean(at_provider) && !json_is_null(at_provider)) {
    problem_answer_field(x, STR("at_provider"));
    good = false;
  }
  if (good && erasure_number(number, r->erasure.key) != OK) {
    problem_answer_field(x, STR("number"));
    good = false;
  }
  if (good) {
    r->erasure.is_number = true;
    r->erasure.at_provider = json_is_true(at_provider);
    IGNORE(str_copy(r->erasure.reason, sizeof(r->erasure.reason),
                    str_from(removal_reason_name(REMOVAL_ERASED)))); /* it fits */
    erasure_set_digest(req->api, &r->erasure);
    erasure_start(r, erasure_run, erasure_on_number);
  } else if (r) {
    erasure_request_end(r);
  }
  json_decref(body);
}

/* ---- how far it is ---- */

static enum err erasure_run_get(struct db *db, struct db_call *c) {
  struct erasure_request *r = erasure_request_of(c);
  return erasures_get(db, c->subject.business_id, r->erasure_id, &r->erasure);
}

static void erasure_on_got(struct db_call *c) {
  struct erasure_request *r = erasure_request_of(c);
  if (c->result == OK)
    erasure_answer(r, 200);
  else
    problem_answer_err(c->x, c->result);
  erasure_request_end(r);
}

void api_get_erasure(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  uint64_t id;
  if (str_to_u64(req->match.params[0], INT64_MAX, &id) != OK || id == 0) {
    problem_answer_field(x, STR("erasure_id"));
    return;
  }
  struct erasure_request *r = erasure_request_new(req);
  if (!r) return;
  r->erasure_id = (int64_t)id;
  enum err e = db_call_read(&r->db_call, erasure_run_get, erasure_on_got);
  if (e == OK) return;
  problem_answer_err(x, e);
  erasure_request_end(r);
}
