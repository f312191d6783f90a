/* serve_upkeep.c - the periodic work of a serving process, on its main thread, about four times a second.
 *
 * It reads with the app's own connection, so that a long queue of readers can't delay the revocation of a key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/serve/serve_parts.h"
#include "domain/recording_error.h"
#include "ledger/accounts.h"
#include "ledger/businesses.h"
#include "ledger/keys.h"
#include "ledger/sessions.h"
#include "ledger/urls.h"

enum { STOPPED_PART = 500 };
enum { SLOW_MS = 1000, BEAT_MS = 5000, READ_MS = 1000, TRIM_MS = 60 * 1000, COMPLAINT_MS = 10 * 1000 };

/* ---- accounts that are stopped ---- */

static enum err accounts_add_stopped(void *arg, int64_t business_id) {
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

/* Reads the stopped accounts above *after, at most STOPPED_PART; *after: where the next part begins. */
static enum err accounts_read_part(struct serve *s, int64_t *after) {
  struct business_ids fresh = {0};
  int64_t last;
  enum err e = accounts_stopped(s->app.db, *after, STOPPED_PART, accounts_add_stopped, &fresh, &last);
  if (e == OK) e = serve_set_stopped(s, *after, last, &fresh);
  if (e == OK) *after = last == INT64_MAX ? 0 : last;
  free(fresh.ids);
  return e;
}

static enum err accounts_read_one(struct serve *s, int64_t business_id) {
  struct business_ids fresh = {0};
  int64_t last;
  enum err e = accounts_stopped(s->app.db, business_id - 1, 1, accounts_add_stopped, &fresh, &last);
  if (e == OK && fresh.count && fresh.ids[0] != business_id) fresh.count = 0;
  if (e == OK) e = serve_set_stopped(s, business_id - 1, business_id, &fresh);
  free(fresh.ids);
  return e;
}

static enum err accounts_read_all(struct serve *s) {
  int64_t after = 0;
  do TRY(accounts_read_part(s, &after));
  while (after);
  return OK;
}

/* Fills stop and start accounts without a change: all are read again, a part a second. */
static enum err accounts_read_stopped(struct serve *s) {
  static int64_t after; /* only the main thread uses it */
  return accounts_read_part(s, &after);
}

/* ---- access: businesses and keys ---- */

static void access_set(struct serve *s, struct access_snapshot *fresh) {
  access_unref(s->access);
  s->access = fresh;
  if (s->api) api_set_access(s->api, fresh);
  if (s->worker) worker_set_access(s->worker, fresh);
}

enum err serve_load_access(struct serve *s) {
  struct access_snapshot *fresh;
  TRY(access_load(s->app.db, s->app.secrets_key, str_from(s->app.conf.twilio_base_url), s->access, &fresh));
  access_set(s, fresh);
  if (s->api) api_check_streams(s->api, 0);
  return accounts_read_all(s);
}

static enum err access_changes_add(struct access_changes *news, const struct access_change *change) {
  if (news->count == ACCESS_CHANGES_MAX) return ERR_TOO_BIG;
  if (news->count == news->room) {
    size_t room = news->room ? news->room * 2 : 64;
    struct access_change *grown = realloc(news->changes, room * sizeof(grown[0]));
    if (!grown) return ERR_NOMEM;
    news->changes = grown;
    news->room = room;
  }
  news->changes[news->count++] = *change;
  return OK;
}

/* change: NULL: unknown ones. */
static void access_add_change(struct serve *s, const struct access_change *change) {
  LOCKED(&s->lock);
  if (s->access_changes.all) return;
  if (!change || access_changes_add(&s->access_changes, change) != OK) s->access_changes.all = true;
}

void serve_note_access(struct serve *s, const struct access_change *change) {
  const uint64_t one = 1;
  access_add_change(s, change);
  (void)!write(s->wake, &one, sizeof(one)); /* the counter is full: the thread is awake already */
}

/* Logs keys and businesses that a command changed; the API's changes are logged by the handler. Each serving process logs a line.
 * */
static void access_log_key(struct serve *s, int64_t key_id) {
  struct key key;
  if (keys_get(s->app.db, key_id, &key) != OK) return; /* purged with its business */
  const char *by = key.revoked_at ? key.revoked_by : key.made_by;
  if (strcmp(by, "command") != 0) return;
  metric_add(METRIC_SECURITY_EVENTS, key.revoked_at ? METRIC_SECURITY_KEY_REVOKED : METRIC_SECURITY_KEY_MADE, 1);
  log_info(key.revoked_at ? "Key revoked" : "Key made", LOG_INT("business", key.business_id), LOG_INT("key", key_id),
           LOG_TEXT("by", by), LOG_TEXT("role", key.role));
}

static void access_log_business(struct serve *s, int64_t business_id) {
  struct business row CLEANUP(business_done) = {0};
  enum err e = businesses_get(s->app.db, NULL, business_id, &row);
  if (e != OK && e != ERR_NOT_FOUND) return;
  metric_add(METRIC_SECURITY_EVENTS, METRIC_SECURITY_BUSINESS_CHANGED, 1);
  log_info(e == OK ? "Business changed" : "Business removed", LOG_INT("business", business_id));
}

static void access_log_changes(struct serve *s, const struct access_changes *news) {
  if (s->role == SERVE_WORKER) return;
  for (size_t i = 0; i < news->count; i++) {
    if (news->changes[i].what == ACCESS_KEY) access_log_key(s, news->changes[i].key_id);
    if (news->changes[i].what == ACCESS_BUSINESS) access_log_business(s, news->changes[i].business_id);
  }
}

/* Cuts the answers under way of a key or a business that was ended. */
static void access_end_answers(struct serve *s, const struct access_change *change,
                               const struct access_snapshot *fresh) {
  bool is_there = access_find_business(fresh, change->business_id);
  if (change->what == ACCESS_KEY)
    api_cut_key(s->api, change->key_id);
  else if (change->what == ACCESS_KEYS || !is_there)
    api_cut_business(s->api, change->business_id);
  api_check_streams(s->api, change->business_id);
}

static enum err access_read_changes(struct serve *s, const struct access_changes *news) {
  struct access_snapshot *fresh;
  if (news->all) return serve_load_access(s);
  TRY(access_update(s->app.db, s->app.secrets_key, s->access, news->changes, news->count, &fresh));
  access_log_changes(s, news); /* before anybody can see the change */
  access_set(s, fresh);
  for (size_t i = 0; s->api && i < news->count; i++) access_end_answers(s, &news->changes[i], s->access);
  return OK;
}

/* The caller frees its changes. */
static struct access_changes access_take_changes(struct serve *s) {
  LOCKED(&s->lock);
  struct access_changes news = s->access_changes;
  s->access_changes = (struct access_changes){NULL, 0, 0, false};
  return news;
}

static bool upkeep_is_due(int64_t *next_ms, int64_t now, int64_t every_ms) {
  if (now < *next_ms) return false;
  *next_ms = now + every_ms;
  return true;
}

/* ---- reading ---- */

static enum err workers_read(struct serve *s) {
  struct nodes_workers workers;
  TRY(nodes_workers(s->app.db, db_now_ms(s->app.db), SERVE_WORKER_LIVES_MS, &workers));
  if (workers.live > 0) atomic_store(&s->worker_seen_ms, clock_mono_ms());
  bool full = nodes_workers_are_full(&workers);
  if (atomic_exchange(&s->storage_full, full) != full) atomic_store(&s->wait_reason_changed, true);
  return OK;
}

/* Also while the database can't be read: that a worker is gone shows by the time that passes. */
static void worker_watch(struct serve *s) {
  static int64_t began_ms; /* only the main thread uses these */
  static bool is_missed;
  bool is_alive = serve_worker_alive(s);
  if (atomic_exchange(&s->worker_was_alive, is_alive) != is_alive) atomic_store(&s->wait_reason_changed, true);
  if (began_ms == 0) began_ms = clock_mono_ms();
  if (is_alive == !is_missed || clock_mono_ms() - began_ms < SERVE_WORKER_LIVES_MS) return;
  is_missed = !is_alive;
  if (is_missed)
    log_error("No worker is seen", LOG_TEXT("code", recording_error_code(RECORDING_NO_WORKER)),
              LOG_TEXT("why", "No process that downloads has reported for 30 s; queued recordings wait."));
  else
    log_info("A worker is seen again");
}

static void upkeep_read(struct serve *s) {
  enum err e = workers_read(s);
  if (e == OK) e = accounts_read_stopped(s);
  if (e == OK) serve_watch_volume(s);
  worker_watch(s);
}

/* New credentials start an account. */
static enum err accounts_read_changed(struct serve *s, const struct access_changes *news) {
  for (size_t i = 0; i < news->count; i++)
    if (news->changes[i].what == ACCESS_BUSINESS) TRY(accounts_read_one(s, news->changes[i].business_id));
  return OK;
}

/* Reads the businesses and keys again that have changed. */
static void access_refresh(struct serve *s, int64_t now) {
  static int64_t next_complaint; /* only the main thread uses it */
  struct access_changes news = access_take_changes(s);
  if (!news.count && !news.all) return; /* then it has no memory either */
  enum err e = access_read_changes(s, &news);
  if (e != OK) {
    access_add_change(s, NULL); /* read everything at the next turn */
    if (upkeep_is_due(&next_complaint, now, COMPLAINT_MS)) log_error("Could not read businesses and keys", LOG_ERR(e));
  }
  IGNORE(accounts_read_changed(s, &news)); /* read again later */
  free(news.changes);
}

/* ---- writing ---- */

static enum err node_run_beat(struct db *db, void *arg) {
  return nodes_beat(db, arg);
}
static void node_beat_done(void *arg, enum err e) {
  (void)e; /* the next beat follows in 5 s */
  free(arg);
}

/* The job gets a copy of the node: the main thread may change is_full while the writer runs it. */
static void node_submit_beat(struct serve *s) {
  struct node *node = malloc(sizeof(*node));
  if (!node) return;
  *node = s->node;
  struct db_job job = {.name = METRIC_JOB_BEAT,
                       .class = DB_CLASS_LEASE,
                       .repeat = DB_REPEAT_ALWAYS,
                       .run = node_run_beat,
                       .done = node_beat_done,
                       .arg = node};
  if (db_writer_submit(s->writer, job) != OK) free(node);
}

/* True if the others must know of something at once: this worker's storage has become full, or is no longer; it fills, or no
 * longer, because of its volume; its mark has a new number. */
static bool node_changed(struct serve *s) {
  struct volume_seen seen;
  volume_seen(s->volume, &seen);
  bool is_full = s->worker && worker_is_full(s->worker);
  bool works = s->worker && atomic_load(&s->volume_fault) == VOLUME_RIGHT;
  bool moved = s->node.is_full != is_full || s->node.works != works || s->node.mark != seen.mark;
  s->node.is_full = is_full;
  s->node.works = works;
  s->node.mark = seen.mark;
  return moved;
}

static enum err run_trim_sessions(struct db *db, void *arg) {
  struct serve *s = arg;
  return sessions_trim(db, db_now_ms(db), &s->more_sessions_to_trim);
}

static enum err run_trim_urls(struct db *db, void *arg) {
  struct serve *s = arg;
  return urls_trim(db, db_now_ms(db), &s->more_urls_to_trim);
}

/* Ends volume jobs past their deadline. While the volume is slow, makes the loops distrust cached files, whose pages may have
 * left the memory. */
static void volume_upkeep(struct serve *s) {
  struct volume_seen seen;
  volume_tick(s->volume);
  volume_seen(s->volume, &seen);
  if (s->server) http_server_distrust_files(s->server, seen.waits_ms >= SLOW_MS);
}

/* ---- indexing calls ---- */

enum { CALLS_PART = 20, CALLS_LOG_MS = 10 * 1000 };

static enum err run_calls_upkeep(struct db *db, void *arg) {
  struct serve *s = arg;
  return calls_upkeep_run(db, &s->calls_upkeep, CALLS_PART, &s->more_of_calls);
}

static void calls_part_done(void *arg) {
  struct serve *s = arg;
  int64_t now = clock_mono_ms();
  if (!s->calls_upkeep.indexed || now - s->calls_logged_ms < CALLS_LOG_MS) return;
  s->calls_logged_ms = now;
  log_info("Indexing older calls", LOG_INT("done", s->calls_upkeep.indexed));
}

static void calls_upkeep_done(void *arg, enum err e) {
  struct serve *s = arg;
  if (e == OK && s->calls_upkeep.indexed) log_info("Older calls indexed", LOG_INT("done", s->calls_upkeep.indexed));
  if (e == OK) s->calls_upkeep.indexed = 0;
  atomic_store(&s->is_indexing_calls,
               false); /* calls that are left, also after an error, are found at the next upkeep */
}

static void calls_submit_upkeep(struct serve *s) {
  bool needed = false;
  if (atomic_load(&s->is_indexing_calls) || calls_upkeep_needed(s->app.db, &needed) != OK || !needed) return;
  atomic_store(&s->is_indexing_calls, true);
  struct db_job job = {.name = METRIC_JOB_SEARCH,
                       .class = DB_CLASS_UPKEEP,
                       .run = run_calls_upkeep,
                       .done = calls_upkeep_done,
                       .arg = s,
                       .more = &s->more_of_calls,
                       .part_done = calls_part_done};
  enum err e = db_writer_submit(s->writer, job);
  if (e != OK) calls_upkeep_done(s, e);
}

void serve_upkeep(struct serve *s) {
  static int64_t next_beat, next_read, next_trim; /* only the main thread uses them */
  int64_t now = clock_mono_ms();
  access_refresh(s, now);
  /* While the writer waits for a locked database, submit nothing: jobs would pile up. */
  bool can_write = db_writer_healthy(s->writer);
  serve_reconcile_watch(s, can_write);
  if (can_write && node_changed(s)) next_beat = now;
  if (can_write && upkeep_is_due(&next_beat, now, BEAT_MS)) node_submit_beat(s);
  struct db_job trim_sessions = {.name = METRIC_JOB_TRIM,
                                 .class = DB_CLASS_UPKEEP,
                                 .run = run_trim_sessions,
                                 .arg = s,
                                 .more = &s->more_sessions_to_trim};
  struct db_job trim_urls = {
      .name = METRIC_JOB_TRIM, .class = DB_CLASS_UPKEEP, .run = run_trim_urls, .arg = s, .more = &s->more_urls_to_trim};
  bool is_trim_due = can_write && upkeep_is_due(&next_trim, now, TRIM_MS);
  /* As soon as CHANGES_TRIM_EACH rows are new, too: then the table has a ceiling at any rate. */
  if (can_write) changes_trimmer_tick(&s->changes_trimmer, changes_seq(s->changes), is_trim_due);
  if (is_trim_due) IGNORE(db_writer_submit(s->writer, trim_sessions)); /* the next trim follows in a minute */
  if (is_trim_due) IGNORE(db_writer_submit(s->writer, trim_urls));
  serve_audit_upkeep(s, can_write);
  if (can_write) calls_submit_upkeep(s);
  if (upkeep_is_due(&next_read, now, READ_MS)) upkeep_read(s);
  tape_follows_tick(s->follows);
  volume_upkeep(s);
  serve_refresh_figures(s);
}
