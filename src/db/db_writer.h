/* db_writer.h - one thread that writes, many that ask: group commit.
 *
 * Each job runs as a savepoint inside a shared transaction, which commits when the queue is empty or after 2 ms; then all are
 * answered. A job that fails is rolled back alone. `done` is called on the writer's thread after the commit is on disk
 * (synchronous=FULL), with what `run` returned, or with why the commit failed.
 * When another process holds the database longer than 5 s the jobs fail with ERR_BUSY and nothing of them is there.
 * Thread rule: any thread. `run` uses only the connection it is given, and must not wait for anything. */
#pragma once

#include "db/db.h"

struct db_writer;

/* One piece of work, in one part or in many. A part touches at most DB_JOB_ROWS rows, so that nobody waits long for it. A job
 * whose `run` leaves *more true is put behind all that waits once the part is committed, and `run` is called again.
 * part_done is called after each part but the last, done after the last one or the first that failed: then the parts before
 * stay. A job that is cut off by db_writer_free ends with ERR_CLOSED. */
struct db_job {
  enum err (*run)(struct db *db, void *arg);
  void (*done)(void *arg, enum err e); /* must not block; may be NULL */
  void *arg;
  const bool *more;             /* set by run; NULL: one part is all */
  void (*part_done)(void *arg); /* must not block; may be NULL */
};
enum { DB_JOB_ROWS = 500 };

struct db_writer_config {
  struct db_open open;
  size_t queue_max; /* jobs that are not answered yet; 0: 100,000 */
  /* After each commit, on the writer's thread, before the jobs are answered; may be NULL. */
  void (*committed)(void *arg);
  void *arg;
};

CHECKED enum err db_writer_new(const struct db_writer_config *config, struct db_writer **ret_writer);
/* Commits and answers what is queued, then joins. NULL is fine. Always NULL. */
struct db_writer *db_writer_free(struct db_writer *w);
/* ERR_BUSY when the queue is full, ERR_CLOSED after db_writer_free began: neither run nor done is called then. */
CHECKED enum err db_writer_submit(struct db_writer *w, struct db_job job);
/* Submits, waits for the commit, returns the result. Never on a loop's thread. */
CHECKED enum err db_writer_call(struct db_writer *w, enum err (*run)(struct db *db, void *arg), void *arg);
/* False while the database can't be written (locked by another for long, disk full, gone). */
bool db_writer_healthy(struct db_writer *w);
