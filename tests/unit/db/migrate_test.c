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
  assert_int_equal(migrate_run(db, first, COUNT_OF(first), &applied), OK);
  assert_int_equal(applied, 2);
  assert_int_equal(migrate_run(db, first, COUNT_OF(first), &applied), OK);
  assert_int_equal(applied, 0);
  assert_int_equal(scratch_int(db, "select count(*) from things"), 1);
  assert_int_equal(migrate_run(db, second, COUNT_OF(second), &applied), OK);
  assert_int_equal(applied, 1);
  assert_int_equal(migrate_version(db, &number), OK);
  assert_int_equal(number, 3);
  db_close(db);
}

static void the_previous_release_starts_on_a_schema_that_only_grew(void **state) {
  struct db *db = scratch_open(*state, 0);
  int applied = -1;
  assert_int_equal(migrate_run(db, second, COUNT_OF(second), &applied), OK);
  assert_int_equal(migrate_run(db, first, COUNT_OF(first), &applied), OK);
  assert_int_equal(applied, 0);
  db_close(db);
}

static void a_schema_that_asks_for_a_newer_release_is_not_touched(void **state) {
  struct db *db = scratch_open(*state, 0);
  int applied = -1;
  assert_int_equal(migrate_run(db, third, COUNT_OF(third), &applied), OK);
  assert_int_equal(migrate_run(db, second, COUNT_OF(second), &applied), OK);
  applied = -1;
  assert_int_equal(migrate_run(db, first, COUNT_OF(first), &applied), ERR_TOO_NEW);
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
  assert_int_not_equal(migrate_run(db, broken, COUNT_OF(broken), &applied), OK);
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
  assert_int_equal(migrate_run(db, gaps, COUNT_OF(gaps), &applied), ERR_INVALID);
  assert_int_equal(scratch_int(db, "select count(*) from sqlite_schema"), 0);
  db_close(db);
}

#define SCRATCH_TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void) {
  cmocka_set_message_output(CM_OUTPUT_TAP);
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(scripts_run_once_and_in_order),
      SCRATCH_TEST(the_previous_release_starts_on_a_schema_that_only_grew),
      SCRATCH_TEST(a_schema_that_asks_for_a_newer_release_is_not_touched),
      SCRATCH_TEST(a_script_that_fails_leaves_nothing_and_the_earlier_ones_stay),
      SCRATCH_TEST(a_table_with_gaps_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
