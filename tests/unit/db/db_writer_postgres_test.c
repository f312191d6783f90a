/* db_writer_postgres_test.c - the writer on a server whose connections are cut. Needs CALLREEL_TEST_POSTGRES. */
#include "db_scratch.h"

#include <semaphore.h>

#include "base/clock.h"
#include "db/db_writer.h"

enum { JOBS = 4 };

/* A job that adds row i. Its connection is cut in its first `cuts` runs: in the run, or at the commit that follows. */
struct job {
  int64_t i;
  enum db_repeat repeat;
  int cuts, cuts_at_commit;
  int64_t also; /* adds this row too, without waiting for it; 0: none */
  int runs;
  sem_t *entered, *gate;
  enum err answer;
  sem_t answered;
};

struct fixture {
  struct db *db; /* for looking */
  struct db_writer *writer;
};

static struct db_open how_to_open(int64_t busy_ms) {
  const char *url = getenv("CALLREEL_TEST_POSTGRES");
  if (!url) {
    print_message("# skipped: CALLREEL_TEST_POSTGRES names no server (script/test postgres starts one)\n");
    skip();
  }
  return (struct db_open){.url = url, .schema = "unit_db_writer", .busy_ms = busy_ms};
}

/* The trigger runs at the commit: the server ends the connection instead of answering. */
static struct fixture fixture_new(int64_t busy_ms) {
  struct fixture f = {NULL, NULL};
  struct db_open how = how_to_open(busy_ms);
  assert_int_equal(db_open(&how, NULL, &f.db), OK);
  assert_int_equal(
      db_script(f.db,
                "create schema if not exists unit_db_writer; drop table if exists unit_db_writer.t;"
                " create table unit_db_writer.t (i bigint primary key, cut bigint);"
                " create or replace function unit_db_writer.cut() returns trigger language plpgsql as"
                " $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;"
                " create constraint trigger cut after insert on unit_db_writer.t deferrable initially deferred"
                " for each row when (new.cut <> 0) execute function unit_db_writer.cut()"),
      OK);
  struct db_writer_config config = {.open = how};
  assert_int_equal(db_writer_new(&config, &f.writer), OK);
  return f;
}

static void fixture_free(struct fixture *f) {
  assert_null(db_writer_free(f->writer));
  db_close(f->db);
}

static enum err job_run(struct db *db, void *arg) {
  struct job *j = arg;
  int run = j->runs++;
  if (j->entered) sem_post(j->entered);
  if (j->gate) sem_wait(j->gate);
  TRY(db_run(db, DB_FOR_POSTGRES "insert into t (i, cut) values (?1, ?2) on conflict do nothing", DB_INT(j->i),
             DB_INT(run < j->cuts_at_commit)));
  if (j->also) TRY(db_run_later(db, DB_FOR_POSTGRES "insert into t (i, cut) values (?1, 0)", DB_INT(j->also)));
  if (run >= j->cuts) return OK;
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, DB_FOR_POSTGRES "select pg_terminate_backend(pg_backend_pid())"));
  return OK;
}

static void job_done(void *arg, enum err e) {
  struct job *j = arg;
  j->answer = e;
  sem_post(&j->answered);
}

static void job_submit(struct fixture *f, struct job *j) {
  sem_init(&j->answered, 0, 0);
  assert_int_equal(
      db_writer_submit(f->writer, (struct db_job){.run = job_run, .done = job_done, .arg = j, .repeat = j->repeat}),
      OK);
}

/* All in one group. */
static void run_together(struct fixture *f, struct job jobs[JOBS]) {
  sem_t entered, gate;
  sem_init(&entered, 0, 0);
  sem_init(&gate, 0, 0);
  struct job first = {.i = 1000, .entered = &entered, .gate = &gate, .repeat = DB_REPEAT_NEVER};
  job_submit(f, &first);
  sem_wait(&entered);
  for (int i = 0; i < JOBS; i++) job_submit(f, &jobs[i]);
  sem_post(&gate);
  sem_wait(&first.answered);
  for (int i = 0; i < JOBS; i++) sem_wait(&jobs[i].answered);
}

