/* db_writer.c - one thread with one connection runs jobs in groups.
 *
 *   waiting --its turn--> run   --2 ms, or no job waits--> commit --on disk--> answered with run's result
 *      |                    |                                |  `-- *more is set --> waiting, for its next part
 *      |                    |                                `---- failed --> answered with the error
 *      |                    `-- the database rolled back by itself --> all jobs of the group answered with the error
 *      |                           `-- a server's transaction was lost, the job may be repeated --> run alone
 *      |-- deadline over, or abandoned --> answered with ERR_BUSY or ERR_CLOSED, not begun
 *      |-- BEGIN is BUSY: tried again until the job has waited busy_ms --> answered with ERR_BUSY
 *      |-- BEGIN fails otherwise --> all waiting jobs answered with the error
 *      `-- a writer of sets: what waits --run_set--> commit --on disk--> answered
 *                                              `---- an error, nothing is written --> each is run alone, as above
 *
 * Invariants
 *  (1) done gets OK only after the commit of the job's last part returned.
 *  (2) Every submitted job is answered exactly once: after its last part, or after the first that failed.
 *  (3) A failed part has changed nothing: its savepoint, or the whole transaction, was rolled back.
 *  (4) The lock covers lanes, unanswered, closing and the condition. No SQL and no callback runs under it.
 *  (5) healthy is false from the first error of the database (not of a job) until a write is on disk again. While it is false
 *      and no job waits, the writer tries an empty write every PROBE_MS.
 *  (6) db_lanes.c decides which job is next. Jobs to be repeated go before all others, each in a transaction of its own; after
 *      one that failed again, a group of others goes first. So one that ends the connection each time stops no other.
 *  (7) Only the writer's thread uses `again` and failed_again. */
#include "db/db_writer.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "db/db_lanes.h"
#include "db/db_operations.h"

enum {
  QUEUE_MAX = 100000,
  BUSY_MS = 5000,
  BEGIN_SLICE_MS = 1000,
  PROBE_BUSY_MS = 100,
  PROBE_MS = 1000,
  WEBHOOKS_MAX = 10000, /* waiting jobs of one business */
  EDITS_MAX = 1000,
  SLOW_US = 100 * 1000,
  SLOW_LOG_MS = 10 * 1000, /* between two warnings with the same name */
  SET_MAX = 256
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
  size_t unanswered; /* jobs submitted and not answered */
  bool closing;
  atomic_bool healthy;
  struct job_list again;                     /* jobs that are to be repeated (6, 7) */
  bool failed_again;                         /* the last group was such a job, and failed */
  int64_t slow_logged_ms[METRIC_JOB_COUNT_]; /* used by the writer's thread only */
};

/* --- the queue --- */

static void list_add(struct job_list *l, struct waiting_job *j) {
  j->next = NULL;
  *l->end = j;
  l->end = &j->next;
}

/* Appends all jobs of `from` to `to`. */
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

/* (6) */
static bool queue_repeats_first(struct db_writer *w) {
  if (!w->again.first || !w->failed_again) return w->again.first;
  LOCKED(&w->lock);
  return !w->lanes.oldest;
}

/* Sleeps until a job waits, PROBE_MS at most. False: closing, and no job waits. *ret_oldest_ms: when the job that has waited
 * longest was queued; 0: none waits. */
static bool queue_wait(struct db_writer *w, int64_t *ret_oldest_ms) {
  if (w->again.first) {
    *ret_oldest_ms = w->again.first->queued_ms;
    return true;
  }
  LOCKED(&w->lock);
  int64_t wait_ms = w->db->upkeep_in_ms ? w->db->upkeep_in_ms : PROBE_MS;
  if (!w->lanes.oldest && !w->closing) lock_cond_wait_ms(&w->arrived, &w->lock, wait_ms);
  *ret_oldest_ms = !w->lanes.oldest ? 0 : w->lanes.oldest->queued_ms;
  return w->lanes.oldest || !w->closing;
}

