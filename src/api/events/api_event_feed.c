/* api_event_feed.c - what changes in businesses, for the event streams of this process.
 *
 *   QUIET --a change, somebody listens--> LOOKING --done, nothing newer--> QUIET
 *                                            `--done, but there is--> LOOKING
 *
 * Invariants
 *  (1) A business has at most one look under way: its batches come in order of seq, and `upto` is how far they reached.
 *      A look reads the changes behind `upto` and the things that changed in one transaction, each thing once: so an event's
 *      number and what it says belong together, whichever process made it, and the numbers of a stream only grow.
 *  (2) upto grows under the lock before its batch is handed out, seq before its change is looked at; a joiner's seq is the
 *      greater of both: whatever it is not told of was written before it joined.
 *  (3) Nothing waits here without end: past FEED_THINGS_MAX things, or HELD_MAX bytes of text in all streams' queues, what
 *      changed is lost, and said to be. What can't be looked up now is looked up with the next tick.
 *  (4) A row stays while somebody listens or a look is under way. */
#include "api/events/api_event_feed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/events/api_event_feed_items.h"
#include "base/clock.h"
#include "base/lock.h"
#include "http/sse.h"

enum { PROGRESS_EVERY_MS = 250 /* of a business: so no recording's progress is told more often */ };
enum { BUCKETS = 1024, JSON_MAX = 256 * 1024, HELD_MAX = 64 * 1024 * 1024, READ_BATCH = 1000 };

struct event_feed_row {
  struct event_feed_row *next;
  struct event_feed *event_feed;
  int64_t business_id;
  int64_t streams;
  int64_t upto;        /* (1); 0: not known */
  int64_t news;        /* the newest change that was told of; up to upto there is nothing to look for */
  int64_t numbered;    /* the newest of those that are more than progress */
  int64_t progress_ms; /* mono: when progress was last looked up */
  bool looking;
  unsigned on_loop[]; /* streams of each loop */
};

struct event_feed {
  struct event_feed_parts parts;
  atomic_llong held;    /* bytes of all events that are kept somewhere */
  atomic_llong streams; /* in all */
  atomic_bool stalled;  /* some row has news and no look under way */
  struct lock lock;     /* rank API: all below */
  int64_t seq;          /* (2) */
  uint64_t losses;      /* looks that were begun before one say nothing of how far they reached */
  struct event_feed_row *buckets[BUCKETS];
};

/* ---- events and batches ---- */

struct event_feed_event *event_feed_event_ref(struct event_feed_event *e) {
  atomic_fetch_add(&e->refs, 1);
  return e;
}

void event_feed_event_unref(struct event_feed_event *e) {
  if (!e || atomic_fetch_sub(&e->refs, 1) != 1) return;
  atomic_fetch_sub(e->held, (long long)e->n);
  free(e);
}

void event_feed_batch_unref(struct event_feed_batch *b) {
  if (!b || atomic_fetch_sub(&b->refs, 1) != 1) return;
  for (size_t i = 0; i < b->count; i++) event_feed_event_unref(b->events[i]);
  free(b->events);
  free(b);
}

static void batch_free(struct event_feed_batch **b) {
  event_feed_batch_unref(*b);
}

static struct event_feed_batch *batch_new(int64_t business_id, size_t room) {
  struct event_feed_batch *b = calloc(1, sizeof(*b));
  if (!b) return NULL;
  atomic_init(&b->refs, 1);
  b->business_id = business_id;
  b->events = calloc(room + 1, sizeof(b->events[0]));
  if (b->events) return b;
  free(b);
  return NULL;
}

/* ---- looking, on a reader ---- */

static bool is_told(enum change_kind kind) {
  return kind == CHANGE_RECORDING || kind == CHANGE_CALL || kind == CHANGE_PROGRESS;
}

static enum err add_thing(void *arg, const struct change *change) {
  return event_feed_items_add(arg, change); /* (3) */
}

static enum err read_things(struct db *db, int64_t business_id, int64_t after, struct event_feed_items *t,
                            int64_t *ret_upto) {
  int64_t from, upto = after;
  do {
    from = upto;
    TRY(changes_read(db, business_id, from, READ_BATCH, add_thing, t, &upto));
  } while (upto - from >= READ_BATCH);
  *ret_upto = upto;
  return OK;
}

static enum err event_new(struct event_feed *f, int64_t seq, struct str text, struct event_feed_event **ret_event) {
  if (atomic_load(&f->held) + (long long)text.n > HELD_MAX) return ERR_TOO_BIG; /* (3) */
  struct event_feed_event *e = malloc(sizeof(*e) + text.n);
  if (!e) return ERR_NOMEM;
  atomic_init(&e->refs, 1);
  e->held = &f->held;
  e->seq = seq;
  e->n = text.n;
  memcpy(e->text, text.p, text.n);
  atomic_fetch_add(&f->held, (long long)e->n);
  *ret_event = e;
  return OK;
}

