/* serve_upkeep.c - what a serving process does from time to time, on its main thread, about four times a second.
 *
 * It reads with the app's own connection, so that a busy queue of readers can't keep a revoked key alive. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/serve/serve_parts.h"
#include "domain/store.h"
#include "ledger/accounts.h"
#include "ledger/sessions.h"

enum { SLOW_MS = 1000, BEAT_MS = 5000, LOOK_MS = 1000, TRIM_MS = 60 * 1000, COMPLAINT_MS = 10 * 1000 };

/* ---- who may ---- */

static void set_access(struct serve *s, struct access_snapshot *fresh) {
  access_unref(s->access);
  s->access = fresh;
  if (s->api) api_set_access(s->api, fresh);
  if (s->worker) worker_set_access(s->worker, fresh);
}

enum err serve_load_access(struct serve *s) {
  struct access_snapshot *fresh;
  TRY(access_load(s->app.db, s->app.secrets_key, str_from(s->app.conf.twilio_base_url), s->access, &fresh));
  set_access(s, fresh);
  if (s->api) api_check_streams(s->api, 0);
  return OK;
}

static void keep_news(struct serve *s, const struct access_change *change) {
  LOCKED(&s->lock);
  if (change && s->news.count < COUNT_OF(s->news.changes))
    s->news.changes[s->news.count++] = *change;
  else
    s->news.all = true;
}

void serve_note_access(struct serve *s, const struct access_change *change) {
  const uint64_t one = 1;
  keep_news(s, change);
  (void)!write(s->wake, &one, sizeof(one)); /* full: it is awake already */
}

static enum err read_news(struct serve *s, const struct access_news *news) {
  struct access_snapshot *fresh;
  if (news->all) return serve_load_access(s);
  TRY(access_update(s->app.db, s->app.secrets_key, s->access, news->changes, news->count, &fresh));
  set_access(s, fresh);
  for (size_t i = 0; s->api && i < news->count; i++) api_check_streams(s->api, news->changes[i].business_id);
  return OK;
}

static struct access_news take_news(struct serve *s) {
  LOCKED(&s->lock);
  struct access_news news = s->news;
  s->news.count = 0;
  s->news.all = false;
  return news;
}

static bool is_due(int64_t *next_ms, int64_t now, int64_t every_ms) {
  if (now < *next_ms) return false;
  *next_ms = now + every_ms;
  return true;
}

/* ---- what it looks at ---- */

static enum err note_stopped(void *arg, int64_t business_id) {
  struct business_ids *list = arg;
  if (list->count == list->room) {
    size_t room = list->room ? list->room * 2 : 64;
    int64_t *grown = realloc(list->ids, room * sizeof(grown[0]));
    if (!grown) return ERR_NOMEM;
    list->ids = grown;
    list->room = room;
  }
  list->ids[list->count++] = business_id;
  return OK;
}

static enum err look_at_accounts(struct serve *s) {
  struct business_ids fresh = {0};
  enum err e = accounts_stopped(s->app.db, note_stopped, &fresh);
  if (e == OK) serve_set_stopped(s, &fresh);
  free(fresh.ids);
  return e;
}

static enum err look_at_workers(struct serve *s) {
  struct nodes_workers workers;
  TRY(nodes_workers(s->app.db, db_now_ms(s->app.db), SERVE_WORKER_LIVES_MS, &workers));
  if (workers.live > 0) atomic_store(&s->worker_seen_ms, clock_mono_ms());
  bool full = nodes_workers_are_full(&workers);
  if (atomic_exchange(&s->storage_full, full) != full) atomic_store(&s->storage_full_moved, true);
  return OK;
}

/* As the volume was seen last. While it does not answer, nothing is known that would be newer. */
static void look_at_store(struct serve *s) {
  char id[STORE_ID_SIZE];
  struct volume_seen seen;
  volume_seen(s->volume, &seen);
  if (!seen.answers || seen.age_ms == INT64_MAX) return;
  bool right = store_known_id(s->app.db, id) == OK && seen.id_error == OK && strcmp(id, seen.id) == 0;
  if (!right && atomic_load(&s->store_is_right)) log_error("Recordings' volume is not the one that the database knows");
  atomic_store(&s->store_is_right, right);
}

static void look(struct serve *s) {
  enum err e = look_at_workers(s);
  if (e == OK) e = look_at_accounts(s);
  if (e == OK) look_at_store(s);
}

/* What is read of businesses and keys is that of which `changes` told. */
static void refresh_access(struct serve *s, int64_t now) {
  static int64_t next_complaint; /* the main thread's alone */
  struct access_news news = take_news(s);
  if (!news.count && !news.all) return;
  enum err e = read_news(s, &news);
  if (e != OK) {
    keep_news(s, NULL); /* what was not read may be anything by the next turn */
    if (is_due(&next_complaint, now, COMPLAINT_MS)) log_error("Could not read businesses and keys", LOG_ERR(e));
  }
  IGNORE(look_at_accounts(s)); /* looked at again soon */
}

/* ---- what it does ---- */

static enum err run_beat(struct db *db, void *arg) {
  return nodes_beat(db, arg);
}
static void beat_done(void *arg, enum err e) {
  (void)e; /* the next beat is soon */
  free(arg);
}

