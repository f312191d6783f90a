/* api_status.c - GET /api/recordings/{id}/status, and the status objects of other answers.
 *
 * Invariants
 *  (1) Reading a status never queues a recording: this file does not include domain/enqueue.h.
 *  (2) Only statuses that do not change with time (ready, expired) are cached. */
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

/* ---- the cache ---- */

static bool status_answer_cached(struct api_request *req) {
  struct cached_status known;
  struct http_fields f;
  struct str id = str_from(req->id);
  int64_t business_id = req->subject.business_id;
  int64_t days = access_retention_days(req->loop->access, business_id, req->api->parts.conf->retention_days);
  if (!status_cache_find(req->loop->status_cache, business_id, days, id, &known)) return false;
  answer_fields(&f);
  status_add_places(req->api, &f, 200, known.recording_sid, !str_eq(id, str_from(known.recording_sid)));
  answer_json(req->x, 200, &f, known.text);
  return true;
}

static void status_remember(const struct db_call *c, const char *id, const struct recording *row,
                            struct cache_mark mark) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(STATUS_MAX);
  if (row->status != RECORDING_READY && row->status != RECORDING_EXPIRED) return; /* (2) */
  struct status_view view = status_view_of(c->api, row->business_id, c->now);
  if (status_write(&b, row, &view) != OK) return; /* not cached: the next request reads the row again */
  status_cache_put(c->loop->status_cache, c->subject.business_id, view.retention_days, str_from(id), mark,
                   row->recording_sid, buf_str(&b));
}

/* ---- the database ---- */

struct status_request {
  struct db_call db_call;
  char id[SID_SIZE];
  bool call_known;
  struct cache_mark mark; /* taken before the row was read */
  struct recording row;
};

static enum err status_read_row(struct db *db, struct db_call *c) {
  struct status_request *l = (struct status_request *)(void *)c;
  return recordings_resolve(db, c->subject.business_id, str_from(l->id), &l->call_known, &l->row);
}

/* The status of a known call that has no recording. */
static void status_answer_none(struct http_exchange *x, struct str call_sid) {
  struct http_fields f;
  struct buf b CLEANUP(buf_done) = BUF_INIT(STATUS_MAX);
  enum err e = status_write_none(&b, call_sid);
  answer_fields(&f);
  if (e == OK)
    answer_json(x, 200, &f, buf_str(&b));
  else
    problem_answer_err(x, e);
}

static void status_on_row(struct db_call *c) {
  struct status_request *l = (struct status_request *)(void *)c;
  struct str id = str_from(l->id);
  if (c->result == OK) {
    status_remember(c, l->id, &l->row, l->mark);
    status_answer(c->api, c->x, 200, &l->row, NULL, recording_retry_after_s(&l->row, c->now), c->now,
                  !str_eq(id, str_from(l->row.recording_sid)));
  } else if (c->result == ERR_NOT_FOUND && l->call_known) {
    status_answer_none(c->x, id);
  } else {
    problem_answer_err(c->x, c->result);
  }
  db_call_end(c);
  free(l);
}

void api_recording_status(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  if (!request_id(req, ID_RECORDING_OR_CALL) || status_answer_cached(req)) return;
  struct status_request *l = malloc(sizeof(*l));
  if (!l) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  db_call_begin(&l->db_call, req);
  l->call_known = false;
  l->mark = rows_mark(req->api, req->subject.business_id, str_from(req->id));
  memcpy(l->id, req->id, sizeof(l->id));
  enum err e = db_call_read(&l->db_call, status_read_row, status_on_row);
  if (e == OK) return;
  problem_answer_err(x, e);
  db_call_end(&l->db_call);
  free(l);
}
