/* volume.c - threads that call into the recordings' volume, and one that probes whether it answers.
 *
 *   volume_run --> WAITING --a thread is free--> RUNNING --run returned--> OVER
 *                     |                             |                        ^
 *                     |                             `-- timeout, stop --> GIVEN_UP --run returned
 *                     `----- timeout, stop ------------------------------> OVER
 *
 * Invariants
 *  (1) The lock (rank DOMAIN) covers both lists, the jobs' states and holders, and the last probe's result. No
 *      function of a job and no call into the volume runs under it.
 *  (2) done is called once, by the thread that takes the job from WAITING or RUNNING to its next state.
 *  (3) destroy is called by the last holder: the thread that ran the job, or the caller in volume_release.
 *  (4) Times are the kernel's clock, which tests can't move, because they measure how long a real call takes. */
#include "domain/volume.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"

enum { PROBE_EVERY_MS = 1000, SWEEP_MARKS_MS = 3600 * 1000 };

/* The state of the thread that probes: its own mark, and those of other processes. No other thread uses it. */
struct marks_seen {
  int64_t mark;         /* the number in this process's mark */
  int64_t renew_at_ms;  /* clock_kernel_ms */
  int64_t sweep_at_ms;  /* clock_kernel_ms */
  int64_t missed_since; /* clock_kernel_ms, of missing_node */
  char missing_node[NODE_ID_SIZE];
};

struct volume {
  struct blob_store *store;
  struct lock lock;
  struct lock_cond work;  /* a job waits, or closing */
  struct lock_cond watch; /* closing */
  struct lock_cond ended; /* a thread ended */
  struct volume_job *waiting, **waiting_end;
  struct volume_job *running;
  size_t waiting_count, queue_max;
  bool closing;
  int64_t probe_began_ms; /* clock_kernel_ms; 0: no probe is running */
  int64_t seen_ms;        /* clock_mono_ms when the last finished probe began */
  struct volume_seen seen;
  struct volume_expected expected;
  struct marks_seen marks;
  unsigned alive; /* threads that still run */
  unsigned started;
  pthread_t threads[];
};

/* ---- the lists; all under the lock ---- */

static void job_unlink(struct volume_job *job) {
  struct volume *v = job->volume;
  *job->link = job->next;
  if (job->next)
    job->next->link = job->link;
  else if (v->waiting_end == &job->next)
    v->waiting_end = job->link;
  job->link = NULL;
}

static void append_waiting(struct volume *v, struct volume_job *job) {
  job->next = NULL;
  job->link = v->waiting_end;
  *v->waiting_end = job;
  v->waiting_end = &job->next;
  v->waiting_count++;
}

static void leave_waiting(struct volume *v, struct volume_job *job) {
  job_unlink(job);
  v->waiting_count--;
}

static void move_to_running(struct volume *v, struct volume_job *job) {
  leave_waiting(v, job);
  job->state = VOLUME_JOB_RUNNING;
  job->next = v->running;
  job->link = &v->running;
  if (job->next) job->next->link = &job->next;
  v->running = job;
}

/* ---- jobs ---- */

void volume_release(struct volume_job *job) {
  bool is_last;
  {
    LOCKED(&job->volume->lock);
    is_last = --job->holders == 0;
  }
  if (is_last) job->destroy(job); /* (3) */
}

static struct volume_job *wait_for_job(struct volume *v) {
  LOCKED(&v->lock);
  while (!v->waiting && !v->closing) lock_cond_wait(&v->work, &v->lock);
  struct volume_job *job = v->waiting;
  if (job) move_to_running(v, job);
  return job;
}

static void run_job(struct volume *v, struct volume_job *job) {
  bool is_awaited;
  enum err result = job->run(job);
  {
    LOCKED(&v->lock);
    is_awaited = job->state == VOLUME_JOB_RUNNING;
    if (is_awaited) job_unlink(job);
    job->state = VOLUME_JOB_OVER;
  }
  if (is_awaited) job->done(job, result); /* (2) */
  volume_release(job);
}

enum err volume_run(struct volume *v, struct volume_job *job) {
  LOCKED(&v->lock);
  if (v->closing) return ERR_CLOSED;
  if (v->waiting_count >= v->queue_max) return ERR_BUSY;
  job->volume = v;
  job->state = VOLUME_JOB_WAITING;
  job->holders = 2;
  job->until_ms = clock_kernel_ms() + job->timeout_ms;
  append_waiting(v, job);
  lock_cond_signal(&v->work);
  return OK;
}

