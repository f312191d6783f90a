/* worker.c - claims queued recordings and drives their fills.
 *
 *   wake, a fill's end, or time --> claim_start: a job on the writer that leases up to QUEUE_CLAIM_MAX recordings, and maintains
 *                                   the queue when its time has come
 *                                   --> claim_take_result: worker_start_fill for each
 *   "retry all failed" is under way --> retry_part_start: a job on the writer for each part, with pauses between
 *
 * Invariants
 *  (1) At most one claim job and one retry job are under way.
 *  (2) All members of struct worker belong to the worker's thread (fetch's loop), except the two atomic ones and those
 *      under the lock.
 *  (3) The fetch loop runs until the last fill is freed: reports and disk steps can always post to it.
 *  (4) Nothing is claimed for a download unless the volume has room and is the right one. The queue is maintained all the
 *      same, at least once a second.
 *  (5) A check of a file that was seen needs no room and no download's place. At most CHECKS_MAX run, and businesses take
 *      turns by their id. */
#include "work/worker.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/pool.h"
#include "base/secret.h"
#include "db/db_clock.h"
#include "domain/queue.h"
#include "domain/recording_log.h"
#include "work/fill.h"
#include "work/old_parts.h"
#include "work/remover.h"
#include "work/room.h"
#include "work/sweep.h"
#include "work/transcriber.h"

enum {
  CLAIM_PAUSE_MS = 5, /* between two claim jobs while wakes keep coming */
  RETRY_PAUSE = 2,
  CLAIM_RETRY_MS = 1000,    /* after the database refused a claim job */
  MAINTAIN_EVERY_MS = 1000, /* leases expire and retries become due at least this often */
  SWEEP_EVERY_MS = 10 * 60 * 1000,
  OLD_PARTS_EVERY_MS = 1000,
  TICK_MS = 1000,
  CHECKS_MAX = 2,                /* of files that were seen under a recording's name, at the same time */
  DISK_THREADS = CHECKS_MAX + 1, /* downloads continue while files are checked */
  FILLS_MAX = 10000,
  RETURN_MS = 6000, /* how long stopped fills get to end; the writer answers each report within 5 s */
};

struct claim {
  struct fetch_task task; /* posts it to the worker's thread */
  struct worker *worker;
  struct queue_limits limits;
  int most;               /* 0: the queue is maintained and nothing is claimed for a download */
  int checks;             /* how many files may be checked, besides those under way */
  bool maintains;         /* else it only looks when the queue must be maintained */
  int64_t after_business; /* in and out: whose file was checked last */
  char owner[40];
  /* results */
  struct queue_claimed checked[CHECKS_MAX], claimed[QUEUE_CLAIM_MAX]; /* of checks only the rows */
  int checked_n, claimed_n;
  bool more; /* another claim may find more */
  struct queue_maintained maintained;
  int64_t asked_mono_ms;
  enum err e;
};

struct worker {
  struct fetch *fetch;
  struct pool *disk;
  struct fill_context context;
  struct sweep *sweep;
  struct remover *remover;
  struct old_parts *old_parts;
  struct transcriber *transcriber; /* NULL: there is no engine */
  struct room *room;
  struct db_writer *writer;
  struct blob_store *store;
  struct queue_limits limits;
  int64_t min_free_bytes;
  char owner[40];
  atomic_bool woken;
  atomic_bool draining;
  atomic_bool held;

  bool started; /* worker_begin ran on the loop */
  struct fill **fills;
  size_t fill_count;
  int checks;               /* how many of the fills are checks */
  int64_t checked_business; /* whose file was checked last */
  bool claiming;
  bool retrying;           /* a part of a retry is under way */
  bool retry_continues;    /* the next part is due at retry_at_ms */
  int64_t retry_at_ms;     /* mono */
  int64_t claim_at_ms;     /* mono: not before */
  int64_t maintain_at_ms;  /* wall clock: the queue is maintained again then */
  int64_t sweep_at_ms;     /* mono */
  int64_t old_parts_at_ms; /* mono */

