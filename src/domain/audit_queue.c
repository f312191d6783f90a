/* audit_queue.c - see audit_queue.h.
 *
 * Invariants
 *  (1) Entries leave the list only at its head, on the writer's thread, after the commit that wrote them or when they are given
 *      up. So what a failed commit rolled back is written by the next job.
 *  (2) At most one job is under way.
 *  (3) A part writes at most AUDIT_APPEND_MAX entries, in the order of the list, and touches PART_ROWS rows: each entry is one,
 *      and a business of the part has END_ROWS more. The businesses of a part are brought together first.
 *  (4) waiting[] counts entries by a hash of their business. Businesses that share a place share a business's ceiling, and count
 *      as one in a part. */
#include "domain/audit_queue.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/metric.h"

enum { PART = AUDIT_APPEND_MAX, PART_ROWS = 480, END_ROWS = 4, PLACES = 1024, COMPLAINT_MS = 10 * 1000 };

struct audit_item {
  struct audit_item *next;
  int64_t business_id, added_ms; /* mono */
  uint64_t number;               /* grows along the list */
  struct audit_entry entry;      /* its texts are in `texts` */
  char texts[];
};

struct audit_queue {
  struct db_writer *writer;
  struct lock lock; /* covers all down to idle */
  struct audit_item *first, **last;
  size_t count;
  uint64_t newest;
  unsigned waiting[PLACES]; /* (4) */
  bool is_running;          /* (2) */
  struct lock_cond idle;    /* is_running became false */
  /* Belong to the writer's thread while a job is under way: */
  struct audit_item *part[PART];
  size_t part_count;
  bool more;
};

static size_t place_of(int64_t business_id) {
  return (size_t)(str_hash_word(0, (uint64_t)business_id) >> 32) % PLACES;
}

enum err audit_queue_new(struct db_writer *writer, struct audit_queue **ret_queue) {
  struct audit_queue *q = calloc(1, sizeof(*q));
  if (!q) return ERR_NOMEM;
  q->writer = writer;
  q->last = &q->first;
  lock_init(&q->lock, "audit queue", LOCK_RANK_DOMAIN);
  lock_cond_init(&q->idle);
  *ret_queue = q;
  return OK;
}

/* The caller holds the lock, or is alone. */
static void queue_drop_first(struct audit_queue *q) {
  struct audit_item *item = q->first;
  q->first = item->next;
  if (!q->first) q->last = &q->first;
  q->count--;
  q->waiting[place_of(item->business_id)]--;
  free(item);
}

static void queue_lose(const char *why, int64_t count) {
  static atomic_int_least64_t logged_ms;
  int64_t now = clock_mono_ms(), last = atomic_load(&logged_ms);
  metric_add(METRIC_AUDIT_LOST, 0, count);
  if (last && now - last < COMPLAINT_MS) return;
  if (atomic_compare_exchange_strong(&logged_ms, &last, now))
    log_error("Audit entries lost", LOG_INT("entries", count), LOG_TEXT("why", why));
}

struct audit_queue *audit_queue_free(struct audit_queue *q) {
  if (!q) return NULL;
  if (q->count) queue_lose("the process ended and could not write them", (int64_t)q->count);
  while (q->first) queue_drop_first(q);
  lock_cond_done(&q->idle);
  lock_done(&q->lock);
  free(q);
  return NULL;
}

/* ---- adding ---- */

static struct str text_copy(char **at, struct str text) {
  struct str copy = str_of(*at, text.n);
  if (text.n) memcpy(*at, text.p, text.n);
  *at += text.n;
  return copy;
}

static struct audit_item *item_new(int64_t business_id, const struct audit_entry *e) {
  size_t n = e->actor.n + e->role.n + e->object.n + e->ip.n + e->details.n;
  struct audit_item *item = malloc(sizeof(*item) + n);
  if (!item) return NULL;
  *item = (struct audit_item){.business_id = business_id, .added_ms = clock_mono_ms(), .entry = *e};
  char *at = item->texts;
  item->entry.actor = text_copy(&at, e->actor);
  item->entry.role = text_copy(&at, e->role);
  item->entry.object = text_copy(&at, e->object);
  item->entry.ip = text_copy(&at, e->ip);
  item->entry.details = text_copy(&at, e->details);
  return item;
}

/* False: there is no room. */
static bool queue_put(struct audit_queue *q, struct audit_item *item) {
  LOCKED(&q->lock);
  unsigned *waiting = &q->waiting[place_of(item->business_id)];
  if (q->count >= AUDIT_QUEUE_MAX || *waiting >= AUDIT_QUEUE_BUSINESS_MAX) return false;
  *q->last = item;
  q->last = &item->next;
  item->number = ++q->newest;
  q->count++;
  ++*waiting;
  return true;
}

