/* db_writer.c - one thread, one connection, groups of jobs.
 *
 *   waiting --taken--> begun --2 ms, or no more jobs--> commit --on disk--> answered OK, or with run's own error
 *      |                 |                                 `---- failed --> answered with why
 *      |                 `-- SQLite rolled back by itself --> all that ran so far answered with why
 *      `-- begin BUSY: tried again, until the job is busy_ms old --> answered ERR_BUSY
 *      `-- begin failed otherwise --> all that wait answered with why
 *
 * Invariants
 *  (1) done is called with OK only after the commit that holds the job returned.
 *  (2) Every job that submit took is answered exactly once, in the order of submission within its group; one of several parts
 *      after its last.
 *  (3) A job that failed has left nothing: its savepoint, or the whole transaction, was rolled back.
 *  (4) The lock covers queue, closing and their condition; no SQL and no callback under it.
 *  (5) healthy is false from the first failure that is the database's, not a job's own, until a write is on disk again.
 * While it is false, and nothing waits, an empty write each PROBE_MS finds out. */
#include "db/db_writer.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/metric.h"
#include "db/db_sqlite.h"

enum {
  QUEUE_MAX = 100000,
  GROUP_US = 2000,
  BUSY_MS = 5000,
  BEGIN_SLICE_MS = 1000,
  PROBE_BUSY_MS = 100,
  PROBE_MS = 1000
};

struct waiting_job {
  struct db_job job;
  struct waiting_job *next;
  int64_t queued_ms;
  enum err result;
};

struct job_list {
  struct waiting_job *first, **end;
};

struct db_writer {
  struct db_writer_config config;
  int64_t busy_ms;
  struct db *db;
  pthread_t thread;
  struct lock lock;
  struct lock_cond arrived;
  struct job_list queue;
  size_t unanswered; /* jobs taken by submit and not answered yet */
  bool closing;
  atomic_bool healthy;
};

/* --- the queue --- */

static void list_add(struct job_list *l, struct waiting_job *j) {
  j->next = NULL;
  *l->end = j;
  l->end = &j->next;
}

/* All of from, behind what to has. */
static void list_move(struct job_list *to, struct job_list *from) {
  if (from->first == NULL) return;
  *to->end = from->first;
  to->end = from->end;
  *from = (struct job_list){NULL, &from->first};
}

static struct waiting_job *list_take(struct job_list *l) {
  struct waiting_job *j = l->first;
  if (j == NULL) return NULL;
  l->first = j->next;
  if (l->first == NULL) l->end = &l->first;
  return j;
}

enum err db_writer_submit(struct db_writer *w, struct db_job job) {
  struct waiting_job *j = malloc(sizeof *j);
  if (j == NULL) return ERR_NOMEM;
  *j = (struct waiting_job){.job = job, .queued_ms = clock_mono_ms(), .result = OK};
  lock_take(&w->lock);
  enum err e = w->closing ? ERR_CLOSED : w->unanswered >= w->config.queue_max ? ERR_BUSY : OK;
  if (e == OK) {
    if (w->queue.first == NULL) lock_cond_signal(&w->arrived);
    list_add(&w->queue, j);
    w->unanswered++;
  }
  lock_release(&w->lock);
  if (e == OK) return OK;
  metric_add(METRIC_DATABASE_WRITES, METRIC_WRITE_REFUSED, 1);
  free(j);
  return e;
}

/* Moves what has arrived behind *jobs; with wait, sleeps for it. False when closed and there is nothing more. */
static bool queue_collect(struct db_writer *w, struct job_list *jobs, bool wait) {
  LOCKED(&w->lock);
  if (wait && w->queue.first == NULL && !w->closing) lock_cond_wait_ms(&w->arrived, &w->lock, PROBE_MS);
  bool more = w->queue.first != NULL || !w->closing;
  list_move(jobs, &w->queue);
  return more;
}

/* Puts the next part of a job behind all that waits. False: the writer is closing. */
static bool queue_again(struct db_writer *w, struct waiting_job *j) {
  LOCKED(&w->lock);
  if (w->closing) return false;
  j->queued_ms = clock_mono_ms();
  list_add(&w->queue, j);
  return true;
}

/* After the commit of its part. */
static bool goes_on(struct db_writer *w, struct waiting_job *j) {
  if (j->result != OK || j->job.more == NULL || !*j->job.more) return false;
  if (j->job.part_done != NULL) j->job.part_done(j->job.arg);
  if (queue_again(w, j)) return true;
  j->result = ERR_CLOSED;
  return false;
}

