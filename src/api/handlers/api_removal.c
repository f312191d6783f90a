/* api_removal.c - DELETE /api/recordings/{id}.
 *
 *   write: expire --> 204, also if it had expired before
 *                 `-> 409 if a legal hold covers it, or a call's SID could name several: a repeated request must delete no
 *                     other */
#include <stdlib.h>
#include <string.h>

#include "api/handlers/api_handlers.h"
#include "api/request/api_answer.h"
#include "api/request/api_audit.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/api_subject.h"
#include "api/request/problem.h"
#include "base/log.h"
#include "domain/recording_log.h"
#include "domain/removal.h"

struct removal_request {
  struct db_call db_call; /* first */
  char id[SID_SIZE];
  struct removal removal;
  bool call_known;
  struct recording row;
  struct recording_outcome outcome;
};

static struct removal_request *removal_request_of(struct db_call *c) {
  return (struct removal_request *)(void *)c;
}

static enum err removal_run(struct db *db, struct db_call *c) {
  struct removal_request *r = removal_request_of(c);
  struct recording row;
  TRY(recordings_resolve_only(db, c->subject.business_id, str_from(r->id), &r->call_known, &row));
  TRY(removal_expire(db, &row, &r->removal, c->now, &r->row, &r->outcome));
  if (!r->outcome.moved && (!r->removal.at_provider || r->outcome.skip == RECORDING_SKIP_HELD)) return OK;
  struct str details = r->removal.at_provider ? STR("{\"at_provider\":true}") : STR_NONE;
  return db_call_audit(db, c, AUDIT_DELETE, str_from(r->row.recording_sid), details);
}

static void removal_log(const struct removal_request *r) {
  char by[SUBJECT_TEXT_SIZE];
  const struct db_call *c = &r->db_call;
  subject_text(&c->subject, &c->api->url_key, by);
  log_info("Recording deleted", LOG_RECORDING(&r->row), LOG_TEXT("by", by));
}

static void removal_answer(struct removal_request *r) {
  const struct db_call *c = &r->db_call;
  struct http_fields f;
  answer_fields(&f);
  if (!str_eq(str_from(r->id), str_from(r->row.recording_sid)))
    field_recording_path(c->api, &f, STR("Content-Location"), r->row.recording_sid, "status");
  if (r->outcome.moved) removal_log(r);
  if (!r->outcome.moved && r->outcome.skip == RECORDING_SKIP_HELD)
    problem_answer_detail(c->x, PROBLEM_HELD, "A legal hold covers this recording. Remove the hold first.");
  else
    http_respond(c->x, 204, &f, NULL);
}

static void removal_on_done(struct db_call *c) {
  struct removal_request *r = removal_request_of(c);
  if (c->result == ERR_NOT_FOUND && r->call_known)
    problem_answer_detail(c->x, PROBLEM_NOT_FOUND, "This call has no recording.");
  else if (c->result == ERR_CONFLICT)
    problem_answer_detail(c->x, PROBLEM_CONFLICT,
                          "This call has several recordings. Name the one to delete by its own SID.");
  else if (c->result != OK)
    problem_answer_err(c->x, c->result);
  else
    removal_answer(r);
  db_call_end(c);
  free(r);
}

void api_delete_recording(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  bool at_provider;
  if (!request_id(req, ID_RECORDING_OR_CALL) || !request_query_flag(req, "at_provider", &at_provider)) return;
  struct removal_request *r = calloc(1, sizeof(*r));
  if (!r) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  db_call_begin(&r->db_call, req);
  memcpy(r->id, req->id, sizeof(r->id));
  r->removal = (struct removal){.reason = REMOVAL_DELETED, .rank = RECORDING_RANK_PLAY, .at_provider = at_provider};
  r->db_call.changed_recording_sid = r->row.recording_sid;
  r->db_call.outlives_caller = true;
  enum err e = db_call_write(&r->db_call, METRIC_JOB_REMOVE, removal_run, removal_on_done);
  if (e == OK) return;
  problem_answer_err(x, e);
  db_call_end(&r->db_call);
  free(r);
}