/* Moves the jobs that were queued at until_ms or before to the list. */
static void queue_take_oldest(struct db_writer *w, int64_t until_ms, struct job_list *jobs) {
  while (w->again.first && w->again.first->queued_ms <= until_ms) list_add(jobs, list_take(&w->again));
  LOCKED(&w->lock);
  while (w->lanes.oldest && w->lanes.oldest->queued_ms <= until_ms) list_add(jobs, lanes_take_oldest(&w->lanes));
}

/* Queues the next part of a job behind all waiting jobs. */
static enum err queue_next_part(struct db_writer *w, struct waiting_job *j) {
  LOCKED(&w->lock);
  return w->closing ? ERR_CLOSED : queue_add(w, j);
}

/* After the commit of a part: queues the next one. False: the job is finished. */
static bool job_continue(struct db_writer *w, struct waiting_job *j) {
  if (j->result != OK || !j->began || !j->job.more || !*j->job.more) return false;
  if (j->job.part_done) j->job.part_done(j->job.arg);
  j->result = queue_next_part(w, j);
  return j->result == OK;
}

/* Queues further parts, and leaves only finished jobs in the list. */
static void queue_unfinished(struct db_writer *w, struct job_list *jobs) {
  struct job_list finished = {NULL, &finished.first};
  struct waiting_job *j;
  while ((j = list_take(jobs)))
    if (!job_continue(w, j)) list_add(&finished, j);
  list_move(jobs, &finished);
}

static unsigned write_label_of(const struct waiting_job *j, enum err e) {
  if (e == OK) return METRIC_WRITE_COMMITTED;
  return j->began ? METRIC_WRITE_FAILED : METRIC_WRITE_DROPPED;
}

/* Calls done of all jobs, with if_ok where the job itself succeeded. `done` may submit again, so `unanswered` falls first. */
static void jobs_answer(struct db_writer *w, struct job_list *jobs, enum err if_ok) {
  size_t n = 0;
  for (struct waiting_job *j = jobs->first; j; j = j->next) n++;
  lock_take(&w->lock);
  w->unanswered -= n;
  lock_release(&w->lock);
  struct waiting_job *j;
  while ((j = list_take(jobs))) {
    enum err e = j->result != OK ? j->result : if_ok;
    metric_add(METRIC_DATABASE_WRITES, write_label_of(j, e), 1);
    if (j->job.done) j->job.done(j->job.arg, e);
    free(j);
  }
}

/* --- a group --- */

/* True: the error is the database's, not the job's. */
static bool is_database_error(enum err e) {
  return e == ERR_FULL || e == ERR_IO || e == ERR_CORRUPT || e == ERR_BUSY || e == ERR_UNKNOWN;
}

/* False: The database has rolled back the whole transaction, or the savepoint failed; *ret_why is the error. */
static bool job_run(struct db *db, struct waiting_job *j, enum err *ret_why) {
  enum err e = db->operations->savepoint(db);
  if (e == OK) {
    j->result = j->job.run(db, j->job.arg);
    if (!db_in_transaction(db)) {
      *ret_why = is_database_error(j->result) || j->result == ERR_NOMEM ? j->result : ERR_IO;
      return false;
    }
    e = j->result == OK ? db->operations->savepoint_release(db) : db->operations->savepoint_rollback(db);
  }
  *ret_why = e;
  return e == OK;
}

static enum err commit_timed(struct db *db) {
  int64_t began_us = clock_mono_us();
  enum err e = db_commit(db);
  metric_observe(METRIC_DATABASE_COMMIT_SECONDS, clock_mono_us() - began_us);
  return e;
}

static void log_slow_job(struct db_writer *w, const struct waiting_job *j, int64_t us) {
  int64_t now = clock_mono_ms(), *last = &w->slow_logged_ms[j->job.name];
  if (*last != 0 && now - *last < SLOW_LOG_MS) return;
  *last = now;
  log_warn("Slow database write", LOG_TEXT("job", metric_label_text(METRIC_DATABASE_JOB_SECONDS, 0, j->job.name)),
           LOG_INT("business", j->job.business_id), LOG_REAL("seconds", (double)us / 1e6));
}

