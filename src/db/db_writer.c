/* db_writer.c - one thread, one connection, groups of jobs.
 *
 *   waiting --its turn--> begun --2 ms, or no more jobs--> commit --on disk--> answered OK, or with run's own error
 *      |                    |                                |  `-- there is more --> waiting, for its next part
 *      |                    |                                `---- failed --> answered with why
 *      |                    `-- SQLite rolled back by itself --> all that ran so far answered with why
 *      |-- its deadline is over, or nobody wants it --> answered ERR_BUSY, ERR_CLOSED, without having begun
 *      |-- begin BUSY: tried again, until the job is busy_ms old --> answered ERR_BUSY
 *      `-- begin failed otherwise --> all that wait answered with why
 *
 * Invariants
 *  (1) done is called with OK only after the commit that holds the job's last part returned.
 *  (2) Every job that submit took is answered exactly once; one of several parts after its last.
 *  (3) A part that failed has left nothing: its savepoint, or the whole transaction, was rolled back.
 *  (4) The lock covers lanes, unanswered, closing and the condition; no SQL and no callback under it.
 *  (5) healthy is false from the first failure that is the database's, not a job's own, until a write is on disk again. While it
 *      is false, and nothing waits, an empty write each PROBE_MS finds out.
 *  (6) Whose turn it is is db_lanes.c's to say. */
#include "db/db_writer.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "db/db_lanes.h"
#include "db/db_sqlite.h"

enum {
  QUEUE_MAX = 100000,
  GROUP_US = 2000,
  BUSY_MS = 5000,
  BEGIN_SLICE_MS = 1000,
  PROBE_BUSY_MS = 100,
  PROBE_MS = 1000,
  WEBHOOKS_MAX = 10000, /* that one business has waiting */
  EDITS_MAX = 1000,
  SLOW_US = 100 * 1000,
  SLOW_LOG_MS = 10 * 1000 /* between two warnings about one name */
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
  struct lanes lanes;
  size_t unanswered; /* jobs taken by submit and not answered yet */
  bool closing;
  atomic_bool healthy;
  int64_t slow_logged_ms[METRIC_JOB_COUNT_]; /* the thread's own */
};

/* --- the queue --- */

static void list_add(struct job_list *l, struct waiting_job *j) {
  j->next = NULL;
  *l->end = j;
  l->end = &j->next;
}

/* All of from, behind what to has. */
static void list_move(struct job_list *to, struct job_list *from) {
  if (!from->first) return;
  *to->end = from->first;
  to->end = from->end;
  *from = (struct job_list){NULL, &from->first};
}

static struct waiting_job *list_take(struct job_list *l) {
  struct waiting_job *j = l->first;
  if (!j) return NULL;
  l->first = j->next;
  if (!l->first) l->end = &l->first;
  return j;
}

static enum err queue_add(struct db_writer *w, struct waiting_job *j) {
  bool was_empty = !w->lanes.oldest;
  j->queued_ms = clock_mono_ms();
  TRY(lanes_add(&w->lanes, j));
  if (was_empty) lock_cond_signal(&w->arrived);
  return OK;
}

enum err db_writer_submit(struct db_writer *w, struct db_job job) {
  struct waiting_job *j = malloc(sizeof(*j));
  if (!j) return ERR_NOMEM;
  *j = (struct waiting_job){.job = job, .result = OK};
  lock_take(&w->lock);
  enum err e = w->closing ? ERR_CLOSED : w->unanswered >= w->config.queue_max ? ERR_BUSY : queue_add(w, j);
  if (e == OK) w->unanswered++;
  lock_release(&w->lock);
  if (e == OK) return OK;
  metric_add(METRIC_DATABASE_WRITES, METRIC_WRITE_REFUSED, 1);
  free(j);
  return e;
}

static struct waiting_job *queue_take(struct db_writer *w) {
  LOCKED(&w->lock);
  return lanes_take(&w->lanes);
}

/* Sleeps until a job waits, PROBE_MS at most. False when closed and there is nothing more. *ret_oldest_ms: when the job that has
 * waited longest was queued; 0: none waits. */
