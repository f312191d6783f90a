/* remover_provider.c - see remover_provider.h.
 *
 *   tick --writer: claim--> CLAIMED --DELETE--> ASKED --answer--> writer: end, or postpone --> gone
 *
 * Invariants
 *  (1) At most one claim and ASKED_MAX requests are under way.
 *  (2) A failure of the account, not of one recording (429, refused or missing credentials, an outage), pauses all tasks of the
 *      business, so that 100,000 of them do not all fail in the same way.
 *  (3) A task ends only when the provider says that the recording is deleted, or that it does not know it.
 *  (4) The claim's transaction asks for holds. A recording that is held by then keeps its copy, and its task waits. */
#include "work/remover_provider.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/metric.h"
#include "base/secret.h"
#include "ledger/holds.h"
#include "ledger/tasks.h"

enum {
  ASKED_MAX = 8,
  PER_BUSINESS = 2,
  EVERY_MS = 1000,
  BACKOFF_FIRST_MS = 30 * 1000,
  BACKOFF_CAP_MS = 3600 * 1000,
  CONNECT_MS = 8000,
  FIRST_BYTE_MS = 12000, /* with CONNECT_MS less than a task's lease */
  BODY_MAX = 64 * 1024,
  OUTAGE_PAUSE_MS = 30 * 1000,
  REFUSAL_PAUSE_MAX_MS = 10 * 60 * 1000,
  HELD_AGAIN_MS = 3600 * 1000,
};

struct asked {
  struct fetch_task posted; /* posts it to the worker's thread */
  struct remover_provider *owner;
  struct task task;
  struct fetch_transfer *transfer;
  int status; /* of the answer; 0: none */
  int64_t retry_after_ms;
  bool is_without_credentials;
  char error[TASK_ERROR_SIZE];
};

struct remover_provider {
  struct db_writer *writer;
  const struct provider *provider;
  const char *owner;
  struct fetch *fetch;
  struct fetch_task posted;
  struct asked asked[ASKED_MAX]; /* owner NULL: free */
  struct tasks_turn turn;
  bool claiming, stopped;
  int64_t next_ms;
  /* of the claim */
  struct task claimed[ASKED_MAX];
  int room, count;
};

/* ---- reporting ---- */

static bool is_gone(int status) {
  return status == 200 || status == 202 || status == 204 || status == 404 || status == 410; /* (3) */
}

static int64_t deletion_backoff_ms(int64_t attempts) {
  int64_t ms = BACKOFF_FIRST_MS;
  for (int64_t i = 0; i < attempts && ms < BACKOFF_CAP_MS; i++) ms *= 2;
  return ms < BACKOFF_CAP_MS ? ms : BACKOFF_CAP_MS;
}

/* How long the whole business waits after this answer, whose task waits wait_ms (2). 0: it does not wait. */
static int64_t pause_ms(const struct asked *a, int64_t wait_ms) {
  if (a->status == 429) return wait_ms;
  if (a->status == 401 || a->status == 403 || a->is_without_credentials)
    return wait_ms < REFUSAL_PAUSE_MAX_MS ? wait_ms : REFUSAL_PAUSE_MAX_MS;
  if (a->status == 0 || a->status >= 500) return a->retry_after_ms ? wait_ms : OUTAGE_PAUSE_MS;
  return 0;
}

static enum err deletion_report_run(struct db *db, void *arg) {
  const struct asked *a = arg;
  int64_t now = db_now_ms(db);
  if (is_gone(a->status)) return tasks_end(db, &a->task);
  int64_t wait_ms = a->retry_after_ms ? a->retry_after_ms : deletion_backoff_ms(a->task.attempts);
  if (wait_ms > BACKOFF_CAP_MS) wait_ms = BACKOFF_CAP_MS;
  int64_t pause = pause_ms(a, wait_ms);
  if (pause) TRY(tasks_pause(db, TASK_REMOVE_AT_PROVIDER, a->task.business_id, now + pause));
  return tasks_postpone(db, &a->task, now + wait_ms, str_from(a->error));
}

static void report_take(void *arg) {
  struct asked *a = arg;
  struct remover_provider *p = a->owner;
  a->owner = NULL;
  p->next_ms = 0;
  fetch_wake(p->fetch);
}