static enum err add_event(struct event_feed *f, struct db *db, const struct event_feed_change *change,
                          struct event_feed_batch *batch) {
  struct buf json CLEANUP(buf_done) = BUF_INIT(JSON_MAX), text CLEANUP(buf_done) = BUF_INIT(JSON_MAX + 128);
  struct str name = change->kind == CHANGE_CALL ? STR("call") : STR("recording");
  enum err e = f->parts.write(f->parts.arg, db, batch->business_id, change, &json);
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  TRY(sse_add(&text, name, change->is_progress ? 0 : change->seq, buf_str(&json)));
  TRY(event_new(f, change->seq, buf_str(&text), &batch->events[batch->count]));
  batch->count++;
  return OK;
}

static enum err look_at(struct event_feed *f, struct db *db, int64_t business_id, int64_t after, bool with_progress,
                        struct event_feed_items *t, struct event_feed_batch **ret_batch) {
  int64_t upto;
  TRY(read_things(db, business_id, after, t, &upto));
  struct event_feed_batch *batch CLEANUP(batch_free) = batch_new(business_id, t->count);
  if (!batch) return ERR_NOMEM;
  batch->seq = upto;
  for (const struct event_feed_item *one = t->oldest; one; one = one->newer)
    if (with_progress || !one->change.is_progress) TRY(add_event(f, db, &one->change, batch));
  *ret_batch = TAKE(batch);
  return OK;
}

static enum err look_behind(struct event_feed *f, struct db *db, int64_t business_id, int64_t after, bool with_progress,
                            struct event_feed_batch **ret_batch) {
  struct event_feed_items *t = calloc(1, sizeof(*t));
  if (!t) return ERR_NOMEM;
  event_feed_items_init(t);
  enum err e = db_begin(db); /* (1) */
  if (e == OK) e = look_at(f, db, business_id, after, with_progress, t, ret_batch);
  db_rollback(db);
  free(t);
  return e;
}

enum err event_feed_read(struct event_feed *f, struct db *db, int64_t business_id, int64_t after,
                         struct event_feed_batch **ret_batch) {
  return look_behind(f, db, business_id, after, true, ret_batch);
}

/* ---- rows ---- */

static struct event_feed_row **place_of(struct event_feed *f, int64_t business_id) {
  struct event_feed_row **at = &f->buckets[(uint64_t)business_id * UINT64_C(0x9E3779B97F4A7C15) % BUCKETS];
  while (*at && (*at)->business_id != business_id) at = &(*at)->next;
  return at;
}

/* (4) */
static void drop_if_idle(struct event_feed *f, struct event_feed_row *row) {
  if (row->streams || row->looking) return;
  struct event_feed_row **at = place_of(f, row->business_id);
  *at = row->next;
  free(row);
}

static struct event_feed_row *row_new(struct event_feed *f, int64_t business_id) {
  struct event_feed_row *row = calloc(1, sizeof(*row) + f->parts.loops * sizeof(row->on_loop[0]));
  if (!row) return NULL;
  row->event_feed = f;
  row->business_id = business_id;
  row->upto = f->seq;
  return row;
}

enum err event_feed_join(struct event_feed *f, int64_t business_id, unsigned loop, int64_t most, int64_t *ret_seq) {
  assert(loop < f->parts.loops);
  LOCKED(&f->lock);
  struct event_feed_row **at = place_of(f, business_id);
  if (!*at && !(*at = row_new(f, business_id))) return ERR_NOMEM;
  struct event_feed_row *row = *at;
  if (row->streams >= most) return ERR_BUSY;
  row->streams++;
  row->on_loop[loop]++;
  atomic_fetch_add(&f->streams, 1);
  *ret_seq = f->seq > row->upto ? f->seq : row->upto; /* (2) */
  return OK;
}

void event_feed_leave(struct event_feed *f, int64_t business_id, unsigned loop) {
  LOCKED(&f->lock);
  struct event_feed_row *row = *place_of(f, business_id);
  assert(row && row->streams > 0 && row->on_loop[loop] > 0);
  row->streams--;
  row->on_loop[loop]--;
  atomic_fetch_sub(&f->streams, 1);
  drop_if_idle(f, row);
}

bool event_feed_is_heard(const struct event_feed *f) {
  return atomic_load(&f->streams) > 0;
}

bool event_feed_is_heard_on(struct event_feed *f, int64_t business_id, unsigned loop) {
  LOCKED(&f->lock);
  const struct event_feed_row *row = *place_of(f, business_id);
  return row && row->on_loop[loop] > 0;
}

/* ---- a look and what comes of it ---- */

static void hand_to(struct event_feed *f, unsigned loop, struct event_feed_batch *batch) {
  atomic_fetch_add(&batch->refs, 1);
  if (!f->parts.deliver(f->parts.arg, loop, batch)) event_feed_batch_unref(batch);
}

