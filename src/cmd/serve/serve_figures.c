/* serve_figures.c - the metrics that come from the database and from the volume's threads.
 *
 *   main thread, every REFRESH_MS --> a reader: counts, workers      --> metric_set
 *   main thread, each upkeep      --> volume_seen: free bytes         --> metric_set
 *
 * Invariants
 *  (1) No scrape reads the database or the volume: it shows the values that were read last.
 *  (2) Values older than STALE_MS are removed, so that nobody takes an old value for a current one.
 *  (3) At most one read runs at a time. */
#include "base/clock.h"
#include "base/metric.h"
#include "cmd/serve/serve_parts.h"
#include "ledger/recordings_count.h"
#include "ledger/tasks.h"

enum { COUNT_MOST = 10000, DUE_REFRESH_MS = 60 * 1000, DUE_LATE_MS = 5 * 60 * 1000 };
enum { REFRESH_MS = 5000, STALE_MS = 15 * 1000, LOOK_MAX_MS = 4000, WORKER_LIVES_MS = 30 * 1000 };

static const enum metric database_metrics[] = {METRIC_RECORDINGS,
                                               METRIC_RECORDINGS_FAILED,
                                               METRIC_QUEUE_DEPTH,
                                               METRIC_QUEUE_OLDEST_SECONDS,
                                               METRIC_WORKERS,
                                               METRIC_STORE_BYTES,
                                               METRIC_ACCOUNTS_STOPPED,
                                               METRIC_WORKERS_FULL,
                                               METRIC_RECORDINGS_DUE,
                                               METRIC_REMOVALS_WAITING,
                                               METRIC_REMOVALS_OLDEST_SECONDS,
                                               METRIC_TRANSCRIPT_QUEUE_DEPTH};

struct figures {
  struct recordings_counts counts;
  int64_t by_code[METRIC_ERROR_COUNT_];
  struct nodes_workers workers;
  int64_t now;
  int64_t due, tasks[METRIC_TASK_COUNT_], oldest_task_at, transcripts;
};

static enum err add_code(void *arg, struct str code, int64_t count, int64_t permanent) {
  struct figures *f = arg;
  (void)permanent;
  f->by_code[recording_error_of_code(code, NULL)] += count;
  return OK;
}

/* Recordings that are due are counted once a minute: that looks at each business with a retention. */
static enum err figures_read_due(struct db *db, const struct serve *s, struct figures *f) {
  static int64_t due, next_ms; /* only one read runs at a time (3) */
  int64_t mono = clock_mono_ms();
  if (mono >= next_ms)
    TRY(recordings_count_due(db, 0, s->app.conf.retention_days, f->now - DUE_LATE_MS, COUNT_MOST, &due));
  if (mono >= next_ms) next_ms = mono + DUE_REFRESH_MS;
  f->due = due;
  for (unsigned i = 0; i < METRIC_TASK_COUNT_; i++)
    TRY(tasks_count(db, (enum task_kind)i, 0, COUNT_MOST, &f->tasks[i]));
  TRY(tasks_count(db, TASK_TRANSCRIBE, 0, COUNT_MOST, &f->transcripts));
  return tasks_oldest(db, &f->oldest_task_at);
}

static enum err figures_read(struct db *db, const struct serve *s, struct figures *f) {
  db_deadline(db, clock_mono_ms() + LOOK_MAX_MS);
  f->now = db_now_ms(db);
  TRY(recordings_count(db, 0, &f->counts));
  TRY(recordings_count_codes(db, add_code, f));
  TRY(figures_read_due(db, s, f));
  return nodes_workers(db, f->now, WORKER_LIVES_MS, &f->workers);
}