static void deletion_report_done(void *arg, enum err e) {
  struct asked *a = arg;
  if (e != OK && e != ERR_CONFLICT && e != ERR_CLOSED)
    log_warn("Could not store that the provider was asked to delete a recording", LOG_ERR(e));
  fetch_post_task(a->owner->fetch, &a->posted);
}

static void deletion_report(struct asked *a) {
  struct db_job job = {.name = METRIC_JOB_REMOVE,
                       .class = DB_CLASS_UPKEEP,
                       .run = deletion_report_run,
                       .done = deletion_report_done,
                       .arg = a};
  a->posted = (struct fetch_task){.fn = report_take, .arg = a};
  metric_add(METRIC_REMOVALS, is_gone(a->status) ? METRIC_REMOVAL_PROVIDER_DONE : METRIC_REMOVAL_PROVIDER_FAILED, 1);
  if (is_gone(a->status))
    log_info("Recording deleted at the provider", LOG_INT("business", a->task.business_id),
             LOG_TEXT("recording", a->task.recording_sid), LOG_INT("status", a->status));
  else
    log_warn("Recording not deleted at the provider", LOG_INT("business", a->task.business_id),
             LOG_TEXT("recording", a->task.recording_sid), LOG_TEXT("why", a->error));
  if (db_writer_submit(a->owner->writer, job) != OK) a->owner = NULL; /* the lease runs out: it is asked again */
}

/* ---- the request ---- */

static enum err on_reply(void *arg, const struct fetch_reply *reply) {
  struct asked *a = arg;
  a->status = reply->status;
  metric_add(METRIC_PROVIDER_REQUESTS, metric_http_code(reply->status), 1);
  a->retry_after_ms = fetch_retry_after_ms(reply->retry_after);
  return OK;
}

static void on_end(void *arg, const struct fetch_result *result) {
  struct asked *a = arg;
  a->transfer = NULL;
  if (a->owner->stopped || result->end == FETCH_STOPPED) {
    a->owner = NULL;
    return;
  }
  if (a->status)
    (void)snprintf(a->error, sizeof(a->error), "status %d", a->status);
  else
    (void)snprintf(a->error, sizeof(a->error), "no answer");
  deletion_report(a);
}

static enum err deletion_start(struct asked *a, const struct provider_request *wanted) {
  char user[512], password[512];
  TRY(str_copy(user, sizeof(user), wanted->user));
  TRY(str_copy(password, sizeof(password), wanted->password));
  struct fetch_request request = {.method = "DELETE",
                                  .url = wanted->url,
                                  .user = user,
                                  .password = password,
                                  .connect_ms = CONNECT_MS,
                                  .first_byte_ms = FIRST_BYTE_MS,
                                  .idle_ms = FIRST_BYTE_MS,
                                  .max_bytes = BODY_MAX,
                                  .trust_origin = true,
                                  .arg = a,
                                  .on_reply = on_reply,
                                  .on_end = on_end};
  enum err e = fetch_start(a->owner->fetch, &request, &a->transfer);
  secret_wipe(password, sizeof(password));
  return e;
}

static void deletion_ask(struct asked *a, const struct access_snapshot *snapshot) {
  const struct access_business *b = access_find_business(snapshot, a->task.business_id);
  struct provider_request request = {.url = NULL};
  enum err e = ERR_NOT_FOUND;
  if (b) {
    struct provider_account account = {.business_id = b->business_id,
                                       .account_sid = b->account_sid,
                                       .tokens = {b->tokens[0], b->tokens[1]},
                                       .api_key = b->api_key,
                                       .api_secret = b->api_secret,
                                       .base_url = b->base_url};
    e = a->owner->provider->remove(&account, str_from(a->task.recording_sid), &request);
  }
  if (e == OK) e = deletion_start(a, &request);
  provider_request_done(&request);
  if (e == OK) return;
  a->is_without_credentials = e == ERR_NOT_FOUND || e == ERR_DENIED;
  (void)snprintf(a->error, sizeof(a->error), "%s", a->is_without_credentials ? "no credentials" : err_text(e));
  deletion_report(a);
}

/* ---- claims ---- */