  struct lock lock; /* covers what follows */
  struct lock_cond changed;
  bool idle;           /* the worker drains, and no fill, claim or retry is left */
  size_t leases_to_go; /* of fills that do not end: those that the ledger has not yet got back */
};

/* ---- claims ---- */

/* (5) */
static enum err claim_checks(struct db *db, struct claim *c, int64_t now) {
  for (; c->checked_n < c->checks; c->checked_n++) {
    struct recording *row = &c->checked[c->checked_n].row;
    TRY(queue_claim_check(db, c->after_business, str_from(c->owner), now, row));
    c->after_business = row->business_id;
  }
  return OK;
}

static enum err worker_claim_run(struct db *db, void *arg) {
  struct claim *c = arg;
  int64_t now = db_now_ms(db);
  uint32_t jitter;
  c->checked_n = c->claimed_n = 0; /* it may be repeated */
  TRY(secret_random(&jitter, sizeof(jitter)));
  TRY(c->maintains ? queue_maintain(db, now, jitter, &c->maintained) : queue_check_due(db, now, &c->maintained));
  enum err e = claim_checks(db, c, now);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  int most = c->most > c->checked_n ? c->most - c->checked_n : 0;
  TRY(queue_claim_many(db, &c->limits, str_from(c->owner), now, most, c->claimed, &c->claimed_n));
  c->more = c->most > 0 && c->claimed_n == most;
  return OK;
}

static void worker_fill_ended(void *arg, struct fill *f) {
  struct worker *w = arg;
  for (size_t i = 0; i < w->fill_count; i++) {
    if (w->fills[i] != f) continue;
    w->fills[i] = w->fills[--w->fill_count];
    if (fill_only_checks(f)) w->checks--;
    break;
  }
  worker_wake(w); /* another recording may be claimed */
}

static void worker_start_fill(struct worker *w, const struct queue_claimed *claimed, int64_t mono_ms) {
  const struct recording *row = &claimed->row;
  enum err e = w->fill_count < FILLS_MAX
                   ? fill_start(&w->context, row, claimed->credentials_version, mono_ms, &w->fills[w->fill_count])
                   : ERR_BUSY;
  if (e == OK) {
    if (fill_only_checks(w->fills[w->fill_count])) w->checks++;
    w->fill_count++;
  } else {
    log_error("Could not start a fill", LOG_RECORDING(row), LOG_ERR(e)); /* its lease expires by itself */
  }
}

/* ---- retrying many ---- */

/* One part of "retry all failed". Webhooks and plays wait for the same writer and come first: before the next part the
 * worker pauses for RETRY_PAUSE times as long as this part took from its submission to its commit. */
struct retrying {
  struct fetch_task task; /* posts it to the worker's thread */
  struct worker *worker;
  struct retries_row row;
  bool ended, more;
  int64_t sent_mono_ms;
};

static enum err retry_part_run(struct db *db, void *arg) {
  struct retrying *r = arg;
  r->ended = r->more = false;
  if (atomic_load(&r->worker->draining)) return OK;
  enum err e = queue_retry_next(db, db_now_ms(db), &r->row, &r->ended);
  r->more = e == OK;
  return e == ERR_NOT_FOUND ? OK : e;
}

static void retry_part_take_result(void *arg) {
  struct retrying *r = arg;
  struct worker *w = r->worker;
  int64_t mono = clock_mono_ms();
  if (r->ended)
    log_info("Failed recordings queued again", LOG_INT("business", r->row.business_id),
             LOG_TEXT("code", r->row.code[0] ? r->row.code : "any"), LOG_INT("queued", r->row.queued));
  w->retrying = false;
  w->retry_continues = r->more;
  w->retry_at_ms = mono + RETRY_PAUSE * (mono - r->sent_mono_ms);
  fetch_wake(w->fetch);
  free(r);
}

static void retry_part_done(void *arg, enum err e) {
  struct retrying *r = arg;
  if (e != OK && e != ERR_CLOSED) log_warn("Could not queue failed recordings again", LOG_ERR(e));
  fetch_post_task(r->worker->fetch, &r->task); /* (3) */
}

