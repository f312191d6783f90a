/* api_feed.c - what changes in businesses, for the event streams of this process.
 *
 *   QUIET --a change, somebody listens--> LOOKING --done, nothing more pending--> QUIET
 *                                            `--done, more came meanwhile--> LOOKING
 *
 * Invariants
 *  (1) A business has at most one look under way: its batches come in order of seq. Things that change while it is under way
 *      are looked up together afterwards, each once, as they are then.
 *  (2) seq grows under the lock, before anybody who joins later reads it: what a joiner is not told of is in its seq.
 *  (3) Nothing waits here without end: past FEED_PENDING_MAX things, or HELD_MAX bytes of text in all streams' queues, what
 *      was pending is lost, and said to be. What can't be looked up now is looked up with the next tick.
 *  (4) A row stays while somebody listens or a look is under way. */
#include "api/api_feed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/lock.h"
#include "http/sse.h"

enum { BUCKETS = 1024, JSON_MAX = 256 * 1024, HELD_MAX = 64 * 1024 * 1024 };

struct feed_row {
  struct feed_row *next;
  struct feed *feed;
  int64_t business_id;
  int64_t streams;
  bool looking;
  bool lost;
  struct feed_changes pending;
  unsigned on_loop[]; /* streams of each loop */
};

struct feed {
  struct feed_parts parts;
  atomic_llong held;    /* bytes of all events that are kept somewhere */
  atomic_llong streams; /* in all */
  atomic_bool stalled;  /* some row has something pending and no look under way */
  struct lock lock;     /* rank API: all below */
  int64_t seq;          /* (2) */
  struct feed_row *buckets[BUCKETS];
};

/* ---- events and batches ---- */

struct feed_event *feed_event_ref(struct feed_event *e) {
  atomic_fetch_add(&e->refs, 1);
  return e;
}

void feed_event_unref(struct feed_event *e) {
  if (!e || atomic_fetch_sub(&e->refs, 1) != 1) return;
  atomic_fetch_sub(e->held, (long long)e->n);
  free(e);
}

void feed_batch_unref(struct feed_batch *b) {
  if (!b || atomic_fetch_sub(&b->refs, 1) != 1) return;
  for (size_t i = 0; i < b->count; i++) feed_event_unref(b->events[i]);
  free(b->events);
  free(b);
}

static struct feed_batch *batch_new(int64_t business_id, size_t room) {
  struct feed_batch *b = calloc(1, sizeof(*b));
  if (!b) return NULL;
  atomic_init(&b->refs, 1);
  b->business_id = business_id;
  b->events = calloc(room + 1, sizeof(b->events[0]));
  if (b->events) return b;
  free(b);
  return NULL;
}

enum err feed_changes_add(struct feed_changes *c, const struct change *change) {
  struct feed_change one = {.kind = change->kind, .seq = change->seq};
  size_t at = 0;
  if (change->kind != CHANGE_RECORDING && change->kind != CHANGE_CALL) return OK;
  if (str_copy(one.id, sizeof(one.id), change->id) != OK) return OK; /* no id of ours */
  while (at < c->count && (c->each[at].kind != one.kind || strcmp(c->each[at].id, one.id) != 0)) at++;
  if (at == FEED_PENDING_MAX) return ERR_TOO_BIG;
  if (at < c->count) {
    memmove(&c->each[at], &c->each[at + 1], (c->count - at - 1) * sizeof(one));
    c->count--;
  }
  c->each[c->count++] = one;
  return OK;
}

/* ---- rows ---- */

static struct feed_row **place_of(struct feed *f, int64_t business_id) {
  struct feed_row **at = &f->buckets[(uint64_t)business_id * UINT64_C(0x9E3779B97F4A7C15) % BUCKETS];
  while (*at && (*at)->business_id != business_id) at = &(*at)->next;
  return at;
}

/* (4) */
static void drop_if_idle(struct feed *f, struct feed_row *row) {
  if (row->streams || row->looking) return;
  struct feed_row **at = place_of(f, row->business_id);
  *at = row->next;
  free(row);
}

