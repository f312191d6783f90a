/* db_processes_test.c - several processes on one database. Each test forks before it opens the database. */
#include "db_scratch.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "db/db_turn.h"
#include "db/db_writer.h"
#include "db/migrate.h"

static const struct migration schema[] = {
    {1, "rows", "create table t (i integer primary key, who integer)", 0},
    {2, "more", "create table u (i)", 0},
};

static const int64_t READY = -1; /* no number of a row */

/* Of a committed row. */
struct written {
  int64_t number, who;
};

struct child {
  struct scratch *scratch;
  int who;
  int out; /* a pipe: gets a struct written for each committed row */
  struct db_writer *writer;
};

struct row {
  struct child *child;
  int64_t number;
};

static enum err row_run(struct db *db, void *arg) {
  struct row *r = arg;
  TRY(db_run(db, "insert into t (who) values (?1)", DB_INT(r->child->who)));
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select last_insert_rowid()"));
  TRY(db_next(&q));
  r->number = db_int(&q, 0);
  return OK;
}

/* Reports the row and submits the next one, so that the queue is never empty. */
static void row_done(void *arg, enum err e) {
  struct row *r = arg;
  const struct written w = {r->number, r->child->who};
  if (e == OK && write(r->child->out, &w, sizeof(w)) != (ssize_t)sizeof(w)) _exit(3);
  if (db_writer_submit(r->child->writer, (struct db_job){.run = row_run, .done = row_done, .arg = r}) != OK) _exit(4);
}

/* Forks a process that writes until it is killed. With the pipe `start` it reports READY when its writer is open, and begins when
 * the pipe is closed; NULL: at once. */
static pid_t writing_child(struct scratch *s, int who, int out, const int start[2]) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  static struct child child;
  static struct row rows[16];
  child = (struct child){.scratch = s, .who = who, .out = out};
  struct db_writer_config config = {.open = {.url = s->url}};
  if (db_writer_new(&config, &child.writer) != OK) _exit(1);
  if (start) {
    char c;
    const struct written ready = {READY, who};
    if (write(out, &ready, sizeof(ready)) != (ssize_t)sizeof(ready)) _exit(2);
    close(start[1]);
    if (read(start[0], &c, 1) != 0) _exit(2);
  }
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    rows[i].child = &child;
    if (db_writer_submit(child.writer, (struct db_job){.run = row_run, .done = row_done, .arg = &rows[i]}) != OK)
      _exit(4);
  }
  for (;;) pause();
}

static bool read_written(int fd, struct written *ret_written) {
  return read(fd, ret_written, sizeof(*ret_written)) == (ssize_t)sizeof(*ret_written);
}

static void make_schema(struct scratch *s) {
  struct db *db = scratch_open(s, 0);
  int applied;
  assert_int_equal(migrate_run(db, schema, COUNT_OF(schema), NULL, &applied), OK);
  db_close(db);
}

static void answered_jobs_survive_a_kill(void **state) {
  enum { ANSWERS = 2000 };
  struct scratch *s = *state;
  make_schema(s);
  for (int round = 0; round < 5; round++) {
    int answers[2];
    assert_int_equal(pipe(answers), 0);
    pid_t pid = writing_child(s, round, answers[1], NULL);
    close(answers[1]);
    static struct written rows[ANSWERS * 100];
    size_t n = 0;
    while (n < ANSWERS && read_written(answers[0], &rows[n])) n++;
    assert_int_equal(kill(pid, SIGKILL), 0);
    while (n < COUNT_OF(rows) && read_written(answers[0], &rows[n])) n++;
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(answers[0]);

    struct db *db = scratch_open(s, 0);
    assert_true(n >= ANSWERS);
    for (size_t i = 0; i < n; i++) {
      struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
      assert_int_equal(db_query(db, &q, "select who from t where i = ?1", DB_INT(rows[i].number)), OK);
      assert_int_equal(db_next(&q), OK);
      assert_int_equal(db_int(&q, 0), round);
    }
    db_close(db);
  }
}