static void assert_row(struct fixture *f, int64_t i, bool is_there) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  assert_int_equal(db_query(f->db, &q, DB_FOR_POSTGRES "select count(*) from t where i = ?1", DB_INT(i)), OK);
  assert_int_equal(db_next(&q), OK);
  assert_int_equal(db_int(&q, 0), is_there);
}

static void a_lost_group_is_repeated_but_for_jobs_that_forbid_it(void **state) {
  (void)state;
  struct fixture f = fixture_new(0);
  struct job jobs[JOBS] = {{.i = 1, .repeat = DB_REPEAT_UNDONE},
                           {.i = 2, .repeat = DB_REPEAT_NEVER},
                           {.i = 3, .repeat = DB_REPEAT_ALWAYS, .cuts = 1},
                           {.i = 4, .repeat = DB_REPEAT_ALWAYS}};
  run_together(&f, jobs);
  static const struct {
    enum err answer;
    int runs;
  } expected[JOBS] = {{OK, 2}, {ERR_IO, 1}, {OK, 2}, {OK, 1}};
  for (int i = 0; i < JOBS; i++) {
    assert_int_equal(jobs[i].answer, expected[i].answer);
    assert_int_equal(jobs[i].runs, expected[i].runs);
    assert_row(&f, jobs[i].i, expected[i].answer == OK);
  }
  assert_true(db_writer_healthy(f.writer));
  fixture_free(&f);
}

static void a_job_that_always_ends_the_connection_takes_no_other_with_it(void **state) {
  (void)state;
  struct fixture f = fixture_new(20000);
  struct job jobs[JOBS] = {{.i = 1, .repeat = DB_REPEAT_UNDONE},
                           {.i = 2, .repeat = DB_REPEAT_UNDONE, .cuts = 4},
                           {.i = 3, .repeat = DB_REPEAT_NEVER},
                           {.i = 4, .repeat = DB_REPEAT_UNDONE}};
  run_together(&f, jobs);
  static const int runs[JOBS] = {2, 5, 1, 1};
  for (int i = 0; i < JOBS; i++) {
    assert_int_equal(jobs[i].answer, OK);
    assert_int_equal(jobs[i].runs, runs[i]);
    assert_row(&f, jobs[i].i, true);
  }
  fixture_free(&f);
}

static void a_job_is_repeated_until_it_has_waited_long_enough(void **state) {
  (void)state;
  struct fixture f = fixture_new(200);
  struct job jobs[JOBS] = {{.i = 1, .repeat = DB_REPEAT_ALWAYS, .cuts = INT32_MAX},
                           {.i = 2, .repeat = DB_REPEAT_NEVER},
                           {.i = 3, .repeat = DB_REPEAT_NEVER},
                           {.i = 4, .repeat = DB_REPEAT_NEVER}};
  run_together(&f, jobs);
  assert_true(jobs[0].answer == ERR_IO || jobs[0].answer == ERR_BUSY);
  assert_row(&f, 1, false);
  fixture_free(&f);
}

static void an_error_of_a_later_statement_comes_to_the_job_that_made_it(void **state) {
  (void)state;
  struct fixture f = fixture_new(0);
  struct job jobs[JOBS] = {{.i = 1, .repeat = DB_REPEAT_UNDONE, .also = 5},
                           {.i = 2, .repeat = DB_REPEAT_UNDONE, .also = 1}, /* is there */
                           {.i = 3, .repeat = DB_REPEAT_UNDONE, .also = 6},
                           {.i = 4, .repeat = DB_REPEAT_UNDONE}};
  run_together(&f, jobs);
  for (int i = 0; i < JOBS; i++) {
    assert_int_equal(jobs[i].answer, i == 1 ? ERR_EXISTS : OK);
    assert_row(&f, jobs[i].i, i != 1);
  }
  assert_row(&f, 5, true);
  assert_row(&f, 6, true);
  fixture_free(&f);
}