static void figures_set(const struct figures *f) {
  const struct recordings_counts *c = &f->counts;
  int64_t waits_ms = c->oldest_queued_at ? f->now - c->oldest_queued_at : 0;
  for (unsigned i = 0; i < RECORDING_STATUS_COUNT_; i++) metric_set(METRIC_RECORDINGS, i, (double)c->by_status[i]);
  for (unsigned i = 0; i < METRIC_ERROR_COUNT_; i++) metric_set(METRIC_RECORDINGS_FAILED, i, (double)f->by_code[i]);
  metric_set(METRIC_QUEUE_DEPTH, 0, (double)c->by_status[RECORDING_QUEUED]);
  metric_set(METRIC_QUEUE_OLDEST_SECONDS, 0, waits_ms > 0 ? (double)waits_ms / 1e3 : 0);
  metric_set(METRIC_WORKERS, 0, (double)f->workers.live);
  metric_set(METRIC_WORKERS_FULL, 0, (double)f->workers.full);
  metric_set(METRIC_STORE_BYTES, 0, (double)c->bytes);
  int64_t oldest_ms = f->oldest_task_at ? f->now - f->oldest_task_at : 0;
  metric_set(METRIC_RECORDINGS_DUE, 0, (double)f->due);
  metric_set(METRIC_TRANSCRIPT_QUEUE_DEPTH, 0, (double)f->transcripts);
  for (unsigned i = 0; i < METRIC_TASK_COUNT_; i++) metric_set(METRIC_REMOVALS_WAITING, i, (double)f->tasks[i]);
  metric_set(METRIC_REMOVALS_OLDEST_SECONDS, 0, oldest_ms > 0 ? (double)oldest_ms / 1e3 : 0);
}

/* Sets the free bytes that the volume's threads saw last: a scrape never waits for the volume. */
static void figures_set_volume(const struct serve *s) {
  struct volume_seen seen;
  volume_seen(s->volume, &seen);
  metric_set(METRIC_STORE_RESERVED_BYTES, 0, (double)store_least_free(s->app.conf.min_free_bytes, seen.total_bytes));
  if (seen.room_error == OK && seen.age_ms <= STALE_MS)
    metric_set(METRIC_STORE_FREE_BYTES, 0, (double)seen.free_bytes);
  else
    metric_forget(METRIC_STORE_FREE_BYTES);
}

/* Runs on a reader. db NULL: there is no connection. */
static void figures_read_rows(struct db *db, void *arg) {
  struct serve *s = arg;
  struct figures f = {.now = 0};
  if (db && figures_read(db, s, &f) == OK) {
    figures_set(&f);
    atomic_store(&s->figures_ms, clock_mono_ms());
  }
  atomic_store(&s->figures_busy, false);
}

void serve_refresh_figures(struct serve *s) {
  static int64_t next_ms; /* only the main thread uses it */
  int64_t now = clock_mono_ms();
  figures_set_volume(s);
  if (now >= next_ms && !atomic_exchange(&s->figures_busy, true)) {
    next_ms = now + REFRESH_MS;
    if (db_readers_run(s->readers, 0, figures_read_rows, s) != OK) atomic_store(&s->figures_busy, false);
  }
  if (now - atomic_load(&s->figures_ms) <= STALE_MS) {
    metric_set(METRIC_ACCOUNTS_STOPPED, 0, (double)serve_stopped_count(s));
    return;
  }
  for (size_t i = 0; i < COUNT_OF(database_metrics); i++) metric_forget(database_metrics[i]); /* (2) */
}

/* ---- set at each scrape ---- */

static void figures_on_scrape(void *arg) {
  struct serve *s = arg;
  struct volume_seen seen;
  volume_seen(s->volume, &seen);
  metric_set(METRIC_STORE_ANSWERS, 0, seen.answers ? 1 : 0);
  const char *degraded;
  metric_set(METRIC_READY, 0, serve_not_ready(s, &degraded) ? 0 : 1);
  metric_set(METRIC_DATABASE_UP, 0, degraded ? 0 : 1);
  metric_set(METRIC_HTTP_CONNECTIONS, 0, (double)http_server_connections(s->server));
  metric_set(METRIC_HTTP_CONNECTIONS_MAX, 0, (double)http_server_connections_max(s->server));
}

enum err serve_watch_figures(struct serve *s) {
  TRY(metric_process_watch());
  return metric_on_scrape(figures_on_scrape, s);
}

/* ---- ADMIN_LISTEN ---- */

int serve_build_admin(struct serve *s) {
  const char *problem = NULL, *listen = s->app.conf.admin_listen;
  if (!listen || !listen[0]) return CMD_DONE;
  struct http_config config = {.ret_problem = &problem, .listen = listen, .loops = 1, .connections = ADMIN_CONNECTIONS};
  struct http_app app = api_admin_app(s->api);
  if (http_server_new(&config, &app, &s->admin) != OK)
    return cmd_fail(s->args, "ADMIN_LISTEN: %s: %s", listen, problem ? problem : "can't listen there");
  return CMD_DONE;
}