static void retry_part_start(struct worker *w) {
  struct retrying *r = w->retrying ? NULL : calloc(1, sizeof(*r));
  if (!r) return; /* a part is under way, or the next claim tries again */
  r->worker = w;
  r->sent_mono_ms = clock_mono_ms();
  r->task = (struct fetch_task){.fn = retry_part_take_result, .arg = r};
  struct db_job job = {.name = METRIC_JOB_RETRY_MANY,
                       .class = DB_CLASS_UPKEEP,
                       .run = retry_part_run,
                       .done = retry_part_done,
                       .arg = r};
  w->retrying = db_writer_submit(w->writer, job) == OK;
  if (!w->retrying) free(r);
}

static void claim_take_result(void *arg) {
  struct claim *c = arg;
  struct worker *w = c->worker;
  int64_t mono = clock_mono_ms(), now = db_clock_now_ms();
  w->claiming = false;
  w->claim_at_ms = mono + CLAIM_PAUSE_MS;
  if (c->maintains) w->maintain_at_ms = now + MAINTAIN_EVERY_MS;
  if (c->e != OK) {
    w->claim_at_ms = mono + CLAIM_RETRY_MS;
    if (c->e != ERR_CLOSED) log_error("Could not read the queue", LOG_ERR(c->e));
    atomic_store(&w->woken, true);
  } else {
    queue_log_maintained(&c->maintained);
    bool claims = c->most > 0; /* without a claim no recording that becomes due needs to be met at once */
    if (claims && c->maintained.next_at && c->maintained.next_at < w->maintain_at_ms)
      w->maintain_at_ms = c->maintained.next_at;
    if (c->more) atomic_store(&w->woken, true);
    if (c->maintained.retries && !w->retry_continues) retry_part_start(w);
    w->checked_business = c->after_business;
    for (int i = 0; i < c->checked_n; i++) worker_start_fill(w, &c->checked[i], c->asked_mono_ms);
    for (int i = 0; i < c->claimed_n; i++) worker_start_fill(w, &c->claimed[i], c->asked_mono_ms);
  }
  free(c);
  fetch_wake(w->fetch);
}

static void worker_claim_done(void *arg, enum err e) {
  struct claim *c = arg;
  c->e = e;
  fetch_post_task(c->worker->fetch, &c->task); /* (3) */
}

static bool worker_may_claim(const struct worker *w) {
  return room_state(w->room) == ROOM_ENOUGH && !atomic_load(&w->held);
}

static bool worker_may_check(const struct worker *w) {
  return room_state(w->room) != ROOM_UNKNOWN && !atomic_load(&w->held);
}

/* A time too far ahead is of a clock that went back. */
static bool worker_must_maintain(const struct worker *w) {
  int64_t now = db_clock_now_ms();
  return now >= w->maintain_at_ms || w->maintain_at_ms > now + MAINTAIN_EVERY_MS;
}

static void worker_claim_start(struct worker *w) {
  struct claim *c = calloc(1, sizeof(*c));
  if (!c) return;
  atomic_store(&w->woken, false);
  c->worker = w;
  c->task = (struct fetch_task){.fn = claim_take_result, .arg = c};
  c->limits = w->limits;
  c->maintains = worker_must_maintain(w);
  c->most = worker_may_claim(w) ? QUEUE_CLAIM_MAX : 0; /* (4) */
  c->checks = worker_may_check(w) ? CHECKS_MAX - w->checks : 0;
  c->after_business = w->checked_business;
  c->asked_mono_ms = clock_mono_ms();
  memcpy(c->owner, w->owner, sizeof(c->owner));
  w->claiming = true;
  struct db_job job = {.name = METRIC_JOB_CLAIM,
                       .class = DB_CLASS_LEASE,
                       .repeat = DB_REPEAT_UNDONE,
                       .run = worker_claim_run,
                       .done = worker_claim_done,
                       .arg = c};
  enum err e = db_writer_submit(w->writer, job);
  if (e == OK) return;
  c->e = e;
  claim_take_result(c);
}

/* ---- room ---- */

/* There is room: claims at once what waited for it. */
static void worker_room_changed(void *arg, enum room_state state) {
  if (state == ROOM_ENOUGH) worker_wake(arg);
}

