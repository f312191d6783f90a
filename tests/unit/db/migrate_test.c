#include "db/migrate.h"

#include "db_scratch.h"

static const struct migration first[] = {
    {1, "things", "create table things (i); create table others (i);", 0},
    {2, "one thing", "insert into things values (1)", 0},
};
static const struct migration second[] = {
    {1, "things", "create table things (i); create table others (i);", 0},
    {2, "one thing", "insert into things values (1)", 0},
    {3, "colour", "alter table things add column colour text", 0},
};
static const struct migration third[] = {
    {1, "things", "create table things (i); create table others (i);", 0},
    {2, "one thing", "insert into things values (1)", 0},
    {3, "colour", "alter table things add column colour text", 0},
    {4, "no others", "drop table others", 3},
};

static void scripts_run_once_and_in_order(void **state) {
  struct db *db = scratch_open(*state, 0);
  int applied = -1, number = -1;
  assert_int_equal(migrate_version(db, &number), OK);
  assert_int_equal(number, 0);
  assert_int_equal(migrate_run(db, first, COUNT_OF(first), NULL, &applied), OK);
  assert_int_equal(applied, 2);
  assert_int_equal(migrate_run(db, first, COUNT_OF(first), NULL, &applied), OK);
  assert_int_equal(applied, 0);
  assert_int_equal(scratch_int(db, "select count(*) from things"), 1);
  assert_int_equal(migrate_run(db, second, COUNT_OF(second), NULL, &applied), OK);
  assert_int_equal(applied, 1);
  assert_int_equal(migrate_version(db, &number), OK);
  assert_int_equal(number, 3);
  db_close(db);
}

static void the_previous_release_starts_on_a_schema_that_only_grew(void **state) {
  struct db *db = scratch_open(*state, 0);
  int applied = -1;
  assert_int_equal(migrate_run(db, second, COUNT_OF(second), NULL, &applied), OK);
  assert_int_equal(migrate_run(db, first, COUNT_OF(first), NULL, &applied), OK);
  assert_int_equal(applied, 0);
  db_close(db);
}

static void a_schema_that_asks_for_a_newer_release_is_not_touched(void **state) {
  struct db *db = scratch_open(*state, 0);
  int applied = -1;
  assert_int_equal(migrate_run(db, third, COUNT_OF(third), NULL, &applied), OK);
  assert_int_equal(migrate_run(db, second, COUNT_OF(second), NULL, &applied), OK);
  applied = -1;
  assert_int_equal(migrate_run(db, first, COUNT_OF(first), NULL, &applied), ERR_TOO_NEW);
  assert_int_equal(applied, -1);
  assert_int_equal(scratch_int(db, "select count(*) from schema_migrations"), 4);
  db_close(db);
}

static void a_script_that_fails_leaves_nothing_and_the_earlier_ones_stay(void **state) {
  static const struct migration broken[] = {
      {1, "things", "create table things (i)", 0},
      {2, "broken", "create table more (i); insert into nowhere values (1)", 0},
  };
  struct db *db = scratch_open(*state, 0);
  int applied = -1, number = -1;
  assert_int_not_equal(migrate_run(db, broken, COUNT_OF(broken), NULL, &applied), OK);
  assert_false(db_in_transaction(db));
  assert_int_equal(applied, -1);
  assert_int_equal(migrate_version(db, &number), OK);
  assert_int_equal(number, 1);
  assert_int_equal(scratch_int(db, "select count(*) from sqlite_schema where name = 'more'"), 0);
  db_close(db);
}

static void a_table_with_gaps_is_refused(void **state) {
  static const struct migration gaps[] = {{1, "a", "create table a (i)", 0}, {3, "c", "create table c (i)", 0}};
  struct db *db = scratch_open(*state, 0);
  int applied = -1;
  assert_int_equal(migrate_run(db, gaps, COUNT_OF(gaps), NULL, &applied), ERR_INVALID);
  assert_int_equal(scratch_int(db, "select count(*) from sqlite_schema"), 0);
  db_close(db);
}

#define SCRATCH_TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

struct seen {
  int calls;
  size_t least, most, all;
};
static void see(void *arg, const struct migration *m, size_t done, size_t all) {
  struct seen *s = arg;
  assert_int_equal(m->number, 2);
  if (s->calls++ == 0) s->least = done;
  s->most = done;
  s->all = all;
}

static void a_long_script_tells_how_far_it_is(void **state) {
#define LONG \
  "with recursive g(i) as (select 1 union all select i + 1 from g where i < 20000) insert into t select i from g;"
  static const struct migration scripts[] = {{1, "quick", "create table t (i);", 0}, {2, "long", LONG LONG, 0}};
  struct db *db = scratch_open(*state, 0);
  struct seen seen = {0};
  int applied;
  assert_int_equal(migrate_run(db, scripts, 1, NULL, &applied), OK);
  assert_int_equal(migrate_run(db, scripts, 2, &(struct migrate_watch){see, &seen}, &applied), OK);
  assert_int_equal(seen.all, 2 * strlen(LONG));
  assert_int_equal(seen.least, 0);
  assert_int_equal(seen.most, strlen(LONG));
  assert_true(seen.calls > 10);
  assert_int_equal(scratch_int(db, "select count(*) from t"), 40000);
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(a_long_script_tells_how_far_it_is),
      SCRATCH_TEST(scripts_run_once_and_in_order),
      SCRATCH_TEST(the_previous_release_starts_on_a_schema_that_only_grew),
      SCRATCH_TEST(a_schema_that_asks_for_a_newer_release_is_not_touched),
      SCRATCH_TEST(a_script_that_fails_leaves_nothing_and_the_earlier_ones_stay),
      SCRATCH_TEST(a_table_with_gaps_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