static void no_process_that_writes_waits_for_ever_for_two_others(void **state) {
  enum { CHILDREN = 3, ROWS = 1000 };
  struct scratch *s = *state;
  make_schema(s);
  int answers[2], start[2], rows[CHILDREN] = {0}, enough = 0;
  assert_int_equal(pipe(answers), 0);
  assert_int_equal(pipe(start), 0);
  pid_t pids[CHILDREN];
  for (int i = 0; i < CHILDREN; i++) pids[i] = writing_child(s, i, answers[1], start);
  close(start[0]);
  close(answers[1]);
  struct written w;
  for (int i = 0; i < CHILDREN; i++) {
    assert_true(read_written(answers[0], &w));
    assert_int_equal(w.number, READY);
  }
  close(start[1]);
  while (enough < CHILDREN) {
    assert_true(read_written(answers[0], &w));
    enough += ++rows[w.who] == ROWS;
  }
  for (int i = 0; i < CHILDREN; i++) kill(pids[i], SIGKILL);
  for (int i = 0; i < CHILDREN; i++) assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
  close(answers[0]);
}

/* ---- turns ---- */

struct taker {
  struct db_turn turn;
  atomic_int *turns; /* taken so far */
  int place;         /* its own among them, from 1 */
};

static void *take_and_leave(void *arg) {
  struct taker *t = arg;
  db_turn_take(&t->turn, INT64_MAX);
  if (t->turn.held) t->place = atomic_fetch_add(t->turns, 1) + 1;
  db_turn_leave(&t->turn);
  return NULL;
}

/* Returns when somebody waits for the turn. */
static void until_one_waits(const char *path) {
  enum { NEXT = 0 }; /* as in db_turn.c */
  struct flock next = {.l_type = F_UNLCK};
  int fd = open(path, O_RDWR | O_CLOEXEC);
  assert_true(fd >= 0);
  while (next.l_type == F_UNLCK) {
    (void)sched_yield();
    next = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = NEXT, .l_len = 1};
    assert_int_equal(fcntl(fd, F_OFD_GETLK, &next), 0);
  }
  close(fd);
}

/* An hour is given to the waiter's patience, so that it does not end however late its thread runs. */
static void a_turn_that_was_left_goes_to_the_one_that_waits(void **state) {
  enum { TIMES = 20, HOUR_MS = 3600 * 1000 };
  struct scratch *s = *state;
  for (int i = 0; i < TIMES; i++) {
    pthread_t thread;
    atomic_int turns = 0;
    struct taker holder = {.turns = &turns}, waiter = {.turns = &turns};
    assert_true(db_turn_init(&holder.turn, s->path) && db_turn_init(&waiter.turn, s->path));
    db_turn_take(&holder.turn, INT64_MAX);
    assert_true(holder.turn.held);
    assert_int_equal(pthread_create(&thread, NULL, take_and_leave, &waiter), 0);
    until_one_waits(holder.turn.path);
    clock_test_advance_ms(-HOUR_MS);
    db_turn_leave(&holder.turn);
    while (!holder.turn.held) db_turn_take(&holder.turn, INT64_MAX);
    holder.place = atomic_fetch_add(&turns, 1) + 1;
    db_turn_leave(&holder.turn);
    assert_int_equal(pthread_join(thread, NULL), 0);
    clock_test_advance_ms(HOUR_MS);
    assert_true(waiter.place == 1 && holder.place == 2);
    db_turn_done(&holder.turn);
    db_turn_done(&waiter.turn);
  }
}

static void a_process_frozen_with_the_turn_does_not_stop_the_others(void **state) {
  struct scratch *s = *state;
  make_schema(s);
  int answers[2];
  assert_int_equal(pipe(answers), 0);
  pid_t pid = fork();
  if (pid == 0) {
    struct db_turn_holder {
      struct db *db;
    } holder = {NULL};
    if (db_open(&(struct db_open){.url = s->url}, NULL, &holder.db) != OK || db_begin_immediate(holder.db) != OK)
      _exit(1);
    /* Ends the transaction but keeps the turn, like a process that froze between the two. */
    if (db_script(holder.db, "commit") != OK || write(answers[1], "x", 1) != 1) _exit(2);
    for (;;) pause();
  }
  char c;
  assert_int_equal(read(answers[0], &c, 1), 1);
  struct db *db = scratch_open(s, 0);
  for (int i = 0; i < 100; i++) {
    assert_int_equal(db_begin_immediate(db), OK);
    assert_int_equal(db_run(db, "insert into t (who) values (9)"), OK);
    assert_int_equal(db_commit(db), OK);
  }
  db_close(db);
  kill(pid, SIGKILL);
  assert_int_equal(waitpid(pid, NULL, 0), pid);
  close(answers[0]);
  close(answers[1]);
}