/* False: the job is dropped before it begins (db_writer.h, 6); its result is set. */
static bool job_may_begin(struct waiting_job *j) {
  if (j->began) return true;
  if (j->job.deadline_ms != 0 && clock_mono_ms() >= j->job.deadline_ms)
    j->result = ERR_BUSY;
  else if (j->job.is_abandoned && j->job.is_abandoned(j->job.arg))
    j->result = ERR_CLOSED;
  return j->result == OK;
}

/* Runs one part and records its cost. Returns what job_run returns. */
static bool part_run(struct db_writer *w, struct waiting_job *j, enum err *ret_why) {
  int64_t began_us = clock_mono_us(), rows = db_touched(w->db);
  metric_observe_of(METRIC_DATABASE_JOB_WAIT_SECONDS, j->job.name, began_us - j->queued_ms * 1000);
  j->began = true;
  bool transaction_stands = job_run(w->db, j, ret_why);
  int64_t us = clock_mono_us() - began_us;
  rows = db_touched(w->db) - rows;
#ifdef CALLREEL_TEST_HOOKS
  if (rows > DB_JOB_ROWS) {
    log_error("Database job touched too many rows",
              LOG_TEXT("job", metric_label_text(METRIC_DATABASE_JOB_SECONDS, 0, j->job.name)), LOG_INT("rows", rows));
    assert(!"a part of a job touches at most DB_JOB_ROWS rows");
  }
#endif
  (void)rows; /* unused without test hooks */
  metric_observe_of(METRIC_DATABASE_JOB_SECONDS, j->job.name, us);
  if (us > SLOW_US) log_slow_job(w, j, us);
  LOCKED(&w->lock);
  lanes_spent(&w->lanes, j, us);
  return transaction_stands;
}

static bool job_may_repeat(const struct db_writer *w, const struct waiting_job *j, enum err why) {
  if (!j->began || j->job.more || j->queued_ms + w->busy_ms <= clock_mono_ms()) return false;
  if (why == ERR_UNKNOWN) return j->job.repeat == DB_REPEAT_ALWAYS;
  return j->job.repeat != DB_REPEAT_NEVER && (why == ERR_IO || why == ERR_BUSY || why == ERR_TIMEOUT);
}

/* Keeps the jobs that are to be repeated, and leaves the others in the list. e: the result of the transaction. */
static void queue_repeats(struct db_writer *w, struct job_list *jobs, enum err e) {
  if (!w->db->operations->repeats) return;
  struct job_list others = {NULL, &others.first};
  struct waiting_job *j;
  while ((j = list_take(jobs))) {
    if (!job_may_repeat(w, j, j->result != OK ? j->result : e)) {
      list_add(&others, j);
      continue;
    }
    j->result = OK;
    j->began = false;
    list_add(&w->again, j);
  }
  list_move(jobs, &others);
}

/* Runs jobs until none waits or 2 ms are over, then commits and answers them. */
static void group_run(struct db_writer *w) {
  struct job_list ran = {NULL, &ran.first};
  int64_t until_us = clock_mono_us() + w->db->operations->group_us;
  enum err e = OK;
  bool transaction_stands = true, saw_database_error = false;
  struct waiting_job *j;
  bool repeats = queue_repeats_first(w);
  w->db->runs_at_once = repeats;
  int most = repeats ? 1 : w->db->operations->group_max, count = 0;
  while (transaction_stands && clock_mono_us() < until_us && (most == 0 || count++ < most) &&
         (j = repeats ? list_take(&w->again) : queue_take(w))) {
    list_add(&ran, j);
    if (!job_may_begin(j)) continue;
    transaction_stands = part_run(w, j, &e);
    saw_database_error = saw_database_error || is_database_error(j->result);
  }
  if (transaction_stands) e = commit_timed(w->db);
  if (e != OK) db_rollback(w->db);
  atomic_store(&w->healthy, e == OK && !saw_database_error);
  if (e == OK && w->config.committed) w->config.committed(w->config.arg);
  w->failed_again = repeats && e != OK;
  queue_repeats(w, &ran, e);
  if (e == OK) queue_unfinished(w, &ran);
  jobs_answer(w, &ran, e);
  w->db->operations->upkeep(w->db);
}

