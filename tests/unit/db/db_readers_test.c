#include "db_scratch.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "db/db_readers.h"

struct read_result {
  sem_t done;
  bool had_db, in_transaction;
  enum err error;
  int64_t value;
};

static void read_table(struct db *db, void *arg) {
  struct read_result *l = arg;
  l->had_db = db;
  if (db) {
    struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
    l->in_transaction = db_in_transaction(db);
    l->error = db_query(db, &q, "select n from t");
    if (l->error == OK) l->error = db_next(&q);
    if (l->error == OK) l->value = db_int(&q, 0);
  }
  sem_post(&l->done);
}

static void leave_things_behind(struct db *db, void *arg) {
  struct read_result *l = arg;
  l->error = db_begin(db);
  db_deadline(db, clock_mono_ms() - 1000);
  sem_post(&l->done);
}

static struct read_result run_for(struct db_readers *r, int64_t business_id, void (*read)(struct db *db, void *arg)) {
  struct read_result l = {.value = -1};
  sem_init(&l.done, 0, 0);
  assert_int_equal(db_readers_run(r, business_id, read, &l), OK);
  while (sem_wait(&l.done) != 0) continue;
  sem_destroy(&l.done);
  return l;
}

static struct read_result run(struct db_readers *r, void (*read)(struct db *db, void *arg)) {
  return run_for(r, 0, read);
}

static struct db_readers *readers_new(const struct scratch *s, unsigned threads, size_t queue_max) {
  struct db_readers *r;
  assert_int_equal(db_readers_new(&(struct db_open){.url = s->url}, threads, queue_max, &r), OK);
  return r;
}

static void a_database_that_is_not_there_yet_is_opened_when_it_is(void **state) {
  const struct scratch *s = *state;
  struct db_readers *r = readers_new(s, 1, 10);
  assert_false(run(r, read_table).had_db);
  struct db *db = scratch_open(s, 0);
  assert_int_equal(db_script(db, "create table t(n); insert into t values (7)"), OK);
  struct read_result l = run(r, read_table);
  assert_true(l.had_db && l.error == OK);
  assert_int_equal(l.value, 7);
  db_readers_free(r);
  db_close(db);
}

static void a_read_leaves_no_transaction_or_deadline_to_the_next(void **state) {
  const struct scratch *s = *state;
  struct db *db = scratch_open(s, 0);
  assert_int_equal(db_script(db, "create table t(n); insert into t values (7)"), OK);
  struct db_readers *r = readers_new(s, 1, 10);
  assert_int_equal(run(r, leave_things_behind).error, OK);
  struct read_result l = run(r, read_table);
  assert_false(l.in_transaction);
  assert_int_equal(l.error, OK);
  db_readers_free(r);
  db_close(db);
}

#ifdef CALLREEL_TEST_HOOKS
static void read_past_the_deadline(struct db *db, void *arg) {
  struct read_result *l = arg;
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  l->error = db_in_time(db);
  clock_test_advance_ms(DB_READERS_READ_MS);
  if (l->error == OK) l->error = db_in_time(db);
  l->value = db_query(db, &q,
                      "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000)"
                      " select count(*) from n") != OK
                 ? -1
                 : (int64_t)db_next(&q);
  sem_post(&l->done);
}
#endif

static void a_read_for_a_business_has_a_deadline(void **state) {
#ifdef CALLREEL_TEST_HOOKS
  const struct scratch *s = *state;
  db_close(scratch_open(s, 0));
  struct db_readers *r = readers_new(s, 1, 10);
  struct read_result its = run_for(r, 1, read_past_the_deadline), own = run_for(r, 0, read_past_the_deadline);
  assert_int_equal(its.error, ERR_TIMEOUT);
  assert_int_equal(its.value, ERR_TIMEOUT);
  assert_int_equal(own.error, OK);
  assert_int_equal(own.value, OK);
  db_readers_free(r);
#else
  (void)state;
  skip();
#endif
}

static void try_to_write(struct db *db, void *arg) {
  struct read_result *l = arg;
  l->error = db_run(db, "delete from t");
  sem_post(&l->done);
}

static void a_reader_can_not_write(void **state) {
  const struct scratch *s = *state;
  struct db *db = scratch_open(s, 0);
  assert_int_equal(db_script(db, "create table t(n); insert into t values (7)"), OK);
  struct db_readers *r = readers_new(s, 2, 10);
  assert_int_not_equal(run(r, try_to_write).error, OK);
  assert_int_equal(scratch_int(db, "select count(*) from t"), 1);
  db_readers_free(r);
  db_close(db);
}

struct gate {
  sem_t entered, open;
  atomic_int reads;
};

