/* api_card.c - GET /api/recordings/{id}/card: what the page of a shared link shows beside the player. It only reads.
 *
 * A signed URL may read it. It has the business's name and when the recording began, and nothing else about the call: no
 * number, no name, not who signed the URL. */
#include <stdlib.h>
#include <string.h>

#include "api/handlers/api_handlers.h"
#include "api/request/api_answer.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/problem.h"
#include "base/clock.h"
#include "domain/status.h"
#include "ledger/calls.h"

enum { CARD_MAX = 4096 };

struct card_request {
  struct db_call db_call; /* the first member */
  char id[SID_SIZE];
  struct recording row;
  int64_t started_at; /* 0: unknown */
};

static void card_end(struct card_request *r) {
  db_call_end(&r->db_call);
  free(r);
}

/* The recording's start, else its call's. */
static enum err card_read(struct db *db, struct db_call *c) {
  struct card_request *r = (struct card_request *)(void *)c;
  struct call call;
  bool call_known;
  TRY(recordings_resolve(db, c->subject.business_id, str_from(r->id), &call_known, &r->row));
  r->started_at = r->row.started_at;
  if (r->started_at || !r->row.call_sid[0]) return OK;
  enum err e = calls_get(db, c->subject.business_id, str_from(r->row.call_sid), &call);
  if (e == OK) r->started_at = call.started_at;
  return e == ERR_NOT_FOUND ? OK : e;
}

static enum err card_write_time(struct buf *b, const char *name, int64_t ms) {
  char text[DATE_TEXT_SIZE];
  if (!ms) return buf_addf(b, ",\"%s\":null", name);
  date_format_rfc3339(ms, text);
  return buf_addf(b, ",\"%s\":\"%s\"", name, text);
}

static enum err card_write_json(const struct card_request *r, struct buf *b) {
  const struct subject *s = &r->db_call.subject;
  const struct access_business *of = access_find_business(r->db_call.loop->access, s->business_id);
  if (!of) return ERR_NOT_FOUND;
  TRY(buf_add(b, STR("{\"business_name\":")));
  TRY(buf_add_json(b, of->name));
  TRY(card_write_time(b, "started_at", r->started_at));
  TRY(buf_add(b, STR(",\"duration\":")));
  TRY(status_write_duration(b, &r->row));
  TRY(card_write_time(b, "expires_at", s->kind == SUBJECT_URL ? s->expires_at : 0));
  return buf_add_char(b, '}');
}

static void card_on_read(struct db_call *c) {
  struct card_request *r = (struct card_request *)(void *)c;
  struct buf b CLEANUP(buf_done) = BUF_INIT(CARD_MAX);
  struct http_fields f;
  enum err e = c->result == OK ? card_write_json(r, &b) : c->result;
  answer_fields(&f);
  if (e == OK && !str_eq(str_from(r->id), str_from(r->row.recording_sid)))
    field_recording_path(c->api, &f, STR("Content-Location"), r->row.recording_sid, "card");
  if (e == OK)
    answer_json(c->x, 200, &f, buf_str(&b));
  else
    problem_answer_err(c->x, e);
  card_end(r);
}

void api_card(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  if (!request_id(req, ID_RECORDING_OR_CALL)) return;
  struct card_request *r = calloc(1, sizeof(*r));
  if (!r) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  db_call_begin(&r->db_call, req);
  memcpy(r->id, req->id, sizeof(r->id));
  enum err e = db_call_read(&r->db_call, card_read, card_on_read);
  if (e == OK) return;
  problem_answer_err(x, e);
  card_end(r);
}
