/* api_db_call.c - runs a request's database work on a reader or on the writer, and continues on the request's loop.
 *
 *   IDLE --db_call_read, _write, _start--> BUSY --on another thread: run, then post--> IDLE, on_done runs on the loop
 *
 * Invariants
 *  (1) At most one read or write of a db_call is under way (busy).
 *  (2) on_done runs exactly once for each that returned OK, also when the peer has gone.
 *  (3) The exchange is held from db_call_begin to db_call_end. */
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

void db_call_begin_for(struct db_call *c, struct api_loop *loop, struct http_exchange *x,
                       const struct subject *subject) {
  *c = (struct db_call){.api = loop->api, .loop = loop, .x = http_ref(x), .subject = *subject};
}

void db_call_begin(struct db_call *c, const struct api_request *req) {
  db_call_begin_for(c, req->loop, req->x, &req->subject);
}

void db_call_end(struct db_call *c) {
  assert(!c->busy);
  http_unref(TAKE(c->x));
}

static void db_call_on_loop(struct http_exchange *x, void *arg) {
  struct db_call *c = arg;
  (void)x;
  c->busy = false;
  c->on_done(c);
}

static enum err db_call_mark_busy(struct db_call *c, enum err (*run)(struct db *db, struct db_call *c),
                                  void (*on_done)(struct db_call *c)) {
  assert(!c->busy);
  if (http_gone(c->x)) return ERR_CLOSED; /* the peer has gone, or the server was drained */
  c->run = run;
  c->on_done = on_done;
  c->busy = true;
  return OK;
}

static void db_call_run_read(struct db *db, void *arg) {
  struct db_call *c = arg;
  if (db) c->now = db_now_ms(db);
  c->result = db ? c->run(db, c) : ERR_IO;
  http_post(c->x, db_call_on_loop, c);
}

enum err db_call_start(struct db_call *c, void (*on_done)(struct db_call *c)) {
  return db_call_mark_busy(c, NULL, on_done);
}

void db_call_finish(struct db_call *c, enum err result) {
  c->result = result;
  http_post(c->x, db_call_on_loop, c);
}

enum err db_call_cancel(struct db_call *c, enum err failed) {
  if (failed == ERR_BUSY) metric_add(METRIC_HTTP_LIMITED, METRIC_LIMIT_QUEUES, 1);
  c->busy = false;
  return failed;
}

enum err db_call_read(struct db_call *c, enum err (*run)(struct db *db, struct db_call *c),
                      void (*on_done)(struct db_call *c)) {
  TRY(db_call_mark_busy(c, run, on_done));
  enum err failed = db_readers_run(c->api->parts.readers, c->subject.business_id, db_call_run_read, c);
  return failed == OK ? OK : db_call_cancel(c, failed);
}

static enum err db_call_run_write(struct db *db, void *arg) {
  struct db_call *c = arg;
  c->now = db_now_ms(db);
  return c->run(db, c);
}

static enum err db_call_run_set(struct db *db, void *const *args, int count) {
  struct db_call **calls = calloc((size_t)count, sizeof(struct db_call *));
  if (!calls) return ERR_NOMEM;
  int64_t now = db_now_ms(db);
  for (int i = 0; i < count; i++) {
    calls[i] = args[i];
    calls[i]->now = now;
  }
  enum err e = calls[0]->run_set(db, calls, count);
  free(calls);
  return e;
}

static void db_call_on_committed(void *arg, enum err result) {
  struct db_call *c = arg;
  c->result = result;
  if (result == OK && !c->leaves_catalog_unchanged)
    rows_changed(c->api, c->subject.business_id, str_from(c->changed_recording_sid));
  http_post(c->x, db_call_on_loop, c);
}

/* A peer that closed only its sending side may still wait for the answer. It counts as gone when it has waited for
 * SHUT_WAITS_MS. Runs on the writer's thread. */