/* Takes the jobs that have a further part out of the list. */
static void put_back_unfinished(struct db_writer *w, struct job_list *jobs) {
  struct job_list finished = {NULL, &finished.first};
  struct waiting_job *j;
  while ((j = list_take(jobs)) != NULL)
    if (!goes_on(w, j)) list_add(&finished, j);
  list_move(jobs, &finished);
}

/* done may submit again, so there is room for it before it is called. */
static void answer(struct db_writer *w, struct job_list *jobs, enum err if_ok) {
  size_t n = 0;
  for (struct waiting_job *j = jobs->first; j != NULL; j = j->next) n++;
  lock_take(&w->lock);
  w->unanswered -= n;
  lock_release(&w->lock);
  struct waiting_job *j;
  while ((j = list_take(jobs)) != NULL) {
    enum err e = j->result != OK ? j->result : if_ok;
    metric_add(METRIC_DATABASE_WRITES, e == OK ? METRIC_WRITE_COMMITTED : METRIC_WRITE_FAILED, 1);
    if (j->job.done != NULL) j->job.done(j->job.arg, e);
    free(j);
  }
}

/* --- a group --- */

/* What says something of the database rather than of the one job. */
static bool is_of_database(enum err e) {
  return e == ERR_FULL || e == ERR_IO || e == ERR_CORRUPT || e == ERR_BUSY;
}

/* False: SQLite has rolled the whole transaction back, or the savepoint can't be trusted; *ret_why says why. */
static bool job_run(struct db *db, struct waiting_job *j, enum err *ret_why) {
  enum err e = db_run(db, "savepoint job");
  if (e == OK) {
    j->result = j->job.run(db, j->job.arg);
    if (!db_in_transaction(db)) {
      *ret_why = is_of_database(j->result) || j->result == ERR_NOMEM ? j->result : ERR_IO;
      return false;
    }
    if (j->result != OK) e = db_run(db, "rollback to job");
  }
  if (e == OK) e = db_run(db, "release job");
  *ret_why = e;
  return e == OK;
}

static enum err commit_timed(struct db *db) {
  int64_t began_us = clock_mono_us();
  enum err e = db_commit(db);
  metric_observe(METRIC_DATABASE_COMMIT_SECONDS, clock_mono_us() - began_us);
  return e;
}

/* Runs jobs until there are no more or 2 ms are over, then commits and answers. */
static void group_run(struct db_writer *w, struct job_list *jobs) {
  struct job_list ran = {NULL, &ran.first};
  int64_t until_us = clock_mono_us() + GROUP_US;
  enum err e = OK;
  bool whole = true, suspect = false;
  do {
    struct waiting_job *j = list_take(jobs);
    list_add(&ran, j);
    whole = job_run(w->db, j, &e);
    suspect = suspect || is_of_database(j->result);
    if (jobs->first == NULL) (void)queue_collect(w, jobs, false); /* the loop of the thread asks whether it is closed */
  } while (whole && jobs->first != NULL && clock_mono_us() < until_us);
  if (whole) e = commit_timed(w->db);
  if (e != OK) db_rollback(w->db);
  atomic_store(&w->healthy, e == OK && !suspect);
  if (e == OK && w->config.committed != NULL) w->config.committed(w->config.arg);
  if (e == OK) put_back_unfinished(w, &ran);
  answer(w, &ran, e);
  db_sqlite_checkpoint(w->db);
}

/* Answers the jobs that have waited their time. */
static void give_up_oldest(struct db_writer *w, struct job_list *jobs) {
  int64_t now = clock_mono_ms();
  struct job_list late = {NULL, &late.first};
  while (jobs->first != NULL && now - jobs->first->queued_ms >= w->busy_ms) list_add(&late, list_take(jobs));
  if (late.first == NULL) return;
  atomic_store(&w->healthy, false);
  answer(w, &late, ERR_BUSY);
}

/* The turn to write, waited for until the oldest job must be answered, at most BEGIN_SLICE_MS. */
static enum err group_begin(struct db_writer *w, const struct waiting_job *oldest) {
  int64_t left_ms = oldest->queued_ms + w->busy_ms - clock_mono_ms();
  w->db->busy_ms = left_ms < 1 ? 1 : left_ms > BEGIN_SLICE_MS ? BEGIN_SLICE_MS : left_ms;
  return db_begin_immediate(w->db);
}