/* ---- a set ---- */

/* Takes what waits, and leaves out jobs that are not to begin: those have their result. */
static int set_take(struct db_writer *w, struct job_list *ran, struct waiting_job *set[SET_MAX]) {
  int most = w->db->operations->set_max < SET_MAX ? w->db->operations->set_max : SET_MAX, count = 0;
  struct waiting_job *j;
  while (count < most && (j = queue_take(w))) {
    list_add(ran, j);
    if (job_may_begin(j)) set[count++] = j;
  }
  return count;
}

static void set_note(struct db_writer *w, struct waiting_job *const *set, int count, int64_t began_us) {
  int64_t us = (clock_mono_us() - began_us) / count;
  for (int i = 0; i < count; i++) {
    set[i]->began = true;
    metric_observe_of(METRIC_DATABASE_JOB_WAIT_SECONDS, set[i]->job.name, began_us - set[i]->queued_ms * 1000);
    metric_observe_of(METRIC_DATABASE_JOB_SECONDS, set[i]->job.name, us);
  }
  if (us > SLOW_US) log_slow_job(w, set[0], us);
}

static enum err set_run(struct db_writer *w, struct waiting_job *const *set, int count) {
  void *args[SET_MAX];
  int64_t businesses[SET_MAX], began_us = clock_mono_us();
  for (int i = 0; i < count; i++) {
    args[i] = set[i]->job.arg;
    businesses[i] = set[i]->job.business_id;
    assert(set[i]->job.run_set == set[0]->job.run_set && set[i]->job.repeat == DB_REPEAT_ALWAYS);
  }
  enum err e = count ? db_lock_businesses(w->db, businesses, count) : OK;
  if (e == OK && count) e = set[0]->job.run_set(w->db, args, count);
  if (count) set_note(w, set, count, began_us);
  return e == OK ? commit_timed(w->db) : e;
}

/* Runs the waiting jobs as one, in a transaction that has begun. */
static void set_group_run(struct db_writer *w) {
  struct job_list ran = {NULL, &ran.first};
  struct waiting_job *set[SET_MAX];
  w->db->runs_at_once = false;
  enum err e = set_run(w, set, set_take(w, &ran, set));
  if (e != OK) db_rollback(w->db);
  if (e == OK || is_database_error(e)) atomic_store(&w->healthy, e == OK);
  if (e == OK && w->config.committed) w->config.committed(w->config.arg);
  w->failed_again = false;
  /* After any error each job is run again alone, and gets an error of its own. */
  queue_repeats(w, &ran, e == OK || e == ERR_UNKNOWN ? e : ERR_BUSY);
  jobs_answer(w, &ran, e);
  w->db->operations->upkeep(w->db);
}

/* Answers the jobs that have waited busy_ms. */
static void fail_oldest_jobs(struct db_writer *w) {
  struct job_list late = {NULL, &late.first};
  queue_take_oldest(w, clock_mono_ms() - w->busy_ms, &late);
  if (!late.first) return;
  atomic_store(&w->healthy, false);
  jobs_answer(w, &late, ERR_BUSY);
}

static void fail_all_jobs(struct db_writer *w, enum err why) {
  struct job_list all = {NULL, &all.first};
  queue_take_oldest(w, INT64_MAX, &all);
  atomic_store(&w->healthy, false);
  jobs_answer(w, &all, why);
}

/* Begins the transaction. Waits until the oldest job must be answered, BEGIN_SLICE_MS at most. */
static enum err group_begin(struct db_writer *w, int64_t oldest_ms, bool is_set) {
  int64_t left_ms = oldest_ms + w->busy_ms - clock_mono_ms();
  w->db->busy_ms = left_ms < 1 ? 1 : left_ms > BEGIN_SLICE_MS ? BEGIN_SLICE_MS : left_ms;
  return is_set ? db_begin_shared(w->db) : db_begin_immediate(w->db);
}

