/* db_call.c - a request that goes to the database and comes back to its loop. */
#include "api/request/api_db_call.h"

#include <assert.h>
#include <stdlib.h>

#include "api/request/api_answer.h"
#include "api/request/api_loop.h"
#include "api/request/api_quota.h"
#include "api/request/api_request.h"
#include "api/request/api_subject.h"
#include "api/request/problem.h"
#include "base/clock.h"
#include "base/metric.h"

enum { SHUT_WAITS_MS = 1000 };

void db_call_begin_for(struct db_call *e, struct api_loop *loop, struct http_exchange *x,
                       const struct subject *subject) {
  *e = (struct db_call){.api = loop->api, .loop = loop, .x = http_ref(x), .subject = *subject};
}

void db_call_begin(struct db_call *e, const struct api_request *v) {
  db_call_begin_for(e, v->loop, v->x, &v->subject);
}

void db_call_end(struct db_call *e) {
  assert(!e->busy);
  http_unref(TAKE(e->x));
}

static void come_back(struct http_exchange *x, void *arg) {
  struct db_call *e = arg;
  (void)x;
  e->busy = false;
  e->back(e);
}

static enum err set_out(struct db_call *e, enum err (*act)(struct db *db, struct db_call *e),
                        void (*back)(struct db_call *e)) {
  assert(!e->busy);
  if (http_gone(e->x)) return ERR_CLOSED; /* also once the server was drained: nothing new is begun then */
  e->act = act;
  e->back = back;
  e->busy = true;
  return OK;
}

static void look(struct db *db, void *arg) {
  struct db_call *e = arg;
  if (db) e->now = db_now_ms(db);
  e->result = db ? e->act(db, e) : ERR_IO;
  http_post(e->x, come_back, e);
}

enum err db_call_leave(struct db_call *e, void (*back)(struct db_call *e)) {
  return set_out(e, NULL, back);
}

void db_call_return(struct db_call *e, enum err result) {
  e->result = result;
  http_post(e->x, come_back, e);
}

enum err db_call_stay(struct db_call *e, enum err failed) {
  if (failed == ERR_BUSY) metric_add(METRIC_HTTP_LIMITED, METRIC_LIMIT_QUEUES, 1);
  e->busy = false;
  return failed;
}

enum err db_call_read(struct db_call *e, enum err (*act)(struct db *db, struct db_call *e),
                      void (*back)(struct db_call *e)) {
  TRY(set_out(e, act, back));
  enum err failed = db_readers_run(e->api->parts.readers, e->subject.business_id, look, e);
  return failed == OK ? OK : db_call_stay(e, failed);
}

static enum err write_run(struct db *db, void *arg) {
  struct db_call *e = arg;
  e->now = db_now_ms(db);
  return e->act(db, e);
}

static void write_done(void *arg, enum err result) {
  struct db_call *e = arg;
  e->result = result;
  if (result == OK && !e->keeps_catalog) rows_changed(e->api, e->subject.business_id, str_from(e->changed));
  http_post(e->x, come_back, e);
}

/* Somebody who only closed his side may still wait for the answer: he is taken for gone once he had to wait long. On the
 * writer's thread. */
static bool caller_has_left(void *arg) {
  struct db_call *e = arg;
  enum http_presence peer = http_presence(e->x);
  return peer == HTTP_PEER_GONE || (peer == HTTP_PEER_SHUT && clock_mono_ms() - e->asked_ms > SHUT_WAITS_MS);
}

enum err db_call_write(struct db_call *e, enum metric_label_JOB name, enum err (*act)(struct db *db, struct db_call *e),
                       void (*back)(struct db_call *e)) {
  TRY(set_out(e, act, back));
  bool is_webhook = name == METRIC_JOB_WEBHOOK;
  e->asked_ms = clock_mono_ms();
  struct db_job job = {.name = name,
                       .class = is_webhook ? DB_CLASS_WEBHOOK : DB_CLASS_EDIT,
                       .business_id = e->subject.business_id,
                       .run = write_run,
                       .done = write_done,
                       .arg = e,
                       .deadline_ms = e->asked_ms + (is_webhook ? WEBHOOK_COMMIT_MS : WRITE_BEGIN_MS),
                       .unwanted = is_webhook || e->outlives_caller ? NULL : caller_has_left};
  enum err failed = db_writer_submit(e->api->parts.writer, job);
  return failed == OK ? OK : db_call_stay(e, failed);
}

/* ---- large answers ---- */

/* ALL: a business that there is none of, for the sum. */
enum { LARGE_MIN = 32 * 1024, LARGE_A_BUSINESS = 32 * 1024 * 1024, LARGE_IN_ALL = 256 * 1024 * 1024 };
#define ALL INT64_MAX

struct large {
  struct quota *quota;
  int64_t business_id, bytes;
};

static void large_ended(struct http_exchange *x, void *arg, bool complete, int64_t sent) {
  struct large *l = arg;
  (void)x, (void)complete, (void)sent;
  quota_give_back(l->quota, l->business_id, l->bytes);
  quota_give_back(l->quota, ALL, l->bytes);
  free(l);
}

static enum err charge(struct db_call *e, int64_t bytes) {
  struct quota *q = e->api->answers;
  struct large *l = malloc(sizeof(*l));
  if (!l) return ERR_NOMEM;
  *l = (struct large){q, e->subject.business_id, bytes};
  if (!quota_add(q, l->business_id, bytes, LARGE_A_BUSINESS)) {
    free(l);
    return ERR_DENIED;
  }
  if (!quota_add(q, ALL, bytes, LARGE_IN_ALL)) {
    quota_give_back(q, l->business_id, bytes);
    free(l);
    return ERR_BUSY;
  }
  http_on_end(e->x, large_ended, l);
  return OK;
}

void db_call_answer_large(struct db_call *e, struct http_fields *f, struct str content_type, struct str body) {
  enum err failed = http_gone(e->x) || body.n <= LARGE_MIN ? OK : charge(e, (int64_t)body.n);
  if (failed == OK) {
    answer_bytes(e->x, 200, f, content_type, body);
    return;
  }
  metric_add(METRIC_HTTP_LIMITED, METRIC_LIMIT_ANSWERS, 1);
  if (failed == ERR_DENIED)
    problem_answer(e->x, PROBLEM_TOO_MANY_REQUESTS, NULL);
  else
    problem_answer(e->x, PROBLEM_BUSY, NULL);
}
