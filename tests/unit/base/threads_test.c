#include "base_testing.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/log.h"
#include "base/pool.h"

/* A job that blocks its pool's thread until the test releases it, and reports its start. */
struct gate {
  struct lock lock;
  struct lock_cond changed;
  bool begun, open;
};

static void gate_init(struct gate *g) {
  *g = (struct gate){.begun = false};
  lock_init(&g->lock, "gate", LOCK_RANK_API);
  lock_cond_init(&g->changed);
}

static void gate_done(struct gate *g) {
  lock_cond_done(&g->changed);
  lock_done(&g->lock);
}

static void gate_pass(void *arg, unsigned worker) {
  struct gate *g = arg;
  (void)worker;
  LOCKED(&g->lock);
  g->begun = true;
  lock_cond_broadcast(&g->changed);
  while (!g->open) lock_cond_wait(&g->changed, &g->lock);
}

static void gate_await(struct gate *g) {
  LOCKED(&g->lock);
  while (!g->begun) lock_cond_wait(&g->changed, &g->lock);
}

static void gate_open(struct gate *g) {
  LOCKED(&g->lock);
  g->open = true;
  lock_cond_broadcast(&g->changed);
}

static void count_up(void *arg, unsigned worker) {
  (void)worker;
  atomic_fetch_add((atomic_int *)arg, 1);
}

static void every_queued_job_runs_before_the_pool_is_freed(void **state) {
  (void)state;
  struct pool *p = NULL;
  atomic_int count = 0;
  int taken = 0;
  assert_int_equal(pool_new("a pool of a long name", 4, 1000, &p), OK);
  for (int i = 0; i < 1000; i++) taken += pool_run(p, count_up, &count) == OK;
  assert_null(pool_free(p));
  assert_int_equal(taken, 1000);
  assert_int_equal(count, 1000);
  assert_null(pool_free(NULL));
}

static void a_full_queue_is_busy(void **state) {
  (void)state;
  struct pool *p = NULL;
  struct gate g;
  atomic_int count = 0;
  gate_init(&g);
  assert_int_equal(pool_new("p", 1, 2, &p), OK);
  assert_int_equal(pool_run(p, gate_pass, &g), OK);
  gate_await(&g);
  assert_int_equal(pool_run(p, count_up, &count), OK);
  assert_int_equal(pool_run(p, count_up, &count), OK);
  assert_int_equal(pool_run(p, count_up, &count), ERR_BUSY);
  gate_open(&g);
  pool_free(p);
  gate_done(&g);
  assert_int_equal(count, 2);
}

struct order {
  int next;
  int seen[100];
};

struct numbered {
  struct order *order;
  int number;
};

static void note_order(void *arg, unsigned worker) {
  struct numbered *n = arg;
  if (worker != 0) abort();
  n->order->seen[n->order->next++] = n->number;
}

static void one_thread_keeps_the_order_of_jobs(void **state) {
  (void)state;
  struct pool *p = NULL;
  struct order order = {0};
  struct numbered jobs[COUNT_OF(order.seen)];
  assert_int_equal(pool_new("p", 1, COUNT_OF(jobs), &p), OK);
  for (int i = 0; i < (int)COUNT_OF(jobs); i++) {
    jobs[i] = (struct numbered){&order, i};
    assert_int_equal(pool_run(p, note_order, &jobs[i]), OK);
  }
  pool_free(p);
  for (int i = 0; i < (int)COUNT_OF(jobs); i++) assert_int_equal(order.seen[i], i);
}

struct late {
  struct pool *pool;
  enum err e;
};

/* A job that queues itself again until the pool refuses. */
static void run_again(void *arg, unsigned worker) {
  struct late *late = arg;
  (void)worker;
  late->e = pool_run(late->pool, run_again, late);
}

static void a_closing_pool_refuses_new_jobs(void **state) {
  (void)state;
  struct late late = {.e = OK};
  assert_int_equal(pool_new("p", 1, 4, &late.pool), OK);
  assert_int_equal(pool_run(late.pool, run_again, &late), OK);
  pool_free(late.pool);
  assert_int_equal(late.e, ERR_CLOSED);
}

static void note_signals(void *arg, unsigned worker) {
  (void)worker;
  pthread_sigmask(SIG_SETMASK, NULL, arg);
}

