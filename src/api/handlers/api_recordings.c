/* api_recordings.c - POST …/prepare, POST …/retry of one recording, and POST /api/recordings/retry of many.
 *
 *   retry of one:  read the row --may be retried--> write: enqueue --> 202, or 200 if it is ready
 *                       `-- may not --> 200, 202, 409, 410 or 429 from the row as it is
 *   retry of many: write: enqueue the first part --> 200, or 202 if more parts follow (a worker enqueues those) */
#include <stdlib.h>
#include <string.h>

#include "api/handlers/api_handlers.h"
#include "api/media/api_playback_request.h"
#include "api/request/api_answer.h"
#include "api/request/api_audit.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/api_status_answer.h"
#include "api/request/api_subject.h"
#include "api/request/problem.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "domain/enqueue.h"
#include "domain/queue.h"

void api_prepare(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  (void)x;
  if (request_id(req, ID_RECORDING_OR_CALL)) playback_request_begin(req, PLAYBACK_REQUEST_PREPARE);
}

/* ---- retry of one ---- */

struct retry_request {
  struct db_call db_call;
  char id[SID_SIZE];
  bool call_known;
  enum enqueue_kind kind; /* RETRY or FORCED_RETRY */
  struct recording row;
  struct recording_outcome outcome;
};

/* db_call is the first member. */
static struct retry_request *retry_request_of(struct db_call *c) {
  return (struct retry_request *)(void *)c;
}

static void retry_end(struct retry_request *r) {
  db_call_end(&r->db_call);
  free(r);
}

static void retry_answer_err(struct retry_request *r, enum err e) {
  if (e == ERR_NOT_FOUND && r->call_known)
    problem_answer_detail(r->db_call.x, PROBLEM_NOT_FOUND, "This call has no recording.");
  else
    problem_answer_err(r->db_call.x, e);
  retry_end(r);
}

static void retry_answer_problem(struct retry_request *r, enum problem p, const struct problem_words *words) {
  struct http_fields f;
  answer_fields(&f);
  if (!str_eq(str_from(r->id), str_from(r->row.recording_sid)))
    field_recording_path(r->db_call.api, &f, STR("Content-Location"), r->row.recording_sid, "status");
  problem_answer_with(r->db_call.x, &f, p, words);
}

static void retry_answer_too_often(struct retry_request *r) {
  metric_add(METRIC_HTTP_LIMITED, METRIC_LIMIT_RETRIES, 1);
  int64_t until = r->row.retried[COUNT_OF(r->row.retried) - 1] + RECORDING_RETRY_WINDOW_MS;
  int64_t left_s = (until - r->db_call.now + 999) / 1000;
  struct problem_words words = {.retry_after_s = left_s > 0 ? left_s : 1};
  struct buf detail CLEANUP(buf_done) = BUF_INIT(128);
  if (buf_addf(&detail, "Too many retries of this recording. Try again in %lld s.", (long long)words.retry_after_s) ==
      OK)
    words.detail = buf_str(&detail); /* else the table's detail */
  retry_answer_problem(r, PROBLEM_TOO_MANY_REQUESTS, &words);
}

static void retry_answer_absent(struct retry_request *r) {
  static const struct problem_words words = {
      .detail = STR("The provider reported that there is no audio. To ask it all the same, retry with force=1.")};
  retry_answer_problem(r, PROBLEM_CONFLICT, &words);
}

static void retry_answer(struct retry_request *r) {
  struct db_call *c = &r->db_call;
  bool by_call = !str_eq(str_from(r->id), str_from(r->row.recording_sid));
  if (!r->outcome.moved && r->outcome.skip == RECORDING_SKIP_TOO_OFTEN)
    retry_answer_too_often(r);
  else if (!r->outcome.moved && r->outcome.skip == RECORDING_SKIP_PERMANENT)
    retry_answer_absent(r);
  else if (r->row.status == RECORDING_EXPIRED)
    retry_answer_problem(r, PROBLEM_GONE, NULL);
  else
    status_answer(c->api, c->x, r->row.status == RECORDING_READY ? 200 : 202, &r->row, NULL,
                  recording_retry_after_s(&r->row, c->now), c->now, by_call);
  retry_end(r);
}

static enum err retry_enqueue(struct db *db, struct db_call *c) {
  struct retry_request *r = retry_request_of(c);
  TRY(enqueue_run(db, c->subject.business_id, str_from(r->row.recording_sid), r->kind, c->now, &r->row, &r->outcome));
  return r->outcome.moved ? db_call_audit(db, c, AUDIT_RETRY, str_from(r->row.recording_sid), STR_NONE) : OK;
}

static void retry_on_enqueued(struct db_call *c) {
  struct retry_request *r = retry_request_of(c);
  if (c->result != OK) {
    retry_answer_err(r, c->result);
    return;
  }
  enqueue_log(&r->row, r->kind, &r->outcome);
  retry_answer(r);
}