static struct feed_row *row_new(struct feed *f, int64_t business_id) {
  struct feed_row *row = calloc(1, sizeof(*row) + f->parts.loops * sizeof(row->on_loop[0]));
  if (!row) return NULL;
  row->feed = f;
  row->business_id = business_id;
  return row;
}

enum err feed_join(struct feed *f, int64_t business_id, unsigned loop, int64_t most, int64_t *ret_seq) {
  assert(loop < f->parts.loops);
  LOCKED(&f->lock);
  struct feed_row **at = place_of(f, business_id);
  if (!*at && !(*at = row_new(f, business_id))) return ERR_NOMEM;
  struct feed_row *row = *at;
  if (row->streams >= most) return ERR_BUSY;
  row->streams++;
  row->on_loop[loop]++;
  atomic_fetch_add(&f->streams, 1);
  *ret_seq = f->seq;
  return OK;
}

void feed_leave(struct feed *f, int64_t business_id, unsigned loop) {
  LOCKED(&f->lock);
  struct feed_row *row = *place_of(f, business_id);
  assert(row && row->streams > 0 && row->on_loop[loop] > 0);
  row->streams--;
  row->on_loop[loop]--;
  atomic_fetch_sub(&f->streams, 1);
  drop_if_idle(f, row);
}

bool feed_is_heard(const struct feed *f) {
  return atomic_load(&f->streams) > 0;
}

/* ---- looking, on a reader ---- */

static enum err make_event(struct feed *f, struct db *db, int64_t business_id, const struct feed_change *change,
                           struct buf *json, struct buf *text, struct feed_event **ret_event) {
  bool is_progress = false;
  buf_clear(json);
  buf_clear(text);
  TRY(f->parts.write(f->parts.arg, db, business_id, change, json, &is_progress));
  TRY(sse_add(text, change->kind == CHANGE_CALL ? STR("call") : STR("recording"), is_progress ? 0 : change->seq,
              buf_str(json)));
  if (atomic_load(&f->held) + (long long)text->n > HELD_MAX) return ERR_TOO_BIG; /* (3) */
  struct feed_event *e = malloc(sizeof(*e) + text->n);
  if (!e) return ERR_NOMEM;
  atomic_init(&e->refs, 1);
  e->held = &f->held;
  e->seq = change->seq;
  e->n = text->n;
  memcpy(e->text, text->p, text->n);
  atomic_fetch_add(&f->held, (long long)e->n);
  *ret_event = e;
  return OK;
}

static void batch_free(struct feed_batch **b) {
  feed_batch_unref(*b);
}

enum err feed_look(struct feed *f, struct db *db, int64_t business_id, const struct feed_changes *changes,
                   struct feed_batch **ret_batch) {
  struct buf json CLEANUP(buf_done) = BUF_INIT(JSON_MAX), text CLEANUP(buf_done) = BUF_INIT(JSON_MAX + 128);
  struct feed_batch *batch CLEANUP(batch_free) = batch_new(business_id, changes->count);
  if (!batch) return ERR_NOMEM;
  for (size_t i = 0; i < changes->count; i++) {
    enum err e = make_event(f, db, business_id, &changes->each[i], &json, &text, &batch->events[batch->count]);
    batch->seq = changes->each[i].seq;
    if (e == OK) batch->count++;
    if (e != OK && e != ERR_NOT_FOUND) return e;
  }
  *ret_batch = TAKE(batch);
  return OK;
}

/* To the loops that have somebody who listens. */
static void hand_out(struct feed *f, const struct feed_row *row, struct feed_batch *batch) {
  for (unsigned i = 0; i < f->parts.loops; i++) {
    bool listens;
    {
      LOCKED(&f->lock);
      listens = row->on_loop[i] > 0;
    }
    if (!listens) continue;
    atomic_fetch_add(&batch->refs, 1);
    if (!f->parts.deliver(f->parts.arg, i, batch)) feed_batch_unref(batch);
  }
}