static enum err is_held(struct db *db, const struct task *task, bool *ret_held) {
  struct recording row;
  enum err e = recordings_get(db, task->business_id, str_from(task->recording_sid), &row);
  *ret_held = false;
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  e = holds_cover(db, &row, ret_held);
  if (e == ERR_BUSY) *ret_held = true; /* it may be */
  return e == ERR_BUSY ? OK : e;
}

static enum err deletion_claim_run(struct db *db, void *arg) {
  struct remover_provider *p = arg;
  int64_t now = db_now_ms(db);
  p->count = 0; /* a job may be run again */
  for (int i = 0; i < p->room; i++) {
    struct task *task = &p->claimed[p->count];
    bool held;
    enum err e = tasks_claim(db, TASK_REMOVE_AT_PROVIDER, PER_BUSINESS, &p->turn, str_from(p->owner), now, task);
    if (e == ERR_NOT_FOUND) return OK;
    TRY(e);
    TRY(is_held(db, task, &held)); /* (4) */
    if (held)
      TRY(tasks_postpone(db, task, now + HELD_AGAIN_MS, STR_NONE));
    else
      p->count++;
  }
  return OK;
}

static void claim_take(void *arg) {
  struct remover_provider *p = arg;
  p->claiming = false;
  fetch_wake(p->fetch); /* the tick starts what was claimed, with its snapshot */
}

static void deletion_claim_done(void *arg, enum err e) {
  struct remover_provider *p = arg;
  if (e != OK) p->count = 0;
  fetch_post_task(p->fetch, &p->posted);
}

static void deletion_claim_start(struct remover_provider *p, int room) {
  struct db_job job = {.name = METRIC_JOB_REMOVE,
                       .class = DB_CLASS_UPKEEP,
                       .run = deletion_claim_run,
                       .done = deletion_claim_done,
                       .arg = p};
  p->posted = (struct fetch_task){.fn = claim_take, .arg = p};
  p->room = room;
  p->claiming = db_writer_submit(p->writer, job) == OK;
}

static void start_claimed(struct remover_provider *p, const struct access_snapshot *snapshot) {
  int n = p->count;
  p->count = 0;
  for (int i = 0, slot = 0; i < n; i++) {
    while (slot < ASKED_MAX && p->asked[slot].owner) slot++;
    if (slot == ASKED_MAX) return; /* can't be: room was counted (1) */
    p->asked[slot] = (struct asked){.owner = p, .task = p->claimed[i]};
    deletion_ask(&p->asked[slot], snapshot);
  }
}

int64_t remover_provider_tick(struct remover_provider *p, const struct access_snapshot *snapshot, int64_t mono_ms) {
  if (p->stopped || p->claiming) return EVERY_MS;
  if (p->count) {
    start_claimed(p, snapshot);
    p->next_ms = 0;
  }
  int room = 0;
  for (int i = 0; i < ASKED_MAX; i++) room += !p->asked[i].owner;
  if (mono_ms < p->next_ms) return p->next_ms - mono_ms;
  p->next_ms = mono_ms + EVERY_MS;
  if (room) deletion_claim_start(p, room);
  return EVERY_MS;
}

void remover_provider_stop(struct remover_provider *p) {
  p->stopped = true; /* a claimed task is not started; its lease ends */
  for (int i = 0; i < ASKED_MAX; i++)
    if (p->asked[i].transfer) fetch_cancel(p->asked[i].transfer);
}

bool remover_provider_is_idle(const struct remover_provider *p) {
  if (p->claiming) return false;
  for (int i = 0; i < ASKED_MAX; i++)
    if (p->asked[i].owner) return false;
  return true;
}

enum err remover_provider_new(struct db_writer *writer, const struct provider *provider, const char *owner,
                              struct remover_provider **ret_remover) {
  struct remover_provider *p = calloc(1, sizeof(*p));
  if (!p) return ERR_NOMEM;
  p->writer = writer;
  p->provider = provider;
  p->owner = owner;
  *ret_remover = p;
  return OK;
}

void remover_provider_begin(struct remover_provider *p, struct fetch *fetch) {
  p->fetch = fetch;
}

struct remover_provider *remover_provider_free(struct remover_provider *p) {
  free(p);
  return NULL;
}
