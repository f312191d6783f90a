/* api_recordings.c - asking ahead (prepare) and asking again (retry). */
#include <stdlib.h>
#include <string.h>

#include "api/handlers/api_handlers.h"
#include "api/media/api_playback_request.h"
#include "api/request/api_answer.h"
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
  struct api_request *v = arg;
  (void)x;
  if (request_id(v, ID_RECORDING_OR_CALL)) play_begin(v, PLAY_PREPARE);
}

/* ---- one ---- */

struct retry {
  struct db_call db_call;
  char id[SID_SIZE];
  bool call_known;
  struct recording row;
  struct recording_outcome outcome;
};

static struct retry *retry_of(struct db_call *e) {
  return (struct retry *)(void *)e;
} /* its first member */

static void finish(struct retry *r) {
  db_call_end(&r->db_call);
  free(r);
}

static void answer_err(struct retry *r, enum err e) {
  if (e == ERR_NOT_FOUND && r->call_known)
    problem_answer_detail(r->db_call.x, PROBLEM_NOT_FOUND, "No recording of this call is known.");
  else
    problem_answer_err(r->db_call.x, e);
  finish(r);
}

static void answer_problem(struct retry *r, enum problem p, const struct problem_words *words) {
  struct http_fields f;
  answer_fields(&f);
  if (!str_eq(str_from(r->id), str_from(r->row.recording_sid)))
    field_recording_path(r->db_call.api, &f, STR("Content-Location"), r->row.recording_sid, "status");
  problem_answer_with(r->db_call.x, &f, p, words);
}

static void answer_too_often(struct retry *r) {
  metric_add(METRIC_HTTP_LIMITED, METRIC_LIMIT_RETRIES, 1);
  int64_t until = r->row.retried[COUNT_OF(r->row.retried) - 1] + RECORDING_RETRY_WINDOW_MS;
  int64_t left_s = (until - r->db_call.now + 999) / 1000;
  struct problem_words words = {.retry_after_s = left_s > 0 ? left_s : 1};
  answer_problem(r, PROBLEM_TOO_MANY_REQUESTS, &words);
}

static void answer(struct retry *r) {
  struct db_call *e = &r->db_call;
  bool by_call = !str_eq(str_from(r->id), str_from(r->row.recording_sid));
  if (!r->outcome.moved && r->outcome.skip == RECORDING_SKIP_TOO_OFTEN)
    answer_too_often(r);
  else if (r->row.status == RECORDING_EXPIRED)
    answer_problem(r, PROBLEM_GONE, NULL);
  else
    status_answer(e->api, e->x, r->row.status == RECORDING_READY ? 200 : 202, &r->row, NULL,
                  recording_retry_after_s(&r->row, e->now), e->now, by_call);
  finish(r);
}

static enum err run_want(struct db *db, struct db_call *e) {
  struct retry *r = retry_of(e);
  return enqueue_run(db, e->subject.business_id, str_from(r->row.recording_sid), ENQUEUE_RETRY, e->now, &r->row,
                     &r->outcome);
}

static void written(struct db_call *e) {
  if (e->result == OK)
    answer(retry_of(e));
  else
    answer_err(retry_of(e), e->result);
}

static enum err run_look(struct db *db, struct db_call *e) {
  struct retry *r = retry_of(e);
  return recordings_resolve(db, e->subject.business_id, str_from(r->id), &r->call_known, &r->row);
}

static void looked(struct db_call *e) {
  struct retry *r = retry_of(e);
  if (e->result != OK) {
    answer_err(r, e->result);
    return;
  }
  r->outcome = enqueue_check(&r->row, ENQUEUE_RETRY, e->now);
  if (!r->outcome.moved) {
    metric_add(METRIC_DEDUPLICATED, r->outcome.skip, 1);
    play_log_skip(&r->row, r->outcome.skip);
    answer(r);
    return;
  }
  e->changed = r->row.recording_sid;
  enum err failed = db_call_write(e, METRIC_JOB_RETRY, run_want, written);
  if (failed != OK) answer_err(r, failed);
}

void api_retry(void *arg, struct http_exchange *x) {
  struct api_request *v = arg;
  if (!request_id(v, ID_RECORDING_OR_CALL)) return;
  struct retry *r = calloc(1, sizeof(*r));
  if (!r) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  db_call_begin(&r->db_call, v);
  memcpy(r->id, v->id, sizeof(r->id));
  enum err e = db_call_read(&r->db_call, run_look, looked);
  if (e != OK) answer_err(r, e);
}

/* ---- many ---- */

enum { PARAMETER_SIZE = 64 };

struct retry_all {
  struct db_call db_call;
  enum recording_error code;
  int64_t since;
  struct queue_retried retried;
};

static enum err run_retry_all(struct db *db, struct db_call *e) {
  struct retry_all *r = (struct retry_all *)(void *)e;
  return queue_retry_all(db, e->subject.business_id, r->code, r->since, e->now, &r->retried);
}

static void retried_all(struct db_call *e) {
  struct retry_all *r = (struct retry_all *)(void *)e;
  struct http_fields f;
  struct buf b CLEANUP(buf_done) = BUF_INIT(64);
  char by[SUBJECT_TEXT_SIZE];
  enum err failed = e->result;
  bool more = r->retried.more;
  if (failed == OK)
    failed = buf_addf(&b, "{\"queued\":%lld%s}", (long long)r->retried.queued, more ? ",\"more\":true" : "");
  answer_fields(&f);
  if (failed == OK)
    answer_json(e->x, more ? 202 : 200, &f, buf_str(&b));
  else
    problem_answer_err(e->x, failed);
  subject_text(&e->subject, &e->api->url_key, by);
  if (e->result == OK)
    log_info("Failed recordings queued again", LOG_INT("business", e->subject.business_id),
             LOG_INT("queued", r->retried.queued), LOG_TEXT("more", more ? "yes" : "no"), LOG_TEXT("by", by));
  db_call_end(e);
  free(r);
}

/* False: 400 was answered. */
static bool read_retry_all(struct api_request *v, enum recording_error *ret_code, int64_t *ret_since) {
  char code[PARAMETER_SIZE], since[PARAMETER_SIZE];
  bool known = true;
  if (!request_query(v, "code", code, sizeof(code)) || !request_query(v, "since", since, sizeof(since))) return false;
  *ret_code = recording_error_of_code(str_from(code), &known);
  *ret_since = 0;
  if (!known) {
    problem_answer_field(v->x, STR("code"));
    return false;
  }
  if (!since[0] || date_parse_time_or_date(str_from(since), ret_since) == OK) return true;
  problem_answer_field(v->x, STR("since"));
  return false;
}

void api_retry_all(void *arg, struct http_exchange *x) {
  struct api_request *v = arg;
  enum recording_error code;
  int64_t since;
  if (!read_retry_all(v, &code, &since)) return;
  struct retry_all *r = malloc(sizeof(*r));
  if (!r) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  db_call_begin(&r->db_call, v);
  r->code = code;
  r->since = since;
  r->retried = (struct queue_retried){0, false};
  r->db_call.outlives_caller = true;
  enum err e = db_call_write(&r->db_call, METRIC_JOB_RETRY_MANY, run_retry_all, retried_all);
  if (e == OK) return;
  problem_answer_err(x, e);
  db_call_end(&r->db_call);
  free(r);
}
