/* db_readers.c - a pool whose threads each have a connection; businesses take turns.
 *
 *   db_readers_run --> queued in its business's line --the line's turn, a thread is free--> read(db), or read(NULL)
 *
 * A line holds the reads of one business, in order; lines take turns. The pool's queue holds only wake-ups. A woken thread runs
 * reads until none may run, so one wake-up may do the work of many, and another one may find nothing to do.
 *
 * Invariants
 *  (1) Only thread i uses connections[i]. The first read opens it, and it stays open.
 *  (2) After a read its transaction and deadline are cleared, so the next one starts clean. A business's read starts with a
 *      deadline; between two queries it must call db_in_time.
 *  (3) A read that db_readers_run took runs exactly once, also while closing.
 *  (4) The lock (rank ENGINE, above the pool's) covers lines, waiting and closing. No read runs under it.
 *  (5) One line never gets all threads, nor all of the queue.
 *  (6) For each read that may run there is a queued wake-up, or a thread that checks the lines again after its current read. */
#include "db/db_readers.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/metric.h"
#include "base/pool.h"

struct reader_job {
  struct reader_job *next;
  int64_t business_id;
  void (*read)(struct db *db, void *arg);
  void *arg;
  int64_t queued_us; /* monotonic */
};

/* Exists while one of its reads waits or runs: at most queue_max + threads of them. */
struct reader_line {
  struct reader_line *next;
  int64_t business_id;
  struct reader_job *first, **end;
  size_t waiting;
  unsigned running;
};

struct db_readers {
  struct pool *pool;
  struct db_open open; /* its texts are owned */
  unsigned threads;
  size_t queue_max;
  struct lock lock;
  struct reader_line *lines; /* the first has the next turn */
  size_t waiting;
  bool closing;
  struct db *connections[];
};

static struct db *connection_of(struct db_readers *r, unsigned worker) {
  if (!r->connections[worker]) {
    struct db *db;
    if (db_open(&r->open, NULL, &db) != OK) return NULL; /* the next read tries again */
    r->connections[worker] = db;
  }
  return r->connections[worker];
}

static void reader_run_job(struct db_readers *r, const struct reader_job *job, unsigned worker) {
  struct db *db = connection_of(r, worker);
  if (db && job->business_id != 0) db_deadline(db, clock_mono_ms() + DB_READERS_READ_MS);
  job->read(db, job->arg);
  metric_observe(METRIC_DATABASE_READ_SECONDS, clock_mono_us() - job->queued_us);
  if (!db) return;
  db_deadline(db, 0);
  db_rollback(db);
}

/* ---- lines; all under the lock ---- */

static void line_move_to_end(struct reader_line **at) {
  struct reader_line *line = *at;
  *at = line->next;
  while (*at) at = &(*at)->next;
  line->next = NULL;
  *at = line;
}

static bool line_may_run(const struct db_readers *r, const struct reader_line *line) {
  return line->waiting > 0 && (r->threads == 1 || line->running < r->threads - 1); /* (5) */
}

static struct reader_job *reader_next_job(struct db_readers *r, struct reader_line **ret_line) {
  struct reader_line **at = &r->lines;
  while (*at && !line_may_run(r, *at)) at = &(*at)->next;
  struct reader_line *line = *at;
  if (!line) return NULL;
  struct reader_job *job = line->first;
  line->first = job->next;
  if (!line->first) line->end = &line->first;
  line->waiting--;
  line->running++;
  r->waiting--;
  line_move_to_end(at);
  *ret_line = line;
  return job;
}

static void line_leave(struct db_readers *r, struct reader_line *line) {
  if (--line->running > 0 || line->waiting > 0) return;
  struct reader_line **at = &r->lines;
  while (*at != line) at = &(*at)->next;
  *at = line->next;
  free(line);
}

static struct reader_line *line_of(struct db_readers *r, int64_t business_id) {
  struct reader_line **at = &r->lines;
  while (*at && (*at)->business_id != business_id) at = &(*at)->next;
  if (!*at) {
    *at = calloc(1, sizeof(**at));
    if (!*at) return NULL;
    (*at)->business_id = business_id;
    (*at)->end = &(*at)->first;
  }
  return *at;
}

/* ---- threads ---- */

static void reader_run_jobs(void *arg, unsigned worker) {
  struct db_readers *r = arg;
  struct reader_line *line = NULL;
  for (;;) {
    lock_take(&r->lock);
    if (line) line_leave(r, line);
    struct reader_job *job = reader_next_job(r, &line);
    lock_release(&r->lock);
    if (!job) return;
    reader_run_job(r, job, worker);
    free(job);
  }
}

enum err db_readers_new(const struct db_open *how, unsigned threads, size_t queue_max,
                        struct db_readers **ret_readers) {
  assert(threads > 0 && how->url);
  struct db_readers *r = calloc(1, sizeof(*r) + threads * sizeof(r->connections[0]));
  if (!r) return ERR_NOMEM;
  lock_init(&r->lock, "db_readers", LOCK_RANK_ENGINE);
  r->threads = threads;
  r->queue_max = queue_max;
  r->open = *how;
  r->open.read_only = true;
  r->open.url = str_dup(str_from(how->url));
  r->open.schema = how->schema ? str_dup(str_from(how->schema)) : NULL;
  bool is_complete = r->open.url && (r->open.schema || !how->schema);
  enum err e = !is_complete ? ERR_NOMEM : pool_new("read", threads, queue_max, &r->pool);
  if (e != OK) {
    db_readers_free(r);
    return e;
  }
  *ret_readers = r;
  return OK;
}

struct db_readers *db_readers_free(struct db_readers *r) {
  if (!r) return NULL;
  lock_take(&r->lock);
  r->closing = true;
  lock_release(&r->lock);
  pool_free(r->pool); /* runs all that waits, by (6) */
  for (unsigned i = 0; i < r->threads; i++) db_close(r->connections[i]);
  lock_done(&r->lock);
  free((char *)r->open.url);
  free((char *)r->open.schema);
  free(r);
  return NULL;
}

static enum err line_join(struct db_readers *r, struct reader_job *job) {
  LOCKED(&r->lock);
  if (r->closing) return ERR_CLOSED;
  if (r->waiting >= r->queue_max) return ERR_BUSY;
  struct reader_line *line = line_of(r, job->business_id);
  if (!line) return ERR_NOMEM;
  if (line->waiting >= r->queue_max - r->queue_max / 8) return ERR_BUSY; /* (5) */
  *line->end = job;
  line->end = &job->next;
  line->waiting++;
  r->waiting++;
  IGNORE(pool_run(r->pool, reader_run_jobs, r)); /* if its queue is full, it is full of wake-ups (6) */
  return OK;
}

enum err db_readers_run(struct db_readers *r, int64_t business_id, void (*read)(struct db *db, void *arg), void *arg) {
  struct reader_job *job = malloc(sizeof(*job));
  if (!job) return ERR_NOMEM;
  *job = (struct reader_job){.business_id = business_id, .read = read, .arg = arg, .queued_us = clock_mono_us()};
  enum err e = line_join(r, job);
  if (e != OK) free(job);
  return e;
}