static bool db_call_caller_left(void *arg) {
  struct db_call *c = arg;
  enum http_presence peer = http_presence(c->x);
  return peer == HTTP_PEER_GONE || (peer == HTTP_PEER_SHUT && clock_mono_ms() - c->begun_ms > SHUT_WAITS_MS);
}

enum err db_call_write(struct db_call *c, enum metric_label_JOB name, enum err (*run)(struct db *db, struct db_call *c),
                       void (*on_done)(struct db_call *c)) {
  TRY(db_call_mark_busy(c, run, on_done));
  bool is_webhook = name == METRIC_JOB_WEBHOOK;
  c->begun_ms = clock_mono_ms();
  if (!is_webhook) request_client_address(c->api, c->x, c->ip);
  struct db_job job = {.name = name,
                       .class = is_webhook ? DB_CLASS_WEBHOOK : DB_CLASS_EDIT,
                       .business_id = c->subject.business_id,
                       .run = db_call_run_write,
                       .run_set = c->run_set ? db_call_run_set : NULL,
                       .done = db_call_on_committed,
                       .arg = c,
                       .repeat = is_webhook ? DB_REPEAT_ALWAYS : DB_REPEAT_NEVER,
                       .deadline_ms = c->begun_ms + (is_webhook ? WEBHOOK_BEGIN_MS : WRITE_BEGIN_MS),
                       .is_abandoned = is_webhook || c->outlives_caller ? NULL : db_call_caller_left};
  const struct api_parts *parts = &c->api->parts;
  bool in_sets = is_webhook && parts->webhook_writer;
  enum err failed = db_writer_submit(in_sets ? parts->webhook_writer : parts->writer, job);
  return failed == OK ? OK : db_call_cancel(c, failed);
}

/* ---- large answers ---- */

/* ALL_BUSINESSES: no business has this id; its entry is the sum of all. */
enum { LARGE_MIN = 32 * 1024, LARGE_PER_BUSINESS = 32 * 1024 * 1024, LARGE_PER_PROCESS = 256 * 1024 * 1024 };
#define ALL_BUSINESSES INT64_MAX

struct large_answer {
  struct quota *quota;
  int64_t business_id, bytes;
};

static void large_answer_on_end(struct http_exchange *x, void *arg, bool complete, int64_t sent) {
  struct large_answer *l = arg;
  (void)x, (void)complete, (void)sent;
  quota_give_back(l->quota, l->business_id, l->bytes);
  quota_give_back(l->quota, ALL_BUSINESSES, l->bytes);
  free(l);
}

static enum err large_answer_charge(struct db_call *c, int64_t bytes) {
  struct quota *q = c->api->answers;
  struct large_answer *l = malloc(sizeof(*l));
  if (!l) return ERR_NOMEM;
  *l = (struct large_answer){q, c->subject.business_id, bytes};
  if (!quota_add(q, l->business_id, bytes, LARGE_PER_BUSINESS)) {
    free(l);
    return ERR_DENIED;
  }
  if (!quota_add(q, ALL_BUSINESSES, bytes, LARGE_PER_PROCESS)) {
    quota_give_back(q, l->business_id, bytes);
    free(l);
    return ERR_BUSY;
  }
  http_on_end(c->x, large_answer_on_end, l);
  return OK;
}

void db_call_answer_large(struct db_call *c, struct http_fields *f, struct str content_type, struct str body) {
  enum err failed = http_gone(c->x) || body.n <= LARGE_MIN ? OK : large_answer_charge(c, (int64_t)body.n);
  if (failed == OK) {
    answer_bytes(c->x, 200, f, content_type, body);
    return;
  }
  metric_add(METRIC_HTTP_LIMITED, METRIC_LIMIT_ANSWERS, 1);
  if (failed == ERR_DENIED)
    problem_answer_detail(c->x, PROBLEM_TOO_MANY_REQUESTS,
                          "Too many large answers of this business are in progress. Try again when some have ended.");
  else
    problem_answer(c->x, PROBLEM_BUSY, NULL);
}