bool worker_is_full(const struct worker *w) {
  return room_is_full(w->room);
}

void worker_wake_transcriber(struct worker *w) {
  transcriber_wake(w->transcriber);
}

void worker_hold(struct worker *w, bool is_held) {
  transcriber_hold(w->transcriber, is_held);
  if (atomic_exchange(&w->held, is_held) && !is_held) worker_wake(w);
}

/* ---- the loop ---- */

static void worker_signal_if_idle(struct worker *w) {
  if (!atomic_load(&w->draining)) return;
  remover_stop(w->remover);
  if (w->fill_count || w->claiming || w->retrying || !remover_is_idle(w->remover)) return;
  LOCKED(&w->lock);
  w->idle = true;
  lock_cond_broadcast(&w->changed);
}

static int64_t worker_tick(void *arg) {
  struct worker *w = arg;
  if (!w->started) return TICK_MS;
  int64_t mono = clock_mono_ms(), wait = TICK_MS;
  for (size_t i = w->fill_count; i-- > 0;) { /* a fill that ends is replaced by the last one of the array */
    if (i >= w->fill_count) continue;
    int64_t next = fill_tick(w->fills[i], mono);
    if (next < wait) wait = next;
  }
  worker_signal_if_idle(w);
  if (atomic_load(&w->draining)) return wait;
  int64_t to_room = room_tick(w->room, mono);
  if (to_room < wait) wait = to_room;
  bool may_remove = !atomic_load(&w->held);
  if (may_remove && mono >= w->sweep_at_ms) {
    w->sweep_at_ms = mono + SWEEP_EVERY_MS;
    sweep_start(w->sweep);
  }
  if (may_remove && mono >= w->old_parts_at_ms) {
    w->old_parts_at_ms = mono + OLD_PARTS_EVERY_MS;
    old_parts_tick(w->old_parts);
  }
  int64_t to_removal = remover_tick(w->remover, w->context.snapshot, may_remove, mono);
  if (to_removal < wait) wait = to_removal;
  if (w->retry_continues && !w->retrying) {
    if (mono >= w->retry_at_ms)
      retry_part_start(w);
    else if (w->retry_at_ms - mono < wait)
      wait = w->retry_at_ms - mono;
  }
  bool may_claim = worker_may_claim(w); /* (4) */
  bool due = worker_must_maintain(w) || (may_claim && atomic_load(&w->woken));
  if (due && !w->claiming && mono >= w->claim_at_ms) {
    worker_claim_start(w);
  } else if (due && !w->claiming && w->claim_at_ms - mono < wait) {
    wait = w->claim_at_ms - mono;
  }
  int64_t to_maintain = w->maintain_at_ms - db_clock_now_ms();
  if (!w->claiming && to_maintain < wait) wait = to_maintain > 0 ? to_maintain : 1;
  return wait;
}

void worker_wake(struct worker *w) {
  if (!atomic_exchange(&w->woken, true)) fetch_wake(w->fetch);
}

/* ---- what expired ---- */

struct expiry {
  struct worker *worker;
  int64_t business_id;
  char recording_sid[SID_SIZE];
};

/* The fill of a recording that expired has lost its lease: its listeners are cut now, not when it renews the lease. */
static void worker_take_expiry(void *arg) {
  struct expiry *x = arg;
  struct worker *w = x->worker;
  for (size_t i = w->fill_count; i-- > 0;)
    if (i < w->fill_count) fill_expired(w->fills[i], x->business_id, str_from(x->recording_sid));
  free(x);
}

void worker_expired(struct worker *w, int64_t business_id, struct str recording_sid) {
  remover_wake(w->remover);
  transcriber_expired(w->transcriber, business_id, recording_sid);
  struct expiry *x = malloc(sizeof(*x));
  if (!x) return; /* the fill learns of it at its next renewal */
  x->worker = w;
  x->business_id = business_id;
  if (str_copy(x->recording_sid, sizeof(x->recording_sid), recording_sid) != OK ||
      fetch_post(w->fetch, worker_take_expiry, x) != OK)
    free(x);
}