static void wait_at_gate(struct db *db, void *arg) {
  (void)db;
  struct gate *g = arg;
  sem_post(&g->entered);
  while (sem_wait(&g->open) != 0) continue;
  atomic_fetch_add(&g->reads, 1);
}

static void queued_reads_run_even_while_closing(void **state) {
  const struct scratch *s = *state;
  struct db_readers *r = readers_new(s, 1, 2);
  struct gate g;
  sem_init(&g.entered, 0, 0);
  sem_init(&g.open, 0, 0);
  atomic_init(&g.reads, 0);
  assert_int_equal(db_readers_run(r, 0, wait_at_gate, &g), OK);
  while (sem_wait(&g.entered) != 0) continue;
  assert_int_equal(db_readers_run(r, 0, wait_at_gate, &g), OK);
  assert_int_equal(db_readers_run(r, 0, wait_at_gate, &g), OK);
  assert_int_equal(db_readers_run(r, 0, wait_at_gate, &g), ERR_BUSY);
  for (int i = 0; i < 3; i++) sem_post(&g.open);
  assert_null(db_readers_free(r));
  assert_int_equal(g.reads, 3);
  sem_destroy(&g.entered);
  sem_destroy(&g.open);
}

struct turn {
  struct gate *gate;
  int business_id;
  int *order; /* the businesses whose reads ran, in order */
};

static void note_turn(struct db *db, void *arg) {
  (void)db;
  struct turn *t = arg;
  t->order[atomic_fetch_add(&t->gate->reads, 1)] = t->business_id;
  sem_post(&t->gate->entered);
}

static void a_business_with_many_reads_waits_for_one_with_a_single_read(void **state) {
  const struct scratch *s = *state;
  struct db_readers *r = readers_new(s, 1, 100);
  struct gate g;
  int order[12] = {0};
  sem_init(&g.entered, 0, 0);
  sem_init(&g.open, 0, 0);
  atomic_init(&g.reads, 0);
  assert_int_equal(db_readers_run(r, 0, wait_at_gate, &g), OK);
  while (sem_wait(&g.entered) != 0) continue;
  atomic_store(&g.reads, -1); /* the gate's own read counts too */
  struct turn much = {&g, 1, order}, once = {&g, 2, order}, another = {&g, 3, order};
  for (int i = 0; i < 9; i++) assert_int_equal(db_readers_run(r, 1, note_turn, &much), OK);
  assert_int_equal(db_readers_run(r, 2, note_turn, &once), OK);
  assert_int_equal(db_readers_run(r, 3, note_turn, &another), OK);
  sem_post(&g.open);
  assert_null(db_readers_free(r));
  const int expected[11] = {1, 2, 3, 1, 1, 1, 1, 1, 1, 1, 1};
  assert_memory_equal(order, expected, sizeof(expected));
  sem_destroy(&g.entered);
  sem_destroy(&g.open);
}

static void one_business_never_has_all_threads_nor_all_of_the_queue(void **state) {
  const struct scratch *s = *state;
  struct db_readers *r = readers_new(s, 3, 16);
  struct gate g;
  sem_init(&g.entered, 0, 0);
  sem_init(&g.open, 0, 0);
  atomic_init(&g.reads, 0);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(db_readers_run(r, 1, wait_at_gate, &g), OK);
    while (sem_wait(&g.entered) != 0) continue;
  }
  for (int i = 0; i < 14; i++) assert_int_equal(db_readers_run(r, 1, wait_at_gate, &g), OK);
  assert_int_equal(db_readers_run(r, 1, wait_at_gate, &g), ERR_BUSY);
  struct read_result l = {.value = -1};
  sem_init(&l.done, 0, 0);
  assert_int_equal(db_readers_run(r, 2, read_table, &l), OK);
  while (sem_wait(&l.done) != 0) continue; /* all reads of the other business still wait at the gate */
  assert_int_equal(g.reads, 0);
  for (int i = 0; i < 16; i++) sem_post(&g.open);
  assert_null(db_readers_free(r));
  assert_int_equal(g.reads, 16);
  sem_destroy(&l.done);
  sem_destroy(&g.entered);
  sem_destroy(&g.open);
}

#define SCRATCH_TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(a_database_that_is_not_there_yet_is_opened_when_it_is),
      SCRATCH_TEST(a_read_leaves_no_transaction_or_deadline_to_the_next),
      SCRATCH_TEST(a_read_for_a_business_has_a_deadline),
      SCRATCH_TEST(a_reader_can_not_write),
      SCRATCH_TEST(queued_reads_run_even_while_closing),
      SCRATCH_TEST(a_business_with_many_reads_waits_for_one_with_a_single_read),
      SCRATCH_TEST(one_business_never_has_all_threads_nor_all_of_the_queue),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
