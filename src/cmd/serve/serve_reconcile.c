/* serve_reconcile.c - a thread that looks for calls and recordings that no webhook reported: at the start, every RECONCILE_EVERY
 * seconds, and after the database could not be written for a while.
 *
 * Invariants
 *  (1) The thread reads with a connection of its own and writes through the writer, in jobs of upkeep: it never delays a webhook.
 *  (2) While another process reconciles, this one does not. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/serve/serve_parts.h"
#include "db/db_clock.h"
#include "work/reconcile.h"

enum { AGAIN_PART = 2 /* accounts that were read within this part of the time between are left out */ };

struct serve_reconcile {
  struct serve *serve;
  pthread_t thread;
  struct db *db;
  struct reconcile *reconcile;
  struct lock lock; /* covers the members below */
  struct lock_cond wake;
  bool stopped, is_due;
};

static enum err serve_reconcile_write(void *arg, enum err (*run)(struct db *db, void *job), void *job) {
  const struct serve_reconcile *r = arg;
  return db_writer_call(
      r->serve->writer,
      (struct db_job){.name = METRIC_JOB_RECONCILE, .class = DB_CLASS_UPKEEP, .run = run, .arg = job});
}

static void serve_reconcile_failed(void *arg, struct str account_sid, const char *why) {
  (void)arg;
  log_warn("Account not reconciled", LOG_STR("account", account_sid), LOG_TEXT("why", why));
}

static void serve_reconcile_log(enum err e, const struct reconcile_counts *n) {
  enum log_level level = n->calls || n->recordings || n->unplaced ? LOG_INFO : LOG_DEBUG;
  if (e == ERR_CLOSED || e == ERR_BUSY) return;
  if (e != OK) {
    log_warn("Could not reconcile", LOG_ERR(e));
    return;
  }
  log_at(level, "Reconciled", LOG_INT("accounts", n->accounts), LOG_INT("calls", n->calls),
         LOG_INT("recordings", n->recordings), LOG_INT("queued", n->queued), LOG_INT("unplaced", n->unplaced));
}

static void serve_reconcile_once(struct serve_reconcile *r, bool is_timed) {
  struct reconcile_counts counts = {.accounts = 0};
  struct reconcile_how how = {.business_id = 0};
  if (is_timed) how.not_after_ms = db_clock_now_ms() - r->serve->app.conf.reconcile_every_s * 1000 / AGAIN_PART;
  enum err e = reconcile_run(r->reconcile, &how, &counts); /* (2) */
  serve_reconcile_log(e, &counts);
}

/* Waits until it is time, or something made it due. False: the process ends. */
static bool serve_reconcile_wait(struct serve_reconcile *r, int64_t until_ms, bool *ret_timed) {
  LOCKED(&r->lock);
  int64_t now;
  while (!r->stopped && !r->is_due && (now = clock_mono_ms()) < until_ms)
    lock_cond_wait_ms(&r->wake, &r->lock, clock_sleep_ms(until_ms - now));
  *ret_timed = !r->is_due;
  r->is_due = false;
  return !r->stopped;
}

static void *serve_reconcile_run(void *arg) {
  struct serve_reconcile *r = arg;
  bool is_timed;
  int64_t next = clock_mono_ms();
  while (serve_reconcile_wait(r, next, &is_timed)) {
    serve_reconcile_once(r, is_timed);
    next = clock_mono_ms() + r->serve->app.conf.reconcile_every_s * 1000;
  }
  return NULL;
}

static struct serve_reconcile *serve_reconcile_free(struct serve_reconcile *r) {
  r->reconcile = reconcile_free(r->reconcile);
  r->db = db_close(r->db);
  lock_cond_done(&r->wake);
  lock_done(&r->lock);
  free(r);
  return NULL;
}

enum err serve_reconcile_start(struct serve *s) {
  if (s->role == SERVE_WEB || s->app.conf.reconcile_every_s == 0) return OK;
  struct serve_reconcile *r = calloc(1, sizeof(*r));
  struct db_open open = app_database(&s->app);
  if (!r) return ERR_NOMEM;
  r->serve = s;
  r->is_due = true;
  lock_init(&r->lock, "serve_reconcile", LOCK_RANK_API);
  lock_cond_init(&r->wake);
  open.read_only = true;
  enum err e = db_open(&open, NULL, &r->db);
  const struct reconcile_parts parts = {.db = r->db,
                                        .secrets_key = s->app.secrets_key,
                                        .default_base_url = str_from(s->app.conf.twilio_base_url),
                                        .owner = s->node.node_id,
                                        .arg = r,
                                        .write = serve_reconcile_write,
                                        .failed = serve_reconcile_failed};
  if (e == OK) e = reconcile_new(&parts, &r->reconcile);
  if (e == OK && pthread_create(&r->thread, NULL, serve_reconcile_run, r) != 0) e = ERR_NOMEM;
  if (e != OK) {
    serve_reconcile_free(r);
    return e;
  }
  s->reconcile = r;
  return OK;
}

void serve_reconcile_watch(struct serve *s, bool can_write) {
  static bool was_away; /* only the main thread uses it */
  struct serve_reconcile *r = s->reconcile;
  bool is_back = can_write && was_away;
  was_away = !can_write;
  if (!r || !is_back) return;
  LOCKED(&r->lock);
  r->is_due = true;
  lock_cond_broadcast(&r->wake);
}

void serve_reconcile_stop(struct serve *s) {
  struct serve_reconcile *r = s->reconcile;
  if (!r) return;
  reconcile_stop(r->reconcile);
  {
    LOCKED(&r->lock);
    r->stopped = true;
    lock_cond_broadcast(&r->wake);
  }
  (void)pthread_join(r->thread, NULL);
  s->reconcile = serve_reconcile_free(r);
}