/* To the loops that have somebody who listens. */
static void hand_out(struct event_feed *f, const struct event_feed_row *row, struct event_feed_batch *batch) {
  for (unsigned i = 0; i < f->parts.loops; i++) {
    bool listens;
    {
      LOCKED(&f->lock);
      listens = row->on_loop[i] > 0;
    }
    if (listens) hand_to(f, i, batch);
  }
}

static void look(struct db *db, void *arg);

static bool progress_is_due(const struct event_feed_row *row) {
  return clock_mono_ms() - row->progress_ms >= PROGRESS_EVERY_MS;
}

static void send_look(struct event_feed_row *row) {
  row->looking = true;
  if (db_readers_run(row->event_feed->parts.readers, row->business_id, look, row) == OK) return;
  row->looking = false; /* the readers are full, or closing */
  atomic_store(&row->event_feed->stalled, true);
}

/* With the lock held. What is mere progress waits for its time, until a tick. */
static void look_if_due(struct event_feed_row *row) {
  if (!row->streams || row->looking || row->news <= row->upto) return;
  if (row->numbered > row->upto || progress_is_due(row))
    send_look(row);
  else
    atomic_store(&row->event_feed->stalled, true);
}

/* What can't be looked up is lost, up to what was known of when it was tried. */
static struct event_feed_batch *look_or_lose(struct event_feed *f, struct db *db, int64_t business_id, int64_t after,
                                             int64_t news, bool with_progress) {
  struct event_feed_batch *batch = NULL;
  if (db && look_behind(f, db, business_id, after, with_progress, &batch) == OK) return batch;
  batch = batch_new(business_id, 0);
  if (!batch) return NULL;
  batch->lost = true;
  batch->seq = news;
  return batch;
}

static void look(struct db *db, void *arg) {
  struct event_feed_row *row = arg;
  struct event_feed *f = row->event_feed;
  lock_take(&f->lock);
  int64_t after = row->upto, news = row->news;
  uint64_t losses = f->losses;
  bool with_progress = progress_is_due(row);
  if (with_progress) row->progress_ms = clock_mono_ms();
  lock_release(&f->lock);
  struct event_feed_batch *batch CLEANUP(batch_free) =
      look_or_lose(f, db, row->business_id, after, news, with_progress);
  lock_take(&f->lock);
  bool is_void = losses != f->losses; /* everybody was told to look again meanwhile */
  if (batch && !is_void && batch->seq > row->upto) row->upto = batch->seq; /* (2) */
  lock_release(&f->lock);
  if (batch && !is_void) hand_out(f, row, batch);
  lock_take(&f->lock);
  row->looking = false;
  if (!batch)
    atomic_store(&f->stalled, true); /* out of memory */
  else
    look_if_due(row);
  drop_if_idle(f, row);
  lock_release(&f->lock);
}

/* ---- changes ---- */

void event_feed_change(struct event_feed *f, const struct change *change) {
  LOCKED(&f->lock);
  f->seq = change->seq; /* (2) */
  if (!is_told(change->kind)) return;
  struct event_feed_row *row = *place_of(f, change->business_id);
  if (!row || change->seq <= row->upto) return;
  if (row->news <= row->upto && !row->looking) row->upto = change->seq - 1; /* what lies between is of others */
  row->news = change->seq;
  if (change->kind != CHANGE_PROGRESS) row->numbered = change->seq;
  look_if_due(row);
}

void event_feed_tick(struct event_feed *f) {
  if (!atomic_exchange(&f->stalled, false)) return;
  LOCKED(&f->lock);
  for (size_t i = 0; i < BUCKETS; i++)
    for (struct event_feed_row *row = f->buckets[i]; row; row = row->next) look_if_due(row);
}

static void forget(struct event_feed *f) {
  LOCKED(&f->lock);
  f->seq = 0;
  f->losses++;
  for (size_t i = 0; i < BUCKETS; i++)
    for (struct event_feed_row *row = f->buckets[i]; row; row = row->next) row->upto = row->news = row->numbered = 0;
}

void event_feed_lost(struct event_feed *f) {
  forget(f);
  struct event_feed_batch *batch CLEANUP(batch_free) = event_feed_is_heard(f) ? batch_new(0, 0) : NULL;
  if (!batch) return;
  batch->lost = true;
  for (unsigned i = 0; i < f->parts.loops; i++) hand_to(f, i, batch);
}

/* ---- birth and end ---- */

enum err event_feed_new(const struct event_feed_parts *parts, struct event_feed **ret_feed) {
  struct event_feed *f = calloc(1, sizeof(*f));
  if (!f) return ERR_NOMEM;
  f->parts = *parts;
  f->seq = parts->seq;
  lock_init(&f->lock, "feed", LOCK_RANK_API);
  *ret_feed = f;
  return OK;
}

struct event_feed *event_feed_free(struct event_feed *f) {
  if (!f) return NULL;
  for (size_t i = 0; i < BUCKETS; i++) {
    for (struct event_feed_row *row = f->buckets[i], *next; row; row = next) {
      next = row->next;
      free(row);
    }
  }
  lock_done(&f->lock);
  free(f);
  return NULL;
}