static enum err retry_read_row(struct db *db, struct db_call *c) {
  struct retry_request *r = retry_request_of(c);
  return recordings_resolve(db, c->subject.business_id, str_from(r->id), &r->call_known, &r->row);
}

static void retry_on_row(struct db_call *c) {
  struct retry_request *r = retry_request_of(c);
  if (c->result != OK) {
    retry_answer_err(r, c->result);
    return;
  }
  r->outcome = enqueue_check(&r->row, r->kind, c->now);
  if (!r->outcome.moved) {
    metric_add(METRIC_DEDUPLICATED, r->outcome.skip, 1);
    playback_request_log_skip(&r->row, r->outcome.skip);
    retry_answer(r);
    return;
  }
  c->changed_recording_sid = r->row.recording_sid;
  enum err failed = db_call_write(c, METRIC_JOB_RETRY, retry_enqueue, retry_on_enqueued);
  if (failed != OK) retry_answer_err(r, failed);
}

void api_retry(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  bool forced;
  if (!request_id(req, ID_RECORDING_OR_CALL) || !request_query_flag(req, "force", &forced)) return;
  struct retry_request *r = calloc(1, sizeof(*r));
  if (!r) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  db_call_begin(&r->db_call, req);
  memcpy(r->id, req->id, sizeof(r->id));
  r->kind = forced ? ENQUEUE_FORCED_RETRY : ENQUEUE_RETRY;
  enum err e = db_call_read(&r->db_call, retry_read_row, retry_on_row);
  if (e != OK) retry_answer_err(r, e);
}

/* ---- retry of many ---- */

enum { PARAMETER_SIZE = 64 };

struct retry_all_request {
  struct db_call db_call;
  enum recording_error code;
  int64_t since;
  bool forced;
  struct queue_retried retried;
};

static enum err retry_all_enqueue(struct db *db, struct db_call *c) {
  struct retry_all_request *r = (struct retry_all_request *)(void *)c;
  TRY(queue_retry_all(db, c->subject.business_id, r->code, r->since, r->forced, c->now, &r->retried));
  return db_call_audit_number(db, c, AUDIT_RETRY, "business", c->subject.business_id);
}

static void retry_all_on_enqueued(struct db_call *c) {
  struct retry_all_request *r = (struct retry_all_request *)(void *)c;
  struct http_fields f;
  struct buf b CLEANUP(buf_done) = BUF_INIT(64);
  char by[SUBJECT_TEXT_SIZE];
  enum err failed = c->result;
  bool more = r->retried.more;
  if (failed == OK)
    failed = buf_addf(&b, "{\"queued\":%lld%s}", (long long)r->retried.queued, more ? ",\"more\":true" : "");
  answer_fields(&f);
  if (failed == OK)
    answer_json(c->x, more ? 202 : 200, &f, buf_str(&b));
  else
    problem_answer_err(c->x, failed);
  subject_text(&c->subject, &c->api->url_key, by);
  if (c->result == OK)
    log_info("Failed recordings queued again", LOG_INT("business", c->subject.business_id),
             LOG_INT("queued", r->retried.queued), LOG_TEXT("more", more ? "yes" : "no"), LOG_TEXT("by", by));
  db_call_end(c);
  free(r);
}

/* False: 400 was answered. */
static bool retry_all_read_query(struct api_request *req, enum recording_error *ret_code, int64_t *ret_since) {
  char code[PARAMETER_SIZE], since[PARAMETER_SIZE];
  bool known = true;
  if (!request_query(req, "code", code, sizeof(code)) || !request_query(req, "since", since, sizeof(since)))
    return false;
  *ret_code = recording_error_of_code(str_from(code), &known);
  *ret_since = 0;
  if (!known) {
    problem_answer_field(req->x, STR("code"));
    return false;
  }
  if (!since[0] || date_parse_time_or_date(str_from(since), ret_since) == OK) return true;
  problem_answer_field(req->x, STR("since"));
  return false;
}

void api_retry_all(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  enum recording_error code;
  int64_t since;
  bool forced;
  if (!retry_all_read_query(req, &code, &since) || !request_query_flag(req, "force", &forced)) return;
  struct retry_all_request *r = malloc(sizeof(*r));
  if (!r) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  db_call_begin(&r->db_call, req);
  r->code = code;
  r->since = since;
  r->forced = forced;
  r->retried = (struct queue_retried){0, false};
  r->db_call.outlives_caller = true;
  enum err e = db_call_write(&r->db_call, METRIC_JOB_RETRY_MANY, retry_all_enqueue, retry_all_on_enqueued);
  if (e == OK) return;
  problem_answer_err(x, e);
  db_call_end(&r->db_call);
  free(r);
}
