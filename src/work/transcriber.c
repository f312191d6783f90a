/* transcriber.c - claims tasks, renews the leases of those that run, and ends their jobs.
 *
 *   manager (one thread): renews leases --> while a job is free: claims a task and a place at an engine --> a thread of the pool
 *                         runs the job (transcriber_job.c)
 *   woken by: a change of a transcript, a job's end, or every TICK_MS; two looks are CLAIM_PAUSE_MS apart at least
 *
 * Invariants
 *  (1) A task is claimed only together with a place at an engine, in one transaction. So an engine gets one request at a time,
 *      and SPEECH_CONCURRENCY holds, over all processes.
 *  (2) While plays or new recordings wait for a fill that may begin, nothing is claimed, for DEFER_MOST_MS at most.
 *  (3) A job that loses its lease ends within a renewal, and its writes change nothing.
 *  (4) The claim's transaction checks whether the transcriber is held or stopped, so it claims nothing that became due later. */
#include "work/transcriber.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/secret.h"
#include "ledger/turns.h"
#include "work/transcriber_internal.h"

enum {
  TICK_MS = 1000,
  CLAIM_PAUSE_MS = 50,
  RENEW_MS = 8000,
  DEFER_MS = 200,
  DEFER_MOST_MS = 30 * 1000,
  WRITE_AGAIN_MS = 500,
  KEY_FILE_MAX = 64 * 1024,
};

/* ---- the writer ---- */

enum err transcriber_write(struct transcriber *t, enum db_class class, enum err (*run)(struct db *db, void *arg),
                           void *arg) {
  struct db_job job = {
      .name = METRIC_JOB_TRANSCRIBE, .class = class, .repeat = DB_REPEAT_UNDONE, .run = run, .arg = arg};
  return db_writer_call(t->parts.writer, job);
}

static bool may_write_again(enum err e) {
  return e == ERR_BUSY || e == ERR_TIMEOUT || e == ERR_IO || e == ERR_UNKNOWN || e == ERR_FULL;
}

enum err transcriber_write_surely(struct speech_job *job, enum err (*run)(struct db *db, void *arg), void *arg) {
  struct transcriber *t = job->transcriber;
  enum err e = transcriber_write(t, DB_CLASS_UPKEEP, run, arg);
  while (may_write_again(e) && !transcriber_must_end(job)) {
    transcriber_pause(job, WRITE_AGAIN_MS);
    e = transcriber_write(t, DB_CLASS_UPKEEP, run, arg);
  }
  if (e == ERR_CONFLICT) atomic_store(&job->is_lost, true); /* (3) */
  return e;
}

bool transcriber_must_end(const struct speech_job *job) {
  return atomic_load(&job->is_lost) || atomic_load(&job->transcriber->is_stopped);
}

void transcriber_pause(struct speech_job *job, int64_t ms) {
  struct transcriber *t = job->transcriber;
  int64_t until = clock_mono_ms() + ms;
  LOCKED(&t->lock);
  for (int64_t left = ms; left > 0 && !transcriber_must_end(job); left = until - clock_mono_ms())
    lock_cond_wait_ms(&t->changed, &t->lock, left);
}

/* ---- claims ---- */

struct claiming {
  struct transcriber *transcriber;
  struct speech_claim claim;
  bool defers; /* fills go first */
};

/* (2) */
static enum err fills_wait(struct db *db, const struct conf *conf, bool *ret_wait) {
  int64_t business, most = conf->downloads_per_business;
  enum err e = turns_first(db, RECORDING_RANK_PLAY, most + 1, &business);
  if (e == ERR_NOT_FOUND) e = turns_first(db, RECORDING_RANK_NEW, most, &business);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_wait = e == OK;
  return OK;
}

static enum err read_speakers(struct db *db, struct speech_claim *c) {
  struct call *top = c->recording.call_sid[0] ? calloc(2, sizeof(*top)) : NULL;
  enum err e = ERR_NOT_FOUND;
  if (top) e = calls_get(db, c->recording.business_id, str_from(c->recording.call_sid), &top[1]);
  if (e == OK) e = calls_get(db, c->recording.business_id, str_from(top[1].top_sid), &top[0]);
  transcription_speakers(e == OK ? &top[0] : NULL, &c->speakers);
  free(top);
  return e == ERR_NOT_FOUND ? OK : e;
}

