/* api_status.c - the status of a recording. It looks and never acts: whoever can queue is not even included here. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/handlers/api_handlers.h"
#include "api/handlers/api_status_cache.h"
#include "api/request/api_answer.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/api_status_answer.h"
#include "api/request/problem.h"

/* ---- what does not change by itself is answered from memory ---- */

static bool answer_from_memory(struct api_request *v) {
  struct status_text known;
  struct http_fields f;
  struct str id = str_from(v->id);
  int64_t business_id = v->subject.business_id;
  if (!status_cache_find(v->loop->status_cache, business_id, id, &known)) return false;
  answer_fields(&f);
  status_add_places(v->api, &f, 200, known.recording_sid, !str_eq(id, str_from(known.recording_sid)));
  answer_json(v->x, 200, &f, known.text);
  return true;
}

static void remember(const struct db_call *e, const char *id, const struct recording *row, struct cache_mark mark) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(STATUS_MAX);
  if (row->status != RECORDING_READY && row->status != RECORDING_EXPIRED) return;
  struct status_view view = status_view_of(e->api, e->now);
  if (status_write(&b, row, &view) != OK) return; /* then it is read again */
  status_cache_put(e->loop->status_cache, e->subject.business_id, str_from(id), mark, row->recording_sid, buf_str(&b));
}

/* ---- the rest is read ---- */

struct status_look {
  struct db_call db_call;
  char id[SID_SIZE];
  bool call_known;
  struct cache_mark mark; /* from before it was read */
  struct recording row;
};

static enum err run_look(struct db *db, struct db_call *e) {
  struct status_look *l = (struct status_look *)(void *)e;
  return recordings_resolve(db, e->subject.business_id, str_from(l->id), &l->call_known, &l->row);
}

/* Of a known call without a recording. */
static void answer_none(struct http_exchange *x, struct str call_sid) {
  struct http_fields f;
  struct buf b CLEANUP(buf_done) = BUF_INIT(STATUS_MAX);
  enum err e = status_write_none(&b, call_sid);
  answer_fields(&f);
  if (e == OK)
    answer_json(x, 200, &f, buf_str(&b));
  else
    problem_answer_err(x, e);
}

static void looked(struct db_call *e) {
  struct status_look *l = (struct status_look *)(void *)e;
  struct str id = str_from(l->id);
  if (e->result == OK) {
    remember(e, l->id, &l->row, l->mark);
    status_answer(e->api, e->x, 200, &l->row, NULL, recording_retry_after_s(&l->row, e->now), e->now,
                  !str_eq(id, str_from(l->row.recording_sid)));
  } else if (e->result == ERR_NOT_FOUND && l->call_known) {
    answer_none(e->x, id);
  } else {
    problem_answer_err(e->x, e->result);
  }
  db_call_end(e);
  free(l);
}

void api_recording_status(void *arg, struct http_exchange *x) {
  struct api_request *v = arg;
  if (!request_id(v, ID_RECORDING_OR_CALL) || answer_from_memory(v)) return;
  struct status_look *l = malloc(sizeof(*l));
  if (!l) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  db_call_begin(&l->db_call, v);
  l->call_known = false;
  l->mark = rows_mark(v->api, v->subject.business_id, str_from(v->id));
  memcpy(l->id, v->id, sizeof(l->id));
  enum err e = db_call_read(&l->db_call, run_look, looked);
  if (e == OK) return;
  problem_answer_err(x, e);
  db_call_end(&l->db_call);
  free(l);
}
