/* db_readers.c - a pool whose threads each have a connection.
 *
 *   asked --db_readers_run--> queued --a thread is free--> connection made sure of --> look(db), or look(NULL)
 *
 * Invariants
 *  (1) connections[i] is used by thread i alone; it is opened at the first look that needs it and stays.
 *  (2) A look leaves neither transaction nor deadline behind: the next one starts clean.
 *  (3) What db_readers_run took is looked at exactly once, also while closing. */
#include "db/db_readers.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/metric.h"
#include "base/pool.h"

struct db_readers {
  struct pool *pool;
  char *url;
  int64_t busy_ms;
  unsigned threads;
  struct db *connections[];
};

struct reader_job {
  struct db_readers *readers;
  void (*look)(struct db *db, void *arg);
  void *arg;
  int64_t asked_us;
};

static struct db *connection_of(struct db_readers *r, unsigned worker) {
  if (r->connections[worker] == NULL) {
    struct db_open how = {.url = r->url, .read_only = true, .busy_ms = r->busy_ms};
    struct db *db;
    if (db_open(&how, NULL, &db) != OK) return NULL; /* tried again at the next look */
    r->connections[worker] = db;
  }
  return r->connections[worker];
}

static void run_look(void *arg, unsigned worker) {
  struct reader_job job = *(struct reader_job *)arg;
  free(arg);
  struct db *db = connection_of(job.readers, worker);
  job.look(db, job.arg);
  metric_observe(METRIC_DATABASE_READ_SECONDS, clock_mono_us() - job.asked_us);
  if (db == NULL) return;
  db_deadline(db, 0);
  db_rollback(db);
}

enum err db_readers_new(const struct db_open *how, unsigned threads, size_t queue_max,
                        struct db_readers **ret_readers) {
  assert(threads > 0 && how->url != NULL);
  struct db_readers *r = calloc(1, sizeof(*r) + threads * sizeof(r->connections[0]));
  if (r == NULL) return ERR_NOMEM;
  r->threads = threads;
  r->busy_ms = how->busy_ms;
  r->url = str_dup(str_from(how->url));
  enum err e = r->url == NULL ? ERR_NOMEM : pool_new("read", threads, queue_max, &r->pool);
  if (e != OK) {
    db_readers_free(r);
    return e;
  }
  *ret_readers = r;
  return OK;
}

struct db_readers *db_readers_free(struct db_readers *r) {
  if (r == NULL) return NULL;
  pool_free(r->pool);
  for (unsigned i = 0; i < r->threads; i++) db_close(r->connections[i]);
  free(r->url);
  free(r);
  return NULL;
}

enum err db_readers_run(struct db_readers *r, void (*look)(struct db *db, void *arg), void *arg) {
  struct reader_job *job = malloc(sizeof(*job));
  if (job == NULL) return ERR_NOMEM;
  *job = (struct reader_job){r, look, arg, clock_mono_us()};
  enum err e = pool_run(r->pool, run_look, job);
  if (e != OK) free(job);
  return e;
}