void audit_queue_add(struct audit_queue *q, int64_t business_id, const struct audit_entry *entry) {
  struct audit_item *item = item_new(business_id, entry);
  if (item && queue_put(q, item)) return;
  queue_lose(item ? "too many wait for the database" : "out of memory", 1);
  free(item);
}

/* ---- writing ---- */

static int item_compare(const void *a, const void *b) {
  const struct audit_item *const *x = a, *const *y = b;
  if ((*x)->business_id != (*y)->business_id) return (*x)->business_id < (*y)->business_id ? -1 : 1;
  return (*x)->number < (*y)->number ? -1 : 1;
}

/* Takes the list's first entries, which stay in it (1). */
static void queue_take_part(struct audit_queue *q) {
  bool is_in_part[PLACES] = {false};
  size_t n = 0, rows = 0;
  LOCKED(&q->lock);
  for (struct audit_item *item = q->first; item && n < PART; item = item->next) {
    bool *is_known = &is_in_part[place_of(item->business_id)];
    rows += *is_known ? 1 : 1 + END_ROWS;
    if (rows > PART_ROWS) break; /* (3) */
    *is_known = true;
    q->part[n++] = item;
  }
  q->part_count = n;
  q->more = q->count > n;
}

static enum err queue_run(struct db *db, void *arg) {
  struct audit_queue *q = arg;
  struct audit_entry entries[PART];
  queue_take_part(q);
  struct audit_item *sorted[PART];
  memcpy(sorted, q->part, q->part_count * sizeof(sorted[0]));
  qsort(sorted, q->part_count, sizeof(sorted[0]), item_compare);
  for (size_t i = 0, n; i < q->part_count; i += n) {
    int64_t business_id = sorted[i]->business_id;
    for (n = 0; i + n < q->part_count && sorted[i + n]->business_id == business_id; n++)
      entries[n] = sorted[i + n]->entry;
    TRY(audit_append_all(db, business_id, entries, n));
  }
  return OK;
}

static void queue_part_done(void *arg) {
  struct audit_queue *q = arg;
  LOCKED(&q->lock);
  for (size_t i = 0; i < q->part_count; i++) queue_drop_first(q); /* (1) */
  q->part_count = 0;
}

/* Gives up what waits too long. Its reason is logged once for all. */
static void queue_give_up(struct audit_queue *q) {
  int64_t now = clock_mono_ms(), lost = 0;
  {
    LOCKED(&q->lock);
    for (; q->first && now - q->first->added_ms > AUDIT_QUEUE_WAIT_MS; lost++) queue_drop_first(q);
  }
  if (lost) queue_lose("the database could not be written", lost);
}

static void queue_done(void *arg, enum err e) {
  struct audit_queue *q = arg;
  if (e == OK)
    queue_part_done(q);
  else
    queue_give_up(q);
  LOCKED(&q->lock);
  q->is_running = false;
  lock_cond_signal(&q->idle);
}

/* False: a job is under way, or nothing waits for that long yet and no part is full. */
static bool queue_begin(struct audit_queue *q, int64_t gather_ms) {
  LOCKED(&q->lock);
  if (q->is_running || !q->count) return false;
  if (q->count < PART && clock_mono_ms() - q->first->added_ms < gather_ms) return false;
  q->is_running = true;
  return true;
}

static struct db_job queue_job(struct audit_queue *q) {
  return (struct db_job){.name = METRIC_JOB_AUDIT,
                         .class = DB_CLASS_UPKEEP,
                         .run = queue_run,
                         .done = queue_done,
                         .arg = q,
                         .more = &q->more,
                         .part_done = queue_part_done};
}

void audit_queue_tick(struct audit_queue *q) {
  if (!queue_begin(q, AUDIT_QUEUE_GATHER_MS)) return;
  enum err e = db_writer_healthy(q->writer) ? db_writer_submit(q->writer, queue_job(q)) : ERR_BUSY;
  if (e != OK) queue_done(q, e); /* the next tick tries again */
}

static void queue_wait_until_idle(struct audit_queue *q) {
  LOCKED(&q->lock);
  while (q->is_running) lock_cond_wait(&q->idle, &q->lock);
}

void audit_queue_flush(struct audit_queue *q) {
  const struct db_job job = {.name = METRIC_JOB_AUDIT, .class = DB_CLASS_UPKEEP, .run = queue_run, .arg = q};
  enum err e = OK;
  queue_wait_until_idle(q);
  while (e == OK && queue_begin(q, 0)) {
    e = db_writer_call(q->writer, job);
    queue_done(q, e);
  }
}