/* Healthy: looks whether the database is still there. Else tries an empty write. */
static void writer_probe(struct db_writer *w) {
  const struct db_operations *operations = w->db->operations;
  if (atomic_load(&w->healthy)) {
    if (operations->probe_read(w->db) != OK) atomic_store(&w->healthy, false);
    return;
  }
  w->db->busy_ms = PROBE_BUSY_MS;
  if (operations->probe_write(w->db) == OK) atomic_store(&w->healthy, true);
}

static void *writer_main(void *arg) {
  struct db_writer *w = arg;
  int64_t oldest_ms;
  while (queue_wait(w, &oldest_ms)) {
    if (oldest_ms == 0) {
      if (w->db->upkeep_in_ms)
        w->db->operations->upkeep(w->db);
      else
        writer_probe(w);
      continue;
    }
    bool is_set = w->config.sets && w->db->operations->set_max && !queue_repeats_first(w);
    enum err e = group_begin(w, oldest_ms, is_set);
    if (e == OK && is_set) {
      set_group_run(w);
    } else if (e == OK) {
      group_run(w);
    } else if (e == ERR_BUSY) {
      fail_oldest_jobs(w);
    } else {
      fail_all_jobs(w, e);
    }
  }
  return NULL;
}

/* --- life --- */

static void set_shares(struct lanes *l, size_t queue_max) {
  l->lane_max[DB_CLASS_EDIT] = queue_max < EDITS_MAX ? queue_max : EDITS_MAX;
  l->lane_max[DB_CLASS_WEBHOOK] = queue_max < WEBHOOKS_MAX ? queue_max : WEBHOOKS_MAX;
  l->lane_max[DB_CLASS_LEASE] = l->lane_max[DB_CLASS_UPKEEP] = queue_max;
}

enum err db_writer_new(const struct db_writer_config *config, struct db_writer **ret_writer) {
  struct db_writer *w = calloc(1, sizeof(*w));
  if (!w) return ERR_NOMEM;
  w->config = *config;
  if (w->config.queue_max == 0) w->config.queue_max = QUEUE_MAX;
  w->busy_ms = config->open.busy_ms > 0 ? config->open.busy_ms : BUSY_MS;
  set_shares(&w->lanes, w->config.queue_max);
  w->again = (struct job_list){NULL, &w->again.first};
  atomic_init(&w->healthy, true);
  w->config.open.keeps_plans = config->sets;
  enum err e = db_open(&w->config.open, NULL, &w->db);
  if (e != OK) {
    free(w);
    return e;
  }
  w->config.open = (struct db_open){0}; /* its texts belong to the caller */
  w->db->upkeep_later = true;
  lock_init(&w->lock, "db_writer", LOCK_RANK_ENGINE);
  lock_cond_init(&w->arrived);
  if (pthread_create(&w->thread, NULL, writer_main, w) != 0) {
    lock_cond_done(&w->arrived);
    lock_done(&w->lock);
    db_close(w->db);
    free(w);
    return ERR_NOMEM;
  }
  (void)pthread_setname_np(w->thread, "db_writer"); /* a name for people and benches */
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

struct blocking_call {
  enum err (*run)(struct db *db, void *arg);
  void *arg;
  struct lock lock;
  struct lock_cond answered;
  bool is_answered;
  enum err result;
};

static enum err blocking_call_run(struct db *db, void *arg) {
  struct blocking_call *call = arg;
  return call->run(db, call->arg);
}

static void blocking_call_done(void *arg, enum err e) {
  struct blocking_call *call = arg;
  LOCKED(&call->lock);
  call->result = e;
  call->is_answered = true;
  lock_cond_signal(&call->answered);
}

enum err db_writer_call(struct db_writer *w, struct db_job job) {
  struct blocking_call call = {.run = job.run, .arg = job.arg};
  lock_init(&call.lock, "db_writer_call", LOCK_RANK_ENGINE);
  lock_cond_init(&call.answered);
  job.run = blocking_call_run;
  job.done = blocking_call_done;
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
