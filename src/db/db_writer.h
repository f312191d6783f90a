/* db_writer.h - the writer: one thread that runs the write jobs of all others, with group commit (docs/internals/writer.md).
 *
 *   db_writer_submit(w, (struct db_job){.name = METRIC_JOB_EDIT, .class = DB_CLASS_EDIT, .business_id = b,
 *                                      .run = run, .done = done, .arg = a});
 *
 * Each job runs as a savepoint inside a shared transaction. The writer commits when no job waits, or after 2 ms (50 with a
 * server), and then calls `done` of every job on its own thread: with what `run` returned, or with the error of the commit. A
 * job that fails is rolled back alone. If another process holds the database longer than 5 s, the jobs fail with ERR_BUSY and
 * have changed nothing.
 *
 * A job must keep these rules
 *  (1) `run` uses only the connection that it is given, and waits for nothing else.
 *  (2) A part of a job touches at most DB_JOB_ROWS rows (db_touched). A build with test hooks aborts if one touches more.
 *  (3) A job with more rows to touch sets *more. After the commit of the part it is queued again behind all waiting jobs, and
 *      `run` is called again. It continues even if its caller has gone.
 * The writer guarantees
 *  (4) Businesses take turns. Jobs of one business and class run in the order in which they were submitted.
 *  (5) Leases go before webhooks, webhooks before edits, edits before upkeep. When none of them pauses, edits of up to 250 ms
 *      each get a fifth of the time, and upkeep too; longer ones get more (db_lanes.c, 4 and 5).
 *  (6) A job that has not begun is dropped when its deadline is over or its caller has abandoned it.
 * Thread rule: any thread. */
#pragma once

#include "base/metric.h"
#include "db/db.h"

struct db_writer;

enum { DB_JOB_ROWS = 500 };

enum db_class {
  DB_CLASS_EDIT,    /* the default: requests of people, and everything that is none of the others */
  DB_CLASS_WEBHOOK, /* webhooks: the provider may not send them again */
  DB_CLASS_LEASE,   /* reports of a worker, which loses its lease if they are late */
  DB_CLASS_UPKEEP, /* work in bounded parts that follows what others write; jobs of one name take turns with other names */
  DB_CLASS_COUNT_
};

/* With a server a transaction may be lost through no fault of its jobs: the connection is cut, the server restarts, another
 * transaction stood in the way. The writer then runs jobs again that allow it, until they have waited busy_ms. Such a run must
 * not depend on what an earlier one left in arg. For jobs of one part. */
enum db_repeat {
  DB_REPEAT_NEVER,
  DB_REPEAT_UNDONE, /* if nothing of it was committed */
  DB_REPEAT_ALWAYS, /* also if it may have been committed: run finds its own rows, and is content */
};

struct db_job {
  enum metric_label_JOB name; /* for metrics and the log */
  enum db_class class;
  int64_t business_id; /* 0: the service's own work; DB_CLASS_UPKEEP ignores it */
  enum err (*run)(struct db *db, void *arg);
  void (*done)(void *arg, enum err e); /* must not block; may be NULL */
  void *arg;
  /* Further parts (3). part_done is called after the commit of each part but the last; done after the last part, or the first
   * that failed. Committed parts stay. ERR_CLOSED: db_writer_free began between two parts. */
  const bool *more;             /* run sets it; NULL: the job has one part */
  void (*part_done)(void *arg); /* must not block; may be NULL */
  enum db_repeat repeat;
  /* For a writer of sets: does the work of all of them. NULL: not in a set. After an error the transaction is rolled back, and
   * `run` is called for each alone, so run_set may refuse what it is not made for. */
  enum err (*run_set)(struct db *db, void *const *args, int count);
  /* Checked on the writer's thread when the job's turn comes, before its first part only (6). */
  int64_t deadline_ms;             /* monotonic; past it the result is ERR_BUSY; 0: none */
  bool (*is_abandoned)(void *arg); /* true: the result is ERR_CLOSED; may be NULL */
};

struct db_writer_config {
  struct db_open open;
  /* Most jobs submitted and not done; 0: 100,000. One business may have 10,000 webhooks and 1,000 edits waiting. */
  size_t queue_max;
  /* All jobs have one part and the same run_set, DB_REPEAT_ALWAYS, and touch rows of their business only. On a server the
   * writer runs them in sets, beside those of other processes and writers (db_begin_shared); with SQLite as any jobs. */
  bool sets;
  /* Called after each commit, on the writer's thread, before `done` of its jobs; may be NULL. */
  void (*committed)(void *arg);
  void *arg;
};

CHECKED enum err db_writer_new(const struct db_writer_config *config, struct db_writer **ret_writer);
/* Runs, commits and answers all queued jobs, then joins the thread. Accepts NULL; returns NULL. */
struct db_writer *db_writer_free(struct db_writer *w);
/* Queues a job. ERR_BUSY: the queue, or the business's share of it, is full; ERR_CLOSED: db_writer_free began. On an error
 * neither run nor done is called. */
CHECKED enum err db_writer_submit(struct db_writer *w, struct db_job job);
/* Submits a job of one part without `done`, waits for its commit and returns its result. Never call it on a loop's thread. */
CHECKED enum err db_writer_call(struct db_writer *w, struct db_job job);
/* False while the database can't be written: another process holds its lock, the disk is full, or the file is gone. */
bool db_writer_healthy(struct db_writer *w);