/* Takes one job whose time is up (when closing: any job) from its list. NULL: there is none. */
static struct volume_job *next_to_give_up(struct volume *v, int64_t now_ms) {
  LOCKED(&v->lock);
  struct volume_job *job = v->waiting;
  while (job && job->until_ms > now_ms && !v->closing) job = job->next;
  if (job) {
    leave_waiting(v, job);
    job->state = VOLUME_JOB_OVER;
    job->holders--; /* the one for run, which will not be called */
    return job;
  }
  job = v->running;
  while (job && job->until_ms > now_ms && !v->closing) job = job->next;
  if (!job) return NULL;
  job_unlink(job);
  job->state = VOLUME_JOB_GIVEN_UP;
  return job;
}

void volume_tick(struct volume *v) {
  struct volume_job *job;
  int64_t now_ms = clock_kernel_ms();
  while ((job = next_to_give_up(v, now_ms))) job->done(job, ERR_TIMEOUT); /* (2) */
}

/* ---- probing ---- */

/* Writes one byte to a file that all processes share, because a frozen volume still answers reads. Only whether the
 * call returns counts: other errors of writing are found by the fills. */
static void probe_write(struct blob_store *store) {
  IGNORE(fs_write_over(blob_directory_fd(store), ".alive", 0640, STR("\n"))); /* see above */
}

/* Renews this process's mark. If that fails, the number stays as it is and no other process misses the new one. */
static void renew_mark(struct volume *v, const char *node_id) {
  struct marks_seen *m = &v->marks;
  int64_t now = clock_kernel_ms();
  if (now < m->renew_at_ms) return;
  m->renew_at_ms = now + VOLUME_MARK_MS;
  if (node_mark_write(v->store, node_id, m->mark + 1) != OK) return;
  m->mark++;
  if (now < m->sweep_at_ms) return;
  m->sweep_at_ms = now + SWEEP_MARKS_MS;
  IGNORE(node_marks_sweep(v->store, node_id)); /* the next sweep follows */
}

/* Looks for the marks of the others. ret_node: the process whose mark has been missing for VOLUME_MISSES_MS, or "". */
static void look_for_marks(struct volume *v, const struct node_marks *others, char ret_node[NODE_ID_SIZE]) {
  struct marks_seen *m = &v->marks;
  const struct node_mark *missing = node_marks_first_missing(v->store, others);
  int64_t now = clock_kernel_ms();
  const char *node_id = missing ? missing->node_id : "";
  if (strcmp(node_id, m->missing_node) != 0) m->missed_since = now;
  memcpy(m->missing_node, missing ? missing->node_id : (char[NODE_ID_SIZE]){""}, NODE_ID_SIZE);
  if (missing && now - m->missed_since >= VOLUME_MISSES_MS) memcpy(ret_node, m->missing_node, NODE_ID_SIZE);
}

static void probe_marks(struct volume *v, const struct volume_expected *expected, struct volume_seen *seen) {
  if (expected->node_id[0]) renew_mark(v, expected->node_id);
  look_for_marks(v, &expected->others, seen->missing_node);
  seen->mark = v->marks.mark;
}

static struct volume_expected expected_now(struct volume *v) {
  LOCKED(&v->lock);
  return v->expected;
}

/* The volume was mounted, or mounted again, or its path leads to a copy of it. False: its path does not lead to it. */
static bool volume_reopen(struct volume *v, const struct volume_expected *expected) {
  struct node_mark own = {.mark = v->marks.mark};
  memcpy(own.node_id, expected->node_id, sizeof(own.node_id));
  return expected->store_id[0] && store_reopen(v->store, expected->store_id, &own) == OK;
}

static void run_probe(struct volume *v) {
  struct volume_seen seen = {.answers = true};
  struct volume_expected expected = expected_now(v);
  int64_t began_ms = clock_mono_ms();
  seen.is_elsewhere = store_is_elsewhere(v->store) && !volume_reopen(v, &expected);
  seen.room_error = blob_free_bytes(v->store, &seen.free_bytes, &seen.total_bytes);
  seen.id_error = store_id_of_volume(v->store, seen.id);
  seen.mark = v->marks.mark;
  if (seen.id_error == OK && strcmp(seen.id, expected.store_id) == 0) {
    probe_write(v->store);
    probe_marks(v, &expected, &seen);
  }
  {
    LOCKED(&v->lock);
    v->seen = seen;
    v->seen_ms = began_ms;
    v->probe_began_ms = 0;
  }
}

