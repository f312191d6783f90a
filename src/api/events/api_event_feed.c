/* api_event_feed.c - reads what changed in businesses that have event streams, and hands it to their loops.
 *
 * States of a business that has streams (an entry)
 *
 *   IDLE --event_feed_change--> READING --event_feed_read_entry is done, nothing newer--> IDLE
 *                               READING --done, but there was a newer change--> READING
 *
 * Invariants
 *  (1) A business has at most one read under way, so its batches come in order of seq. covered_seq says up to which
 *      change it was read. One read takes the changes after covered_seq and the objects that changed in one
 *      transaction, each object once. So the number of an event belongs to what the event shows, in every process, and
 *      a stream's numbers only grow. It covers changes up to changes_final, asked before the transaction: a change with a
 *      smaller number than one that it sees may come into sight later.
 *  (2) Under the lock, covered_seq grows before its batch is delivered, and seq grows before its change is read. A
 *      stream joins at the greater of both, so every change that it does not get was committed before it joined.
 *  (3) Nothing grows without limit: beyond EVENT_FEED_ITEMS_MAX objects in a read, or HELD_BYTES_MAX bytes of events in
 *      all queues, the changes are dropped and a batch marked lost says so. A read that can't begin is begun by a later
 *      tick.
 *  (4) An entry stays while the business has a stream or a read under way. */
#include "api/events/api_event_feed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/events/api_event_feed_items.h"
#include "base/clock.h"
#include "base/lock.h"
#include "http/sse.h"

enum { PROGRESS_EVERY_MS = 250 /* of a business; so progress events of one recording come no more often */ };
enum { BUCKETS = 1024, JSON_BYTES_MAX = 256 * 1024, HELD_BYTES_MAX = 64 * 1024 * 1024, READ_BATCH = 1000 };

struct event_feed_entry {
  struct event_feed_entry *next;
  struct event_feed *event_feed;
  int64_t business_id;
  int64_t streams;
  int64_t covered_seq;         /* (1); 0: not known */
  int64_t newest_seq;          /* of the newest change; a read is due if it is above covered_seq */
  int64_t newest_numbered_seq; /* of the newest change that is not progress */
  int64_t progress_ms;         /* mono: when progress was last read */
  bool reading;
  unsigned on_loop[]; /* the number of streams of each loop */
};