static enum err add_one(struct db *db, void *arg) {
  (void)arg;
  return db_run(db, "insert into t (who) values (9)");
}

static void a_process_stopped_in_a_transaction_holds_the_database_until_it_is_killed(void **state) {
  struct scratch *s = *state;
  make_schema(s);
  int held[2];
  assert_int_equal(pipe(held), 0);
  pid_t pid = fork();
  if (pid == 0) {
    struct db *db;
    if (db_open(&(struct db_open){.url = s->url}, NULL, &db) != OK || db_begin_immediate(db) != OK) _exit(1);
    if (add_one(db, NULL) != OK || write(held[1], "x", 1) != 1) _exit(2);
    for (;;) pause();
  }
  char c;
  int status;
  assert_int_equal(read(held[0], &c, 1), 1);
  assert_int_equal(kill(pid, SIGSTOP), 0);
  assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
  struct db_writer *w;
  assert_int_equal(db_writer_new(&(struct db_writer_config){.open = {.url = s->url, .busy_ms = 30}}, &w), OK);
  assert_int_equal(db_writer_call(w, (struct db_job){.run = add_one, .arg = NULL}), ERR_BUSY);
  assert_false(db_writer_healthy(w));
  assert_int_equal(kill(pid, SIGKILL), 0);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_int_equal(db_writer_call(w, (struct db_job){.run = add_one, .arg = NULL}), OK);
  assert_true(db_writer_healthy(w));
  db_writer_free(w);
  struct db *db = scratch_open(s, 0);
  assert_int_equal(scratch_int(db, "select count(*) from t"), 1);
  db_close(db);
  close(held[0]);
  close(held[1]);
}

static void of_processes_that_race_to_migrate_each_script_runs_once(void **state) {
  enum { CHILDREN = 4 };
  struct scratch *s = *state;
  int start[2], applied_by[2];
  assert_int_equal(pipe(start), 0);
  assert_int_equal(pipe(applied_by), 0);
  pid_t pids[CHILDREN];
  for (int i = 0; i < CHILDREN; i++) {
    pids[i] = fork();
    if (pids[i] != 0) continue;
    char c;
    int applied = 0;
    struct db *db;
    close(start[1]);
    if (read(start[0], &c, 1) != 0) _exit(1);
    if (db_open(&(struct db_open){.url = s->url}, NULL, &db) != OK) _exit(2);
    if (migrate_run(db, schema, COUNT_OF(schema), NULL, &applied) != OK) _exit(3);
    db_close(db);
    if (write(applied_by[1], &applied, sizeof(applied)) != (ssize_t)sizeof(applied)) _exit(4);
    _exit(0);
  }
  close(start[0]);
  close(start[1]);
  int applied_in_all = 0;
  for (int i = 0; i < CHILDREN; i++) {
    int status, applied;
    assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
    assert_int_equal(status, 0);
    assert_int_equal(read(applied_by[0], &applied, sizeof(applied)), sizeof(applied));
    applied_in_all += applied;
  }
  assert_int_equal(applied_in_all, COUNT_OF(schema));
  close(applied_by[0]);
  close(applied_by[1]);
}

#define SCRATCH_TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(answered_jobs_survive_a_kill),
      SCRATCH_TEST(no_process_that_writes_waits_for_ever_for_two_others),
      SCRATCH_TEST(a_turn_that_was_left_goes_to_the_one_that_waits),
      SCRATCH_TEST(a_process_frozen_with_the_turn_does_not_stop_the_others),
      SCRATCH_TEST(a_process_stopped_in_a_transaction_holds_the_database_until_it_is_killed),
      SCRATCH_TEST(of_processes_that_race_to_migrate_each_script_runs_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