/* ERR_NOT_FOUND: there is nothing to do now; ERR_NOT_YET: its recording's file is not here now. */
static enum err claim_task(struct db *db, struct claiming *x, int64_t now) {
  struct transcriber *t = x->transcriber;
  struct speech_claim *c = &x->claim;
  int64_t free_at;
  int most = (int)t->parts.conf->speech_concurrency;
  TRY(speech_slots_take(db, (const char(*)[SPEECH_SLOT_SIZE])t->slots, t->slot_count, most, str_from(t->owner), now,
                        &c->slot, &free_at));
  TRY(tasks_claim(db, TASK_TRANSCRIBE, most, &t->turn, str_from(t->owner), now, &c->task));
  TRY(recordings_get(db, c->task.business_id, str_from(c->task.recording_sid), &c->recording));
  TRY(businesses_speech_get(db, c->task.business_id, &c->speech));
  TRY(read_speakers(db, c));
  return transcripts_begin(db, &c->task, now, &c->row);
}

static enum err transcriber_claim_run(struct db *db, void *arg) {
  struct claiming *x = arg;
  struct speech_claim *c = &x->claim;
  int64_t now = db_now_ms(db);
  bool wait = false;
  if (atomic_load(&x->transcriber->is_held) || atomic_load(&x->transcriber->is_stopped)) return ERR_CLOSED; /* (4) */
  if (x->defers) TRY(fills_wait(db, x->transcriber->parts.conf, &wait));
  if (wait) return ERR_NOT_YET;
  TRY(claim_task(db, x, now));
  if (c->recording.status == RECORDING_READY) return OK;
  /* It is being fetched again: its bytes may be others then. */
  TRY(speech_slots_return(db, &c->slot));
  return transcripts_wait(db, &c->task, TRANSCRIPT_ERROR_STORAGE_ERROR, now + DEFER_MOST_MS, now);
}

static struct speech_job *free_job(struct transcriber *t) {
  LOCKED(&t->lock);
  for (size_t i = 0; i < t->job_count; i++)
    if (!t->jobs[i].is_running) return &t->jobs[i];
  return NULL;
}

static void job_thread(void *arg, unsigned worker) {
  struct speech_job *job = arg;
  struct transcriber *t = job->transcriber;
  (void)worker;
  transcriber_run_job(job);
  LOCKED(&t->lock);
  job->is_running = false;
  t->running--;
  t->is_woken = true;
  lock_cond_broadcast(&t->changed);
}

static void start_job(struct transcriber *t, struct speech_job *job, const struct speech_claim *claim) {
  job->claim = *claim;
  job->renew_at = clock_mono_ms() + RENEW_MS;
  atomic_store(&job->is_lost, false);
  fetch_getter_resume(job->getter);
  {
    LOCKED(&t->lock);
    job->is_running = true;
    t->running++;
  }
  if (pool_run(t->threads, job_thread, job) == OK) return;
  LOCKED(&t->lock); /* its leases end */
  job->is_running = false;
  t->running--;
}

/* Returns the ms after which to try again; 0: at once. */
static int64_t claim_next(struct transcriber *t) {
  struct speech_job *job = free_job(t);
  if (!job) return t->parts.tick_ms;
  int64_t mono = clock_mono_ms();
  struct claiming *x = calloc(1, sizeof(*x));
  if (!x) return t->parts.tick_ms;
  x->transcriber = t;
  x->defers = !t->deferred_since || mono - t->deferred_since < DEFER_MOST_MS;
  enum err e = transcriber_write(t, DB_CLASS_UPKEEP, transcriber_claim_run, x);
  if (e != ERR_NOT_YET)
    t->deferred_since = 0;
  else if (!t->deferred_since)
    t->deferred_since = mono;
  bool has_begun = e == OK && x->claim.recording.status == RECORDING_READY;
  if (has_begun) start_job(t, job, &x->claim);
  if (e != OK && e != ERR_NOT_FOUND && e != ERR_NOT_YET && e != ERR_CLOSED && e != ERR_CONFLICT)
    log_warn("Could not claim a transcript", LOG_ERR(e));
  free(x);
  return e == OK ? 0 : e == ERR_NOT_YET ? DEFER_MS : t->parts.tick_ms;
}

/* ---- leases ---- */

static enum err renew_run(struct db *db, void *arg) {
  const struct speech_job *job = arg;
  int64_t now = db_now_ms(db);
  TRY(tasks_renew(db, &job->claim.task, now));
  return speech_slots_renew(db, &job->claim.slot, now);
}