/* An empty write: the database's user version as it is. */
static void probe(struct db_writer *w) {
  if (atomic_load(&w->healthy)) {
    if (db_sqlite_check_file(w->db) != OK) atomic_store(&w->healthy, false);
    return;
  }
  w->db->busy_ms = PROBE_BUSY_MS;
  enum err e = db_begin_immediate(w->db);
  int64_t version = 0;
  if (e == OK) {
    struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
    e = db_query(w->db, &q, "pragma user_version");
    if (e == OK) e = db_next(&q);
    if (e == OK) version = db_int(&q, 0);
  }
  struct buf sql CLEANUP(buf_done) = BUF_INIT(64);
  const char *text = NULL;
  if (e == OK) e = buf_addf(&sql, "pragma user_version=%d", (int)version);
  if (e == OK) e = buf_terminate(&sql, &text);
  if (e == OK) e = db_script(w->db, text);
  if (e == OK) e = db_commit(w->db);
  db_rollback(w->db);
  if (e == OK) atomic_store(&w->healthy, true);
}

static void *writer_main(void *arg) {
  struct db_writer *w = arg;
  struct job_list jobs = {NULL, &jobs.first};
  while (queue_collect(w, &jobs, jobs.first == NULL) || jobs.first != NULL) {
    if (jobs.first == NULL) {
      probe(w);
      continue;
    }
    enum err e = group_begin(w, jobs.first);
    if (e == OK) {
      group_run(w, &jobs);
    } else if (e == ERR_BUSY) {
      give_up_oldest(w, &jobs);
    } else {
      atomic_store(&w->healthy, false);
      answer(w, &jobs, e);
    }
  }
  return NULL;
}

/* --- life --- */

enum err db_writer_new(const struct db_writer_config *config, struct db_writer **ret_writer) {
  struct db_writer *w = calloc(1, sizeof *w);
  if (w == NULL) return ERR_NOMEM;
  w->config = *config;
  if (w->config.queue_max == 0) w->config.queue_max = QUEUE_MAX;
  w->busy_ms = config->open.busy_ms > 0 ? config->open.busy_ms : BUSY_MS;
  w->queue = (struct job_list){NULL, &w->queue.first};
  atomic_init(&w->healthy, true);
  enum err e = db_open(&config->open, NULL, &w->db);
  if (e != OK) {
    free(w);
    return e;
  }
  w->config.open.url = NULL; /* the caller's */
  w->db->checkpoint_later = true;
  lock_init(&w->lock, "db_writer", LOCK_RANK_ENGINE);
  lock_cond_init(&w->arrived);
  if (pthread_create(&w->thread, NULL, writer_main, w) != 0) {
    lock_cond_done(&w->arrived);
    lock_done(&w->lock);
    db_close(w->db);
    free(w);
    return ERR_NOMEM;
  }
  *ret_writer = w;
  return OK;
}

struct db_writer *db_writer_free(struct db_writer *w) {
  if (w == NULL) return NULL;
  lock_take(&w->lock);
  w->closing = true;
  lock_cond_signal(&w->arrived);
  lock_release(&w->lock);
  pthread_join(w->thread, NULL);
  db_close(w->db);
  lock_cond_done(&w->arrived);
  lock_done(&w->lock);
  free(w);
  return NULL;
}

struct call {
  enum err (*run)(struct db *db, void *arg);
  void *arg;
  struct lock lock;
  struct lock_cond answered;
  bool is_answered;
  enum err result;
};

static enum err call_run(struct db *db, void *arg) {
  struct call *call = arg;
  return call->run(db, call->arg);
}

static void call_done(void *arg, enum err e) {
  struct call *call = arg;
  LOCKED(&call->lock);
  call->result = e;
  call->is_answered = true;
  lock_cond_signal(&call->answered);
}

enum err db_writer_call(struct db_writer *w, enum err (*run)(struct db *db, void *arg), void *arg) {
  struct call call = {.run = run, .arg = arg};
  lock_init(&call.lock, "db_writer_call", LOCK_RANK_ENGINE);
  lock_cond_init(&call.answered);
  enum err e = db_writer_submit(w, (struct db_job){.run = call_run, .done = call_done, .arg = &call});
  if (e == OK) {
    lock_take(&call.lock);
    while (!call.is_answered) lock_cond_wait(&call.answered, &call.lock);
    e = call.result;
    lock_release(&call.lock);
  }
  lock_cond_done(&call.answered);
  lock_done(&call.lock);
  return e;
}

bool db_writer_healthy(struct db_writer *w) {
  return atomic_load(&w->healthy);
}
