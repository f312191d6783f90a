/* db_writer.h - one thread that writes, many that ask: group commit.
 *
 *   db_writer_submit(w, (struct db_job){.name = METRIC_JOB_EDIT, .business_id = b, .run = run, .done = done, .arg = a});
 *
 * Each job runs as a savepoint inside a shared transaction, which commits when no job waits or after 2 ms; then all are
 * answered. A job that fails is rolled back alone. `done` is called on the writer's thread after the commit is on disk, with
 * what `run` returned, or with why the commit failed.
 * When another process holds the database longer than 5 s the jobs fail with ERR_BUSY and nothing of them is there.
 *
 * What a job must keep to
 *  (1) `run` uses only the connection that it is given, and waits for nothing.
 *  (2) A part of a job touches at most DB_JOB_ROWS rows. A build with test hooks stops where one touches more.
 *  (3) Work that may need more rows says so: it leaves *more true, is put behind all jobs that wait once the part is
 *      committed, and `run` is called again. It goes on whether or not who asked for it is still there.
 * What a job can count on
 *  (4) Businesses take turns; jobs of one business and class run in the order in which they were submitted.
 *  (5) Leases go before webhooks, webhooks before edits; edits have a fifth of the time when all three never pause.
 *  (6) A job whose deadline is over, or that nobody wants any more, is not begun.
 * Thread rule: any thread. */
#pragma once

#include "base/metric.h"
#include "db/db.h"

struct db_writer;

enum { DB_JOB_ROWS = 500 };

enum db_class {
  DB_CLASS_EDIT,    /* what people do, and all that is not below */
  DB_CLASS_WEBHOOK, /* what the provider tells and does not repeat */
  DB_CLASS_LEASE,   /* what a worker must say in time to keep what it does */
  DB_CLASS_COUNT_
};

struct db_job {
  enum metric_label_JOB name; /* in metrics and in the log */
  enum db_class class;
  int64_t business_id; /* whose it is; 0: the service's own */
  enum err (*run)(struct db *db, void *arg);
  void (*done)(void *arg, enum err e); /* must not block; may be NULL */
  void *arg;
  /* Further parts (3). part_done is called after each part but the last, done after the last one or the first that failed: then
   * the parts before stay. ERR_CLOSED: db_writer_free came between two parts. */
  const bool *more;             /* set by run; NULL: one part is all */
  void (*part_done)(void *arg); /* must not block; may be NULL */
  /* Looked at when its turn comes (6), before its first part only. */
  int64_t deadline_ms;         /* mono; then it is answered with ERR_BUSY; 0: none */
  bool (*unwanted)(void *arg); /* on the writer's thread; true: it is answered with ERR_CLOSED; NULL: it is wanted */
};

struct db_writer_config {
  struct db_open open;
  size_t
      queue_max; /* jobs that are not answered yet; 0: 100,000. A business has at most 10,000 webhooks and 1,000 edits */
  /* After each commit, on the writer's thread, before the jobs are answered; may be NULL. */
  void (*committed)(void *arg);
  void *arg;
};

CHECKED enum err db_writer_new(const struct db_writer_config *config, struct db_writer **ret_writer);
/* Commits and answers what is queued, then joins. NULL is fine. Always NULL. */
struct db_writer *db_writer_free(struct db_writer *w);
/* ERR_BUSY when the queue, or the business's share of it, is full, ERR_CLOSED after db_writer_free began: neither run nor done
 * is called then. */
CHECKED enum err db_writer_submit(struct db_writer *w, struct db_job job);
/* Submits a job of one part without a `done` of its own, waits for the commit, returns the result. Never on a loop's thread. */
CHECKED enum err db_writer_call(struct db_writer *w, struct db_job job);
/* False while the database can't be written (locked by another for long, disk full, gone). */
bool db_writer_healthy(struct db_writer *w);