static void lose_job(struct speech_job *job) {
  atomic_store(&job->is_lost, true);
  fetch_getter_cancel(job->getter);
}

/* Until the database answers, a job continues, and renews late. */
static void renew_jobs(struct transcriber *t) {
  int64_t mono = clock_mono_ms();
  for (size_t i = 0; i < t->job_count; i++) {
    struct speech_job *job = &t->jobs[i];
    bool is_running;
    {
      LOCKED(&t->lock);
      is_running = job->is_running;
    }
    if (!is_running || mono < job->renew_at || transcriber_must_end(job)) continue;
    job->renew_at = mono + RENEW_MS;
    enum err e = transcriber_write(t, DB_CLASS_LEASE, renew_run, job);
    LOCKED(&t->lock);
    if (e == ERR_CONFLICT && job->is_running) lose_job(job); /* (3) */
    if (e == ERR_CONFLICT) lock_cond_broadcast(&t->changed);
  }
}

/* ---- the manager ---- */

/* Waits ms, or less if it is woken; then CLAIM_PAUSE_MS, since wakes may keep coming. */
static void wait_for_work(struct transcriber *t, int64_t ms) {
  int64_t began = clock_mono_ms();
  LOCKED(&t->lock);
  while (!atomic_load(&t->is_stopped)) {
    int64_t wait_ms = t->is_woken && CLAIM_PAUSE_MS < ms ? CLAIM_PAUSE_MS : ms;
    int64_t left = began + wait_ms - clock_mono_ms();
    if (left <= 0) break;
    lock_cond_wait_ms(&t->changed, &t->lock, left);
  }
  t->is_woken = false;
}

static void transcriber_manage(void *arg, unsigned worker) {
  struct transcriber *t = arg;
  (void)worker;
  while (!atomic_load(&t->is_stopped)) {
    renew_jobs(t);
    int64_t ms = claim_next(t);
    if (ms) wait_for_work(t, ms);
  }
  LOCKED(&t->lock);
  t->is_managed = false;
  lock_cond_broadcast(&t->changed);
}

void transcriber_wake(struct transcriber *t) {
  if (!t) return;
  LOCKED(&t->lock);
  t->is_woken = true;
  lock_cond_broadcast(&t->changed);
}

void transcriber_hold(struct transcriber *t, bool is_held) {
  if (!t) return;
  atomic_store(&t->is_held, is_held);
  transcriber_wake(t);
}

void transcriber_expired(struct transcriber *t, int64_t business_id, struct str recording_sid) {
  if (!t) return;
  LOCKED(&t->lock);
  for (size_t i = 0; i < t->job_count; i++) {
    struct speech_job *job = &t->jobs[i];
    if (job->is_running && job->claim.task.business_id == business_id &&
        str_eq(str_from(job->claim.task.recording_sid), recording_sid))
      lose_job(job);
  }
  lock_cond_broadcast(&t->changed);
}

/* ---- life ---- */

static enum err add_slot(struct transcriber *t, struct str name, size_t number) {
  uint8_t digest[SHA256_SIZE];
  char hex[2 * SHA256_SIZE + 1];
  secret_sha256(name, digest);
  hex_encode(digest, sizeof(digest), hex);
  char *slot = t->slots[t->slot_count++];
  (void)snprintf(slot, SPEECH_SLOT_SIZE, "%.20s.%u", hex, (unsigned)number);
  return OK;
}

static enum err read_urls(struct transcriber *t) {
  struct str rest = str_from(t->parts.conf->speech_url), one;
  t->urls = str_dup(rest);
  if (!t->urls) return ERR_NOMEM;
  rest = str_from(t->urls);
  for (bool more = true; more;) {
    more = str_cut(rest, ',', &one, &rest);
    one = str_trim(one);
    while (one.n && one.p[one.n - 1] == '/') one.n--;
    struct fetch_url parsed;
    if (!one.n) continue;
    if (t->slot_count == SPEECH_SLOTS_MAX || fetch_url_parse(one, &parsed) != OK) return ERR_INVALID;
    t->url[t->slot_count] = one.p;
    t->urls[one.p + one.n - t->urls] = '\0';
    TRY(add_slot(t, one, 0));
  }
  return t->slot_count ? OK : ERR_INVALID;
}

static enum err read_google(struct transcriber *t) {
  struct str name = str_from(t->parts.conf->google_speech_url);
  for (int64_t i = 0; i < t->parts.conf->speech_concurrency; i++) TRY(add_slot(t, name, (size_t)i));
  return OK;
}