/* Waits until until_ms (clock_kernel_ms). False: the volume is closing. */
static bool wait_for_probe(struct volume *v, int64_t until_ms) {
  LOCKED(&v->lock);
  for (;;) {
    int64_t left_ms = until_ms - clock_kernel_ms();
    if (v->closing || left_ms <= 0) break;
    lock_cond_wait_ms(&v->watch, &v->lock, left_ms);
  }
  if (!v->closing) v->probe_began_ms = clock_kernel_ms();
  return !v->closing;
}

void volume_seen(struct volume *v, struct volume_seen *ret_seen) {
  LOCKED(&v->lock);
  *ret_seen = v->seen;
  ret_seen->waits_ms = v->probe_began_ms ? clock_kernel_ms() - v->probe_began_ms : 0;
  ret_seen->answers = ret_seen->waits_ms < VOLUME_HANGS_MS;
  ret_seen->age_ms = v->seen_ms ? clock_mono_ms() - v->seen_ms : INT64_MAX;
}

void volume_expect(struct volume *v, const struct volume_expected *expected) {
  LOCKED(&v->lock);
  v->expected = *expected;
}

/* ---- life ---- */

static void note_thread_end(struct volume *v) {
  LOCKED(&v->lock);
  v->alive--;
  lock_cond_signal(&v->ended);
}

static void *run_jobs(void *arg) {
  struct volume *v = arg;
  struct volume_job *job;
  while ((job = wait_for_job(v))) run_job(v, job);
  note_thread_end(v);
  return NULL;
}

static void *run_probes(void *arg) {
  struct volume *v = arg;
  for (int64_t next_ms = 0; wait_for_probe(v, next_ms); next_ms = clock_kernel_ms() + PROBE_EVERY_MS) run_probe(v);
  note_thread_end(v);
  return NULL;
}

static enum err start_thread(struct volume *v, const char *name, void *(*fn)(void *arg)) {
  sigset_t all, before;
  sigfillset(&all); /* signals are the main thread's */
  if (pthread_sigmask(SIG_BLOCK, &all, &before) != 0) return ERR_IO;
  int number = pthread_create(&v->threads[v->started], NULL, fn, v);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL); /* can't fail with a mask that it returned itself */
  if (number != 0) return err_from_errno(number);
  (void)pthread_setname_np(v->threads[v->started], name); /* for debuggers only */
  LOCKED(&v->lock);
  v->started++;
  v->alive++;
  return OK;
}

enum err volume_new(struct blob_store *store, unsigned threads, size_t queue_max, struct volume **ret_volume) {
  assert(threads > 0 && queue_max > 0);
  struct volume *v = calloc(1, sizeof(*v) + (threads + 1) * sizeof(v->threads[0]));
  if (!v) return ERR_NOMEM;
  v->store = store;
  v->queue_max = queue_max;
  v->waiting_end = &v->waiting;
  v->seen = (struct volume_seen){.room_error = ERR_NOT_YET, .id_error = ERR_NOT_YET};
  lock_init(&v->lock, "volume", LOCK_RANK_DOMAIN);
  lock_cond_init(&v->work);
  lock_cond_init(&v->watch);
  lock_cond_init(&v->ended);
  enum err e = start_thread(v, "volume watch", run_probes);
  for (unsigned i = 0; i < threads && e == OK; i++) e = start_thread(v, "volume", run_jobs);
  if (e != OK) {
    if (volume_stop(v, INT32_MAX)) volume_free(v);
    return e;
  }
  *ret_volume = v;
  return OK;
}

bool volume_stop(struct volume *v, int64_t wait_ms) {
  int64_t until_ms = clock_kernel_ms() + wait_ms;
  {
    LOCKED(&v->lock);
    v->closing = true;
    lock_cond_broadcast(&v->work);
    lock_cond_broadcast(&v->watch);
  }
  struct volume_job *job;
  while ((job = next_to_give_up(v, INT64_MAX))) job->done(job, ERR_CLOSED);
  LOCKED(&v->lock);
  while (v->alive) {
    int64_t left_ms = until_ms - clock_kernel_ms();
    if (left_ms <= 0) return false;
    lock_cond_wait_ms(&v->ended, &v->lock, left_ms);
  }
  return true;
}

struct volume *volume_free(struct volume *v) {
  if (!v) return NULL;
  assert(v->closing);
  for (unsigned i = 0; i < v->started; i++) (void)pthread_join(v->threads[i], NULL); /* joinable, not self */
  assert(!v->waiting && !v->running);
  lock_cond_done(&v->work);
  lock_cond_done(&v->watch);
  lock_cond_done(&v->ended);
  lock_done(&v->lock);
  free(v);
  return NULL;
}