static void signals_are_left_to_the_main_thread(void **state) {
  (void)state;
  struct pool *p = NULL;
  sigset_t in_pool, here;
  sigemptyset(&in_pool);
  assert_int_equal(pool_new("p", 1, 1, &p), OK);
  assert_int_equal(pool_run(p, note_signals, &in_pool), OK);
  pool_free(p);
  pthread_sigmask(SIG_SETMASK, NULL, &here);
  assert_true(sigismember(&in_pool, SIGTERM) == 1 && sigismember(&here, SIGTERM) == 0);
}

static void a_timed_wait_ends_without_a_signal(void **state) {
  (void)state;
  struct gate g;
  gate_init(&g);
  lock_take(&g.lock);
  lock_cond_wait_ms(&g.changed, &g.lock, 1);
  lock_cond_wait_ms(&g.changed, &g.lock, -5);
  lock_cond_wait_ms(&g.changed, &g.lock, 0);
  lock_release(&g.lock);
  gate_done(&g);
}

/* Runs fn in a child process, captures its standard error, and returns how it ended. */
static int end_of_child(void (*fn)(void), char said[256]) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    (void)signal(SIGABRT, SIG_DFL);
    (void)dup2(ends[1], STDERR_FILENO);
    fn();
    _exit(0);
  }
  close(ends[1]);
  ssize_t n = read(ends[0], said, 255);
  said[n > 0 ? n : 0] = '\0';
  close(ends[0]);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static struct lock api, base, other_base;

static void in_growing_order(void) {
  lock_take(&api);
  lock_take(&base);
  lock_release(&api); /* releasing in another order is allowed */
  lock_release(&base);
  lock_take(&api);
  lock_release(&api);
}

static void the_wrong_way_round(void) {
  lock_take(&base);
  lock_take(&api);
}

static void two_of_a_rank(void) {
  lock_take(&base);
  lock_take(&other_base);
}

static void released_without_being_held(void) {
  lock_release(&api);
}

static void locks_in_the_wrong_order_abort_with_their_names(void **state) {
  (void)state;
  static const struct {
    void (*fn)(void);
    int signal;
    const char *said;
  } rows[] = {
      {in_growing_order, 0, ""},
      {the_wrong_way_round, SIGABRT, "\"api\" (rank 10) taken while \"base\" (rank 70) is held"},
      {two_of_a_rank, SIGABRT, "\"other\" (rank 70) taken while \"base\" (rank 70) is held"},
      {released_without_being_held, SIGABRT, "api"},
  };
  lock_init(&api, "api", LOCK_RANK_API);
  lock_init(&base, "base", LOCK_RANK_BASE);
  lock_init(&other_base, "other", LOCK_RANK_BASE);
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    char said[256];
    assert_int_equal(end_of_child(rows[i].fn, said), rows[i].signal);
    assert_non_null(strstr(said, rows[i].said));
  }
}

enum { LINES = 200, WRITERS = 4 };

static void write_lines(void *arg, unsigned worker) {
  (void)arg;
  for (int i = 0; i < LINES / WRITERS; i++) log_info("a line", LOG_INT("worker", worker), LOG_INT("i", i));
}

static void lines_of_several_threads_never_mix(void **state) {
  (void)state;
  int ends[2];
  char text[LINES * 120];
  struct pool *p = NULL;
  assert_int_equal(pipe(ends), 0);
  log_set_fd(ends[1]);
  assert_int_equal(pool_new("p", WRITERS, WRITERS, &p), OK);
  for (int i = 0; i < WRITERS; i++) assert_int_equal(pool_run(p, write_lines, NULL), OK);
  pool_free(p);
  log_set_fd(STDERR_FILENO);
  close(ends[1]);
  ssize_t n = read(ends[0], text, sizeof(text));
  close(ends[0]);
  assert_true(n > 0);
  struct str rest = str_of(text, (size_t)n), line;
  int lines = 0;
  while (str_cut(rest, '\n', &line, &rest)) {
    lines++;
    assert_true(str_starts(line, STR("ts=")) && str_contains(line, STR("level=info msg=\"a line\" worker=")));
  }
  assert_int_equal(lines, LINES);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_queued_job_runs_before_the_pool_is_freed),
    cmocka_unit_test(a_full_queue_is_busy),
    cmocka_unit_test(one_thread_keeps_the_order_of_jobs),
    cmocka_unit_test(a_closing_pool_refuses_new_jobs),
    cmocka_unit_test(signals_are_left_to_the_main_thread),
    cmocka_unit_test(a_timed_wait_ends_without_a_signal),
    cmocka_unit_test(locks_in_the_wrong_order_abort_with_their_names),
    cmocka_unit_test(lines_of_several_threads_never_mix),
};
RUN_TESTS(tests)