/* The key of a service account: only its owner may be able to read it. */
static enum err read_key_file(const char *path, char **ret_text, size_t *ret_size) {
  return path ? fs_read_operators(path, true, KEY_FILE_MAX, ret_text, ret_size) : ERR_NOT_FOUND;
}

static enum err build_engine(struct transcriber *t, bool is_google) {
  const struct conf *c = t->parts.conf;
  struct speech_settings settings = {.engine = is_google ? "google" : "openai",
                                     .api_key = c->speech_api_key,
                                     .model = c->speech_model,
                                     .google_url = c->google_speech_url};
  char *key = NULL;
  size_t size = 0;
  enum err e = is_google ? read_key_file(c->google_credentials, &key, &size) : OK;
  if (e != OK) log_error("GOOGLE_APPLICATION_CREDENTIALS can't be used", LOG_ERR(e));
  settings.google_key = str_of(key, size);
  if (e == OK) e = speech_engine_new(&settings, &t->engine);
  if (key) secret_wipe(key, size);
  free(key);
  if (e == OK) e = is_google ? read_google(t) : read_urls(t);
  if (e != OK) log_error("The speech engine can't be used", LOG_TEXT("engine", settings.engine), LOG_ERR(e));
  return e == ERR_NOMEM || e == OK ? e : ERR_INVALID;
}

static enum err build_jobs(struct transcriber *t) {
  size_t most = (size_t)t->parts.conf->speech_concurrency;
  t->job_count = t->slot_count < most ? t->slot_count : most;
  t->jobs = calloc(t->job_count, sizeof(*t->jobs));
  if (!t->jobs) return ERR_NOMEM;
  for (size_t i = 0; i < t->job_count; i++) {
    t->jobs[i].transcriber = t;
    TRY(fetch_getter_new(&t->jobs[i].getter));
  }
  TRY(pool_new("speech", (unsigned)t->job_count, t->job_count, &t->threads));
  TRY(pool_new("transcriber", 1, 1, &t->manager));
  t->is_managed = true;
  enum err e = pool_run(t->manager, transcriber_manage, t);
  if (e != OK) t->is_managed = false;
  return e;
}

enum err transcriber_new(const struct transcriber_parts *parts, struct transcriber **ret_transcriber) {
  enum { ENGINE_NONE, ENGINE_OPENAI, ENGINE_GOOGLE };
  *ret_transcriber = NULL;
  if (parts->conf->speech_engine == ENGINE_NONE) return OK;
  struct transcriber *t = calloc(1, sizeof(*t));
  if (!t) return ERR_NOMEM;
  t->parts = *parts;
  if (!t->parts.tick_ms) t->parts.tick_ms = TICK_MS;
  lock_init(&t->lock, "transcriber", LOCK_RANK_WORK);
  lock_cond_init(&t->changed);
  enum err e = str_copy(t->owner, sizeof(t->owner), str_from(parts->owner));
  if (e == OK) e = build_engine(t, parts->conf->speech_engine == ENGINE_GOOGLE);
  if (e == OK) e = build_jobs(t);
  if (e == OK)
    *ret_transcriber = t;
  else
    transcriber_free(t);
  return e;
}

void transcriber_stop(struct transcriber *t) {
  if (!t || atomic_exchange(&t->is_stopped, true)) return;
  for (size_t i = 0; i < t->job_count; i++)
    if (t->jobs[i].getter) fetch_getter_stop(t->jobs[i].getter);
  LOCKED(&t->lock);
  lock_cond_broadcast(&t->changed);
}

bool transcriber_wait(struct transcriber *t, int64_t timeout_ms) {
  if (!t) return true;
  int64_t until = clock_mono_ms() + timeout_ms;
  LOCKED(&t->lock);
  while (t->running || t->is_managed) {
    int64_t left = until - clock_mono_ms();
    if (left <= 0) return false;
    lock_cond_wait_ms(&t->changed, &t->lock, left);
  }
  return true;
}

struct transcriber *transcriber_free(struct transcriber *t) {
  if (!t) return NULL;
  transcriber_stop(t);
  t->manager = pool_free(t->manager);
  t->threads = pool_free(t->threads);
  for (size_t i = 0; i < t->job_count && t->jobs; i++) fetch_getter_free(t->jobs[i].getter);
  speech_engine_free(t->engine);
  lock_cond_done(&t->changed);
  lock_done(&t->lock);
  free(t->jobs);
  free(t->urls);
  free(t);
  return NULL;
}