struct access_update {
  struct worker *worker;
  struct access_snapshot *snapshot;
};

static void worker_take_access(void *arg) {
  struct access_update *n = arg;
  struct worker *w = n->worker;
  access_unref(w->context.snapshot);
  w->context.snapshot = n->snapshot;
  for (size_t i = w->fill_count; i-- > 0;)
    if (i < w->fill_count) fill_access_changed(w->fills[i]);
  worker_wake(w);
  free(n);
}

void worker_set_access(struct worker *w, struct access_snapshot *snapshot) {
  struct access_update *n = malloc(sizeof(*n));
  if (!n) return; /* out of memory: the next change of credentials sends a newer one */
  *n = (struct access_update){w, access_ref(snapshot)};
  if (fetch_post(w->fetch, worker_take_access, n) == OK) return;
  access_unref(n->snapshot);
  free(n);
}

/* ---- life ---- */

static enum err worker_start_engines(struct worker *w, const struct worker_parts *parts) {
  struct str bad;
  TRY(provider_formats_parse(str_from(parts->conf->recording_formats), w->context.formats, &w->context.format_count,
                             &bad));
  w->fills = calloc(FILLS_MAX, sizeof(*w->fills));
  if (!w->fills) return ERR_NOMEM;
  TRY(pool_new("disk", DISK_THREADS, 4 * FILLS_MAX, &w->disk));
  w->context.disk = w->disk;
  TRY(room_new(w->store, w->disk, w->min_free_bytes, worker_room_changed, w, &w->room));
  TRY(sweep_new(w->store, w->writer, w->disk, &w->sweep));
  TRY(old_parts_new(w->store, w->writer, w->disk, &w->old_parts));
  TRY(remover_new(&(struct remover_parts){.writer = w->writer,
                                          .store = w->store,
                                          .disk = w->disk,
                                          .provider = parts->provider,
                                          .retention = {.days = parts->conf->retention_days,
                                                        .at_provider = parts->conf->retention_at_provider != 0 &&
                                                                       !parts->keeps_provider_copies},
                                          .keeps_provider_copies = parts->keeps_provider_copies,
                                          .owner = w->owner},
                  &w->remover));
  struct fetch_config config = {.name = "worker",
                                .max_connections = (unsigned)parts->conf->downloads_total + 8,
                                .user_agent = "callreel/" CALLREEL_VERSION,
                                .arg = w,
                                .tick = worker_tick};
  return fetch_new(&config, &w->fetch);
}

static void worker_begin(void *arg) {
  struct worker *w = arg;
  w->context.fetch = w->fetch;
  room_begin(w->room, w->fetch);
  remover_begin(w->remover, w->fetch);
  w->started = true;
  worker_wake(w);
}

/* Tests with hooks may set another pause, in CALLREEL_TEST_ASK_AGAIN_MS. */
static int64_t worker_ask_again_ms(void) {
#ifdef CALLREEL_TEST_HOOKS
  const char *text = getenv("CALLREEL_TEST_ASK_AGAIN_MS");
  uint64_t ms;
  if (text && str_to_u64(str_from(text), INT32_MAX, &ms) == OK) return (int64_t)ms;
#endif
  return FILL_ASK_AGAIN_MS;
}

enum err worker_new(const struct worker_parts *parts, struct access_snapshot *snapshot, struct worker **ret_worker) {
  struct worker *w = calloc(1, sizeof(*w));
  if (!w) return ERR_NOMEM;
  lock_init(&w->lock, "worker", LOCK_RANK_WORK);
  lock_cond_init(&w->changed);
  w->writer = parts->writer;
  w->store = parts->store;
  w->min_free_bytes = parts->min_free_bytes;
  w->limits = (struct queue_limits){(int)parts->conf->downloads_per_business, (int)parts->conf->downloads_total};
  w->context = (struct fill_context){.writer = parts->writer,
                                     .store = parts->store,
                                     .tapes = parts->tapes,
                                     .follows = parts->follows,
                                     .provider = parts->provider,
                                     .max_bytes = parts->conf->max_recording_bytes,
                                     .ask_again_ms = worker_ask_again_ms(),
                                     .on_end = worker_fill_ended,
                                     .snapshot = access_ref(snapshot),
                                     .arg = w};
  enum err e = str_copy(w->owner, sizeof(w->owner), str_from(parts->owner));
  if (e == OK) e = worker_start_engines(w, parts);
  const struct transcriber_parts speech = {parts->conf, parts->writer, parts->store, w->owner};
  if (e == OK && parts->transcribes) e = transcriber_new(&speech, &w->transcriber);
  if (e == OK) e = fetch_post(w->fetch, worker_begin, w);
  if (e != OK) {
    worker_free(w);
    return e;
  }
  *ret_worker = w;
  return OK;
}