static void after_a_commit_without_an_answer_only_harmless_jobs_are_repeated(void **state) {
  (void)state;
  struct fixture f = fixture_new(0);
  struct job jobs[JOBS] = {{.i = 1, .repeat = DB_REPEAT_UNDONE},
                           {.i = 2, .repeat = DB_REPEAT_NEVER},
                           {.i = 3, .repeat = DB_REPEAT_ALWAYS, .cuts_at_commit = 1},
                           {.i = 4, .repeat = DB_REPEAT_ALWAYS}};
  run_together(&f, jobs);
  for (int i = 0; i < JOBS; i++) {
    bool is_repeated = jobs[i].repeat == DB_REPEAT_ALWAYS;
    assert_int_equal(jobs[i].answer, is_repeated ? OK : ERR_UNKNOWN);
    assert_int_equal(jobs[i].runs, is_repeated ? 2 : 1);
    if (is_repeated) assert_row(&f, jobs[i].i, true);
  }
  fixture_free(&f);
}

/* ---- sets ---- */

/* Looks a row up as sets do: a plan for the one row that is sent is cheaper than one for any number of them. */
static enum err look_up(struct db *db, int64_t i) {
  struct db_set set CLEANUP(db_set_done) = DB_SET;
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_set_add(&set, DB_INT(i)));
  return db_query_set(db, &q, &set, "select k, t.i from unnest(?1::bigint[]) k left join t on t.i = k");
}

struct set_job {
  int64_t plans; /* made for one set only */
  sem_t answered;
};

static enum err set_job_run(struct db *db, void *const *args, int count) {
  enum { LOOKS = 20 };
  struct set_job *j = args[0];
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  assert_int_equal(count, 1);
  for (int i = 0; i < LOOKS; i++) TRY(look_up(db, i));
  TRY(db_query(db, &q,
               DB_FOR_POSTGRES
               "select sum(custom_plans) from pg_prepared_statements where statement like '%left join t%'"));
  TRY(db_next(&q));
  j->plans = db_int_or(&q, 0, -1);
  return OK;
}

static enum err set_job_run_alone(struct db *db, void *arg) {
  (void)db, (void)arg;
  return ERR_INVALID;
}

static void set_job_done(void *arg, enum err e) {
  struct set_job *j = arg;
  assert_int_equal(e, OK);
  sem_post(&j->answered);
}

static void a_writer_of_sets_plans_a_statement_once(void **state) {
  (void)state;
  struct fixture f = fixture_new(0);
  struct db_writer_config config = {.open = how_to_open(0), .sets = true};
  struct db_writer *sets;
  struct set_job j = {.plans = -1};
  sem_init(&j.answered, 0, 0);
  assert_int_equal(db_writer_new(&config, &sets), OK);
  const struct db_job job = {.run = set_job_run_alone,
                             .run_set = set_job_run,
                             .done = set_job_done,
                             .arg = &j,
                             .business_id = 1,
                             .repeat = DB_REPEAT_ALWAYS};
  assert_int_equal(db_writer_submit(sets, job), OK);
  sem_wait(&j.answered);
  assert_int_equal(j.plans, 0);
  assert_null(db_writer_free(sets));
  fixture_free(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_lost_group_is_repeated_but_for_jobs_that_forbid_it),
      cmocka_unit_test(a_job_that_always_ends_the_connection_takes_no_other_with_it),
      cmocka_unit_test(a_job_is_repeated_until_it_has_waited_long_enough),
      cmocka_unit_test(an_error_of_a_later_statement_comes_to_the_job_that_made_it),
      cmocka_unit_test(after_a_commit_without_an_answer_only_harmless_jobs_are_repeated),
      cmocka_unit_test(a_writer_of_sets_plans_a_statement_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