/* The writer gets a copy: the process may become full while it writes. */
static void beat(struct serve *s) {
  struct node *node = malloc(sizeof(*node));
  if (!node) return;
  *node = s->node;
  struct db_job job = {
      .name = METRIC_JOB_BEAT, .class = DB_CLASS_LEASE, .run = run_beat, .done = beat_done, .arg = node};
  if (db_writer_submit(s->writer, job) != OK) free(node);
}

/* Whether a beat must not wait for its time: others are to know soon that this worker is full, or no longer. */
static bool became_another(struct serve *s) {
  bool is_full = s->worker && worker_is_full(s->worker);
  bool moved = s->node.is_full != is_full;
  s->node.is_full = is_full;
  return moved;
}

static enum err run_trim_sessions(struct db *db, void *arg) {
  struct serve *s = arg;
  return sessions_trim(db, db_now_ms(db), &s->more_sessions_to_trim);
}

static enum err run_trim_changes(struct db *db, void *arg) {
  struct serve *s = arg;
  return changes_trim(db, db_now_ms(db), &s->more_to_trim);
}

static void trim_done(void *arg, enum err e) {
  struct serve *s = arg;
  (void)e; /* the next trim is soon */
  atomic_store(&s->trims, false);
}

/* Jobs whose time is up end; and loops rely on nothing that may have left the memory while the volume is slow. */
static void tend_volume(struct serve *s) {
  struct volume_seen seen;
  volume_tick(s->volume);
  volume_seen(s->volume, &seen);
  if (s->server) http_server_distrust_files(s->server, seen.waits_ms >= SLOW_MS);
}

/* Once a minute, and as soon as there are enough new changes: the table has a ceiling at any rate. */
static void trim_changes(struct serve *s, bool is_time) {
  static int64_t trimmed_to; /* the main thread's alone */
  int64_t seq = changes_seq(s->changes), fresh = seq - trimmed_to;
  if (fresh >= 0 && fresh < CHANGES_TRIM_EACH && !is_time) return;
  if (atomic_exchange(&s->trims, true)) return; /* the one before still goes on */
  trimmed_to = seq;
  struct db_job trim = {
      .name = METRIC_JOB_TRIM, .run = run_trim_changes, .done = trim_done, .arg = s, .more = &s->more_to_trim};
  enum err e = db_writer_submit(s->writer, trim);
  if (e != OK) trim_done(s, e);
}

/* ---- what writes of calls leave to be done ---- */

enum { CALLS_PART = 80, CALLS_TELL_MS = 10 * 1000 };

static enum err run_calls_upkeep(struct db *db, void *arg) {
  struct serve *s = arg;
  return calls_upkeep_run(db, &s->calls_upkeep, CALLS_PART, &s->more_of_calls);
}

static void calls_part_done(void *arg) {
  struct serve *s = arg;
  int64_t now = clock_mono_ms();
  if (!s->calls_upkeep.indexed || now - s->calls_told_ms < CALLS_TELL_MS) return;
  s->calls_told_ms = now;
  log_info("Indexing older calls", LOG_INT("done", s->calls_upkeep.indexed));
}

static void calls_upkeep_done(void *arg, enum err e) {
  struct serve *s = arg;
  if (e == OK && s->calls_upkeep.indexed) log_info("Older calls indexed", LOG_INT("done", s->calls_upkeep.indexed));
  if (e == OK) s->calls_upkeep.indexed = 0;
  atomic_store(&s->keeps_calls, false); /* what is left, also after an error, is seen at the next look */
}

static void keep_calls(struct serve *s) {
  bool needed = false;
  if (atomic_load(&s->keeps_calls) || calls_upkeep_needed(s->app.db, &needed) != OK || !needed) return;
  atomic_store(&s->keeps_calls, true);
  struct db_job job = {.name = METRIC_JOB_SEARCH,
                       .run = run_calls_upkeep,
                       .done = calls_upkeep_done,
                       .arg = s,
                       .more = &s->more_of_calls,
                       .part_done = calls_part_done};
  enum err e = db_writer_submit(s->writer, job);
  if (e != OK) calls_upkeep_done(s, e);
}

void serve_upkeep(struct serve *s) {
  static int64_t next_beat, next_look, next_trim; /* the main thread's alone */
  int64_t now = clock_mono_ms();
  refresh_access(s, now);
  /* The writer may be waiting for a locked database: what is submitted here is small and must not pile up. */
  bool can_write = db_writer_healthy(s->writer);
  if (can_write && became_another(s)) next_beat = now;
  if (can_write && is_due(&next_beat, now, BEAT_MS)) beat(s);
  struct db_job trim_sessions = {
      .name = METRIC_JOB_TRIM, .run = run_trim_sessions, .arg = s, .more = &s->more_sessions_to_trim};
  bool is_trim_due = can_write && is_due(&next_trim, now, TRIM_MS);
  if (can_write) trim_changes(s, is_trim_due);
  if (is_trim_due) IGNORE(db_writer_submit(s->writer, trim_sessions)); /* so is the next trim */
  if (can_write) keep_calls(s);
  if (is_due(&next_look, now, LOOK_MS)) look(s);
  tape_follows_tick(s->follows);
  tend_volume(s);
  serve_refresh_figures(s);
}