static void worker_return_fills(void *arg) {
  struct worker *w = arg;
  w->context.closing = true;
  for (size_t i = w->fill_count; i-- > 0;)
    if (i < w->fill_count) fill_return(w->fills[i]);
}

static bool worker_wait_idle(struct worker *w, int64_t until_mono_ms) {
  LOCKED(&w->lock);
  while (!w->idle) {
    int64_t left = until_mono_ms - clock_mono_ms();
    if (left <= 0) return false;
    lock_cond_wait_ms(&w->changed, &w->lock, left);
  }
  return true;
}

static void worker_one_lease_less(void *arg) {
  struct worker *w = arg;
  LOCKED(&w->lock);
  w->leases_to_go--;
  lock_cond_broadcast(&w->changed);
}

/* Of fills that can't end, since a disk step does not return from the volume. */
static void worker_give_leases_back(void *arg) {
  struct worker *w = arg;
  if (w->fill_count)
    log_warn("Leases of unfinished fills given back", LOG_TEXT("why", "the recordings' volume does not answer"),
             LOG_INT("count", w->fill_count));
  {
    LOCKED(&w->lock);
    w->leases_to_go += w->fill_count;
  }
  for (size_t i = 0; i < w->fill_count; i++) fill_give_lease_back(w->fills[i], worker_one_lease_less, w);
  worker_one_lease_less(w); /* the one of worker_drain */
}

/* The process may exit after it, so it waits for the ledger: the writer takes turns among businesses, so what is submitted
 * later may run before. */
static void worker_wait_leases_given_back(struct worker *w) {
  LOCKED(&w->lock);
  while (w->leases_to_go) lock_cond_wait(&w->changed, &w->lock);
}

static bool worker_drain_fills(struct worker *w, int64_t timeout_ms) {
  if (worker_wait_idle(w, clock_mono_ms() + timeout_ms)) return true;
  if (fetch_post(w->fetch, worker_return_fills, w) != OK) return true;
  if (worker_wait_idle(w, clock_mono_ms() + RETURN_MS)) return true;
  {
    LOCKED(&w->lock);
    w->leases_to_go = 1; /* until worker_give_leases_back has counted them */
  }
  if (fetch_post(w->fetch, worker_give_leases_back, w) == OK) worker_wait_leases_given_back(w);
  return false;
}

bool worker_drain(struct worker *w, int64_t timeout_ms) {
  atomic_store(&w->draining, true);
  transcriber_stop(w->transcriber);
  fetch_wake(w->fetch);
  bool fills_ended = worker_drain_fills(w, timeout_ms);
  return transcriber_wait(w->transcriber, RETURN_MS) && fills_ended;
}

struct worker *worker_free(struct worker *w) {
  if (!w) return NULL;
  if (w->fetch && !worker_drain(w, 0)) return NULL; /* its threads can't be ended and continue to use it */
  w->transcriber = transcriber_free(w->transcriber);
  w->disk = pool_free(w->disk);
  w->sweep = sweep_free(w->sweep);
  w->old_parts = old_parts_free(w->old_parts);
  w->fetch = fetch_free(w->fetch);
  w->remover = remover_free(w->remover);
  w->room = room_free(w->room);
  access_unref(w->context.snapshot);
  lock_cond_done(&w->changed);
  lock_done(&w->lock);
  free(w->fills);
  free(w);
  return NULL;
}