struct event_feed {
  struct event_feed_parts parts;
  atomic_llong held;     /* bytes of all events that are referenced (3) */
  atomic_llong streams;  /* of all businesses */
  atomic_bool retry_due; /* some entry is due and has no read under way: the tick begins it */
  struct lock lock;      /* rank API: all below */
  int64_t seq;           /* (2) */
  uint64_t loss_count;   /* how often changes were lost; a read that spans a loss is discarded */
  struct event_feed_entry *buckets[BUCKETS];
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

/* ---- reading, on a reader ---- */

static bool is_event_kind(enum change_kind kind) {
  return kind == CHANGE_RECORDING || kind == CHANGE_CALL || kind == CHANGE_NOTE || kind == CHANGE_TRANSCRIPT ||
         kind == CHANGE_PROGRESS;
}

static enum err add_item(void *arg, const struct change *change) {
  return event_feed_items_add(arg, change); /* (3) */
}

static enum err read_items(struct db *db, int64_t business_id, int64_t after, struct event_feed_items *items,
                           int64_t *ret_covered_seq) {
  int64_t from, covered_seq = after;
  do {
    from = covered_seq;
    TRY(changes_read(db, business_id, from, READ_BATCH, add_item, items, &covered_seq));
  } while (covered_seq - from >= READ_BATCH);
  if (covered_seq > items->final_seq) covered_seq = items->final_seq > after ? items->final_seq : after;
  *ret_covered_seq = covered_seq;
  return OK;
}

static enum err event_new(struct event_feed *f, int64_t seq, struct str text, struct event_feed_event **ret_event) {
  if (atomic_load(&f->held) + (long long)text.n > HELD_BYTES_MAX) return ERR_TOO_BIG; /* (3) */
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
  struct buf json CLEANUP(buf_done) = BUF_INIT(JSON_BYTES_MAX), text CLEANUP(buf_done) = BUF_INIT(JSON_BYTES_MAX + 128);
  struct str name = change->kind == CHANGE_CALL         ? STR("call")
                    : change->kind == CHANGE_NOTE       ? STR("note")
                    : change->kind == CHANGE_TRANSCRIPT ? STR("transcript")
                                                        : STR("recording");
  enum err e = f->parts.write(f->parts.arg, db, batch->business_id, change, &json);
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  TRY(sse_add(&text, name, change->is_progress ? 0 : change->seq, buf_str(&json)));
  TRY(event_new(f, change->seq, buf_str(&text), &batch->events[batch->count]));
  batch->count++;
  return OK;
}

static enum err read_batch(struct event_feed *f, struct db *db, int64_t business_id, int64_t after, bool with_progress,
                           struct event_feed_items *items, struct event_feed_batch **ret_batch) {
  int64_t covered_seq;
  TRY(read_items(db, business_id, after, items, &covered_seq));
  struct event_feed_batch *batch CLEANUP(batch_free) = batch_new(business_id, items->count);
  if (!batch) return ERR_NOMEM;
  batch->seq = covered_seq;
  for (const struct event_feed_item *one = items->oldest; one; one = one->newer)
    if (!one->is_later && (with_progress || !one->change.is_progress)) TRY(add_event(f, db, &one->change, batch));
  *ret_batch = TAKE(batch);
  return OK;
}

static enum err read_batch_after(struct event_feed *f, struct db *db, int64_t business_id, int64_t after,
                                 bool with_progress, struct event_feed_batch **ret_batch) {
  struct event_feed_items *items = calloc(1, sizeof(*items));
  if (!items) return ERR_NOMEM;
  event_feed_items_init(items, changes_final(db)); /* (1) */
  enum err e = db_begin(db);
  if (e == OK) e = read_batch(f, db, business_id, after, with_progress, items, ret_batch);
  db_rollback(db);
  free(items);
  return e;
}

enum err event_feed_read(struct event_feed *f, struct db *db, int64_t business_id, int64_t after,
                         struct event_feed_batch **ret_batch) {
  return read_batch_after(f, db, business_id, after, true, ret_batch);
}

/* ---- rows ---- */

static struct event_feed_entry **entry_of(struct event_feed *f, int64_t business_id) {
  struct event_feed_entry **at = &f->buckets[(uint64_t)business_id * UINT64_C(0x9E3779B97F4A7C15) % BUCKETS];
  while (*at && (*at)->business_id != business_id) at = &(*at)->next;
  return at;
}

/* (4) */
static void entry_free_if_idle(struct event_feed *f, struct event_feed_entry *entry) {
  if (entry->streams || entry->reading) return;
  struct event_feed_entry **at = entry_of(f, entry->business_id);
  *at = entry->next;
  free(entry);
}

static struct event_feed_entry *entry_new(struct event_feed *f, int64_t business_id) {
  struct event_feed_entry *entry = calloc(1, sizeof(*entry) + f->parts.loops * sizeof(entry->on_loop[0]));
  if (!entry) return NULL;
  entry->event_feed = f;
  entry->business_id = business_id;
  entry->covered_seq = f->seq;
  return entry;
}

enum err event_feed_join(struct event_feed *f, int64_t business_id, unsigned loop, int64_t max_streams,
                         int64_t *ret_seq) {
  assert(loop < f->parts.loops);
  LOCKED(&f->lock);
  struct event_feed_entry **at = entry_of(f, business_id);
  if (!*at && !(*at = entry_new(f, business_id))) return ERR_NOMEM;
  struct event_feed_entry *entry = *at;
  if (entry->streams >= max_streams) return ERR_BUSY;
  entry->streams++;
  entry->on_loop[loop]++;
  atomic_fetch_add(&f->streams, 1);
  *ret_seq = f->seq > entry->covered_seq ? f->seq : entry->covered_seq; /* (2) */
  return OK;
}

int64_t event_feed_newest(struct event_feed *f) {
  LOCKED(&f->lock);
  return f->seq;
}

void event_feed_leave(struct event_feed *f, int64_t business_id, unsigned loop) {
  LOCKED(&f->lock);
  struct event_feed_entry *entry = *entry_of(f, business_id);
  assert(entry && entry->streams > 0 && entry->on_loop[loop] > 0);
  entry->streams--;
  entry->on_loop[loop]--;
  atomic_fetch_sub(&f->streams, 1);
  entry_free_if_idle(f, entry);
}

bool event_feed_has_streams(const struct event_feed *f) {
  return atomic_load(&f->streams) > 0;
}

bool event_feed_has_streams_on(struct event_feed *f, int64_t business_id, unsigned loop) {
  LOCKED(&f->lock);
  const struct event_feed_entry *entry = *entry_of(f, business_id);
  return entry && entry->on_loop[loop] > 0;
}

/* ---- reading and delivering ---- */

static void deliver_to_loop(struct event_feed *f, unsigned loop, struct event_feed_batch *batch) {
  atomic_fetch_add(&batch->refs, 1);
  if (!f->parts.deliver(f->parts.arg, loop, batch)) event_feed_batch_unref(batch);
}

/* To the loops that have streams of the business. */
static void deliver_to_loops(struct event_feed *f, const struct event_feed_entry *entry,
                             struct event_feed_batch *batch) {
  for (unsigned i = 0; i < f->parts.loops; i++) {
    bool has_streams;
    {
      LOCKED(&f->lock);
      has_streams = entry->on_loop[i] > 0;
    }
    if (has_streams) deliver_to_loop(f, i, batch);
  }
}

static void event_feed_read_entry(struct db *db, void *arg);

static bool progress_is_due(const struct event_feed_entry *entry) {
  return clock_mono_ms() - entry->progress_ms >= PROGRESS_EVERY_MS;
}

static void event_feed_start_read(struct event_feed_entry *entry) {
  entry->reading = true;
  if (db_readers_run(entry->event_feed->parts.readers, entry->business_id, event_feed_read_entry, entry) == OK) return;
  entry->reading = false; /* the readers are full, or closing */
  atomic_store(&entry->event_feed->retry_due, true);
}

/* With the lock held. Progress alone waits until PROGRESS_EVERY_MS have passed; a tick begins it then. */
static void event_feed_read_if_due(struct event_feed_entry *entry) {
  if (!entry->streams || entry->reading || entry->newest_seq <= entry->covered_seq) return;
  if (entry->newest_numbered_seq > entry->covered_seq || progress_is_due(entry))
    event_feed_start_read(entry);
  else
    atomic_store(&entry->event_feed->retry_due, true);
}

/* If the read fails, the batch is marked lost up to newest: the newest change when the read began. NULL: no memory. */
static struct event_feed_batch *read_or_mark_lost(struct event_feed *f, struct db *db, int64_t business_id,
                                                  int64_t after, int64_t newest, bool with_progress) {
  struct event_feed_batch *batch = NULL;
  if (db && read_batch_after(f, db, business_id, after, with_progress, &batch) == OK) return batch;
  batch = batch_new(business_id, 0);
  if (!batch) return NULL;
  batch->lost = true;
  batch->seq = newest;
  return batch;
}

static void event_feed_read_entry(struct db *db, void *arg) {
  struct event_feed_entry *entry = arg;
  struct event_feed *f = entry->event_feed;
  lock_take(&f->lock);
  int64_t after = entry->covered_seq, newest = entry->newest_seq;
  uint64_t loss_count = f->loss_count;
  bool with_progress = progress_is_due(entry);
  if (with_progress) entry->progress_ms = clock_mono_ms();
  lock_release(&f->lock);
  struct event_feed_batch *batch CLEANUP(batch_free) =
      read_or_mark_lost(f, db, entry->business_id, after, newest, with_progress);
  lock_take(&f->lock);
  bool is_void = loss_count != f->loss_count; /* all streams got a reset meanwhile */
  if (batch && !is_void && batch->seq > entry->covered_seq) entry->covered_seq = batch->seq; /* (2) */
  lock_release(&f->lock);
  if (batch && !is_void) deliver_to_loops(f, entry, batch);
  lock_take(&f->lock);
  entry->reading = false;
  if (!batch)
    atomic_store(&f->retry_due, true); /* out of memory */
  else
    event_feed_read_if_due(entry);
  entry_free_if_idle(f, entry);
  lock_release(&f->lock);
}

/* ---- changes ---- */

void event_feed_change(struct event_feed *f, const struct change *change) {
  LOCKED(&f->lock);
  f->seq = change->seq; /* (2) */
  if (!is_event_kind(change->kind)) return;
  struct event_feed_entry *entry = *entry_of(f, change->business_id);
  if (!entry || change->seq <= entry->covered_seq) return;
  if (entry->newest_seq <= entry->covered_seq && !entry->reading)
    entry->covered_seq = change->seq - 1; /* the changes in between are of other businesses */
  entry->newest_seq = change->seq;
  if (change->kind != CHANGE_PROGRESS) entry->newest_numbered_seq = change->seq;
  event_feed_read_if_due(entry);
}

void event_feed_tick(struct event_feed *f) {
  if (!atomic_exchange(&f->retry_due, false)) return;
  LOCKED(&f->lock);
  for (size_t i = 0; i < BUCKETS; i++)
    for (struct event_feed_entry *entry = f->buckets[i]; entry; entry = entry->next) event_feed_read_if_due(entry);
}

static void forget_positions(struct event_feed *f) {
  LOCKED(&f->lock);
  f->seq = 0;
  f->loss_count++;
  for (size_t i = 0; i < BUCKETS; i++)
    for (struct event_feed_entry *entry = f->buckets[i]; entry; entry = entry->next)
      entry->covered_seq = entry->newest_seq = entry->newest_numbered_seq = 0;
}

void event_feed_reset(struct event_feed *f, int64_t business_id) {
  struct event_feed_batch *batch CLEANUP(batch_free) = event_feed_has_streams(f) ? batch_new(business_id, 0) : NULL;
  if (!batch) return;
  batch->lost = true;
  for (unsigned i = 0; i < f->parts.loops; i++)
    if (!business_id || event_feed_has_streams_on(f, business_id, i)) deliver_to_loop(f, i, batch);
}

void event_feed_lost(struct event_feed *f) {
  forget_positions(f);
  event_feed_reset(f, 0);
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
    for (struct event_feed_entry *entry = f->buckets[i], *next; entry; entry = next) {
      next = entry->next;
      free(entry);
    }
  }
  lock_done(&f->lock);
  free(f);
  return NULL;
}