static bool queue_wait(struct db_writer *w, int64_t *ret_oldest_ms) {
  LOCKED(&w->lock);
  if (!w->lanes.oldest && !w->closing) lock_cond_wait_ms(&w->arrived, &w->lock, PROBE_MS);
  *ret_oldest_ms = !w->lanes.oldest ? 0 : w->lanes.oldest->queued_ms;
  return w->lanes.oldest || !w->closing;
}

/* Moves those that were queued until then to the list. */
static void queue_take_oldest(struct db_writer *w, int64_t until_ms, struct job_list *jobs) {
  LOCKED(&w->lock);
  while (w->lanes.oldest && w->lanes.oldest->queued_ms <= until_ms) list_add(jobs, lanes_take_oldest(&w->lanes));
}

/* Puts the next part of a job behind all that wait. */
static enum err queue_again(struct db_writer *w, struct waiting_job *j) {
  LOCKED(&w->lock);
  return w->closing ? ERR_CLOSED : queue_add(w, j);
}

/* After the commit of its part. */
static bool goes_on(struct db_writer *w, struct waiting_job *j) {
  if (j->result != OK || !j->began || !j->job.more || !*j->job.more) return false;
  if (j->job.part_done) j->job.part_done(j->job.arg);
  j->result = queue_again(w, j);
  return j->result == OK;
}

/* Takes the jobs that have a further part out of the list. */
static void put_back_unfinished(struct db_writer *w, struct job_list *jobs) {
  struct job_list finished = {NULL, &finished.first};
  struct waiting_job *j;
  while ((j = list_take(jobs)))
    if (!goes_on(w, j)) list_add(&finished, j);
  list_move(jobs, &finished);
}

static unsigned label_of(const struct waiting_job *j, enum err e) {
  if (e == OK) return METRIC_WRITE_COMMITTED;
  return j->began ? METRIC_WRITE_FAILED : METRIC_WRITE_DROPPED;
}