/* What can't be looked up is lost. False: it could not even be said that it is. */
static bool look_at(struct feed *f, struct db *db, const struct feed_row *row, const struct feed_changes *changes,
                    int64_t lost_up_to) {
  struct feed_batch *batch CLEANUP(batch_free) = NULL;
  enum err e = lost_up_to >= 0 || !db ? ERR_IO : feed_look(f, db, row->business_id, changes, &batch);
  if (e != OK) {
    batch = batch_new(row->business_id, 0);
    if (!batch) return false;
    batch->lost = true;
    batch->seq = lost_up_to >= 0 ? lost_up_to : changes->each[changes->count - 1].seq;
  }
  hand_out(f, row, batch);
  return true;
}

static void look(struct db *db, void *arg);

/* With the lock held. */
static bool has_work(const struct feed_row *row) {
  return row->streams && !row->looking && (row->pending.count || row->lost);
}

static void send_look(struct feed_row *row) {
  row->looking = true;
  if (db_readers_run(row->feed->parts.readers, row->business_id, look, row) == OK) return;
  row->looking = false; /* the readers are full, or closing */
  atomic_store(&row->feed->stalled, true);
}

static void look(struct db *db, void *arg) {
  struct feed_row *row = arg;
  struct feed *f = row->feed;
  struct feed_changes *changes = malloc(sizeof(*changes));
  int64_t lost_up_to = -1;
  if (changes) {
    LOCKED(&f->lock);
    if (row->lost) lost_up_to = f->seq;
    *changes = row->pending;
    row->pending.count = 0;
    row->lost = false;
  }
  bool told = changes && look_at(f, db, row, changes, lost_up_to);
  free(changes);
  LOCKED(&f->lock);
  row->looking = false;
  if (!told) {
    row->lost = true;
    atomic_store(&f->stalled, true);
  } else if (has_work(row)) {
    send_look(row);
  }
  drop_if_idle(f, row);
}

/* ---- changes ---- */

void feed_change(struct feed *f, const struct change *change) {
  LOCKED(&f->lock);
  f->seq = change->seq; /* (2) */
  struct feed_row *row = *place_of(f, change->business_id);
  if (!row || !row->streams) return;
  if (feed_changes_add(&row->pending, change) != OK) row->lost = true; /* (3) */
  if (has_work(row)) send_look(row);
}

void feed_tick(struct feed *f) {
  if (!atomic_exchange(&f->stalled, false)) return;
  LOCKED(&f->lock);
  for (size_t i = 0; i < BUCKETS; i++)
    for (struct feed_row *row = f->buckets[i]; row; row = row->next)
      if (has_work(row)) send_look(row);
}

void feed_lost(struct feed *f) {
  {
    LOCKED(&f->lock);
    f->seq = 0;
  }
  struct feed_batch *batch CLEANUP(batch_free) = feed_is_heard(f) ? batch_new(0, 0) : NULL;
  if (!batch) return;
  batch->lost = true;
  for (unsigned i = 0; i < f->parts.loops; i++) {
    atomic_fetch_add(&batch->refs, 1);
    if (!f->parts.deliver(f->parts.arg, i, batch)) feed_batch_unref(batch);
  }
}

/* ---- birth and end ---- */

enum err feed_new(const struct feed_parts *parts, struct feed **ret_feed) {
  struct feed *f = calloc(1, sizeof(*f));
  if (!f) return ERR_NOMEM;
  f->parts = *parts;
  f->seq = parts->seq;
  lock_init(&f->lock, "feed", LOCK_RANK_API);
  *ret_feed = f;
  return OK;
}

struct feed *feed_free(struct feed *f) {
  if (!f) return NULL;
  for (size_t i = 0; i < BUCKETS; i++) {
    for (struct feed_row *row = f->buckets[i], *next; row; row = next) {
      next = row->next;
      free(row);
    }
  }
  lock_done(&f->lock);
  free(f);
  return NULL;
}