/* done may submit again, so there is room for it before it is called. */
static void answer(struct db_writer *w, struct job_list *jobs, enum err if_ok) {
  size_t n = 0;
  for (struct waiting_job *j = jobs->first; j; j = j->next) n++;
  lock_take(&w->lock);
  w->unanswered -= n;
  lock_release(&w->lock);
  struct waiting_job *j;
  while ((j = list_take(jobs))) {
    enum err e = j->result != OK ? j->result : if_ok;
    metric_add(METRIC_DATABASE_WRITES, label_of(j, e), 1);
    if (j->job.done) j->job.done(j->job.arg, e);
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

static void note_slow(struct db_writer *w, const struct waiting_job *j, int64_t us) {
  int64_t now = clock_mono_ms(), *last = &w->slow_logged_ms[j->job.name];
  if (*last != 0 && now - *last < SLOW_LOG_MS) return;
  *last = now;
  log_warn("Slow database write", LOG_TEXT("job", metric_label_text(METRIC_DATABASE_JOB_SECONDS, 0, j->job.name)),
           LOG_INT("business", j->job.business_id), LOG_REAL("seconds", (double)us / 1e6));
}

/* False: nobody waits for it any more; its result says why it is not begun. */
static bool is_wanted(struct waiting_job *j) {
  if (j->began) return true;
  if (j->job.deadline_ms != 0 && clock_mono_ms() >= j->job.deadline_ms)
    j->result = ERR_BUSY;
  else if (j->job.unwanted && j->job.unwanted(j->job.arg))
    j->result = ERR_CLOSED;
  return j->result == OK;
}

/* Runs one part and counts what it cost. False as job_run. */
static bool part_run(struct db_writer *w, struct waiting_job *j, enum err *ret_why) {
  int64_t began_us = clock_mono_us(), rows = db_touched(w->db);
  metric_observe_of(METRIC_DATABASE_JOB_WAIT_SECONDS, j->job.name, began_us - j->queued_ms * 1000);
  j->began = true;
  bool whole = job_run(w->db, j, ret_why);
  int64_t us = clock_mono_us() - began_us;
  rows = db_touched(w->db) - rows;
#ifdef CALLREEL_TEST_HOOKS
  if (rows > DB_JOB_ROWS) {
    log_error("Database job touched too many rows",
              LOG_TEXT("job", metric_label_text(METRIC_DATABASE_JOB_SECONDS, 0, j->job.name)), LOG_INT("rows", rows));
    assert(!"a part of a job touches at most DB_JOB_ROWS rows");
  }
#endif
  (void)rows; /* without test hooks */
  metric_observe_of(METRIC_DATABASE_JOB_SECONDS, j->job.name, us);
  if (us > SLOW_US) note_slow(w, j, us);
  LOCKED(&w->lock);
  lanes_spent(&w->lanes, j, us);
  return whole;
}

/* Runs jobs until there are no more or 2 ms are over, then commits and answers. */
static void group_run(struct db_writer *w) {
  struct job_list ran = {NULL, &ran.first};
  int64_t until_us = clock_mono_us() + GROUP_US;
  enum err e = OK;
  bool whole = true, suspect = false;
  struct waiting_job *j;
  while (whole && clock_mono_us() < until_us && (j = queue_take(w))) {
    list_add(&ran, j);
    if (!is_wanted(j)) continue;
    whole = part_run(w, j, &e);
    suspect = suspect || is_of_database(j->result);
  }
  if (whole) e = commit_timed(w->db);
  if (e != OK) db_rollback(w->db);
  atomic_store(&w->healthy, e == OK && !suspect);
  if (e == OK && w->config.committed) w->config.committed(w->config.arg);
  if (e == OK) put_back_unfinished(w, &ran);
  answer(w, &ran, e);
  db_sqlite_checkpoint(w->db);
}

/* Answers the jobs that have waited their time. */
static void give_up_oldest(struct db_writer *w) {
  struct job_list late = {NULL, &late.first};
  queue_take_oldest(w, clock_mono_ms() - w->busy_ms, &late);
  if (!late.first) return;
  atomic_store(&w->healthy, false);
  answer(w, &late, ERR_BUSY);
}

static void give_up_all(struct db_writer *w, enum err why) {
  struct job_list all = {NULL, &all.first};
  queue_take_oldest(w, INT64_MAX, &all);
  atomic_store(&w->healthy, false);
  answer(w, &all, why);
}

/* The turn to write, waited for until the oldest job must be answered, at most BEGIN_SLICE_MS. */
static enum err group_begin(struct db_writer *w, int64_t oldest_ms) {
  int64_t left_ms = oldest_ms + w->busy_ms - clock_mono_ms();
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
  int64_t oldest_ms;
  while (queue_wait(w, &oldest_ms)) {
    if (oldest_ms == 0) {
      probe(w);
      continue;
    }
    enum err e = group_begin(w, oldest_ms);
    if (e == OK) {
      group_run(w);
    } else if (e == ERR_BUSY) {
      give_up_oldest(w);
    } else {
      give_up_all(w, e);
    }
  }
  return NULL;
}

/* --- life --- */

static void set_shares(struct lanes *l, size_t queue_max) {
  l->lane_max[DB_CLASS_EDIT] = queue_max < EDITS_MAX ? queue_max : EDITS_MAX;
  l->lane_max[DB_CLASS_WEBHOOK] = queue_max < WEBHOOKS_MAX ? queue_max : WEBHOOKS_MAX;
  l->lane_max[DB_CLASS_LEASE] = queue_max;
}

enum err db_writer_new(const struct db_writer_config *config, struct db_writer **ret_writer) {
  struct db_writer *w = calloc(1, sizeof(*w));
  if (!w) return ERR_NOMEM;
  w->config = *config;
  if (w->config.queue_max == 0) w->config.queue_max = QUEUE_MAX;
  w->busy_ms = config->open.busy_ms > 0 ? config->open.busy_ms : BUSY_MS;
  set_shares(&w->lanes, w->config.queue_max);
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
  (void)pthread_setname_np(w->thread, "db_writer"); /* for people and benches only */
  *ret_writer = w;
  return OK;
}

struct db_writer *db_writer_free(struct db_writer *w) {
  if (!w) return NULL;
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

enum err db_writer_call(struct db_writer *w, struct db_job job) {
  struct call call = {.run = job.run, .arg = job.arg};
  lock_init(&call.lock, "db_writer_call", LOCK_RANK_ENGINE);
  lock_cond_init(&call.answered);
  job.run = call_run;
  job.done = call_done;
  job.arg = &call;
  enum err e = db_writer_submit(w, job);
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
