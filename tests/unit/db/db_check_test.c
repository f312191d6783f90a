/* db_check_test.c - db_check tells an undamaged database from a damaged one. */
#include "db_scratch.h"

#include <fcntl.h>

#include "db/migrate.h"

static struct db *filled(const struct scratch *s) {
  struct db *db = scratch_open(s, 0);
  assert_int_equal(
      db_script(db,
                "create table t (a integer primary key, b text); create index t_b on t (b);"
                "insert into t (b) with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)"
                " select printf('%040d', i) from n;"),
      OK);
  return db;
}

static void an_undamaged_database_passes(void **state) {
  struct db *db = filled(*state);
  struct buf problem CLEANUP(buf_done) = BUF_INIT(1024);
  assert_int_equal(db_check(db, 60000, &problem), OK);
  assert_int_equal(problem.n, 0);
  db_close(db);
}

static void a_check_ends_at_its_limit(void **state) {
  struct db *db = filled(*state);
  assert_int_equal(db_check(db, -1, NULL), ERR_TIMEOUT);
  assert_int_equal(scratch_int(db, "select count(*) from t"), 20000); /* only the check had that limit */
  db_close(db);
}

static void damage_is_found(void **state) {
  struct scratch *s = *state;
  static const char noise[2048] = {1, 2, 3};
  db_close(filled(s));
  int fd = open(s->path, O_RDWR);
  assert_true(fd >= 0);
  for (int page = 20; page < 60; page++) assert_int_equal(pwrite(fd, noise, sizeof(noise), page * 4096), sizeof(noise));
  close(fd);
  struct db *db = scratch_open(s, 0);
  struct buf problem CLEANUP(buf_done) = BUF_INIT(1024);
  assert_int_equal(db_check(db, 60000, &problem), ERR_CORRUPT);
  assert_true(problem.n > 0 || db_problem(db)[0] != '\0');
  db_close(db);
}

static void schema_says_what_it_is_and_asks_for(void **state) {
  static const struct migration all[] = {{1, "one", "create table a (x)", 0}, {2, "two", "create table b (x)", 2}};
  struct db *db = scratch_open(*state, 0);
  int number = -1, oldest = -1, applied;
  assert_int_equal(migrate_read(db, &number, &oldest), OK);
  assert_int_equal(number, 0);
  assert_int_equal(oldest, 0);
  assert_int_equal(migrate_run(db, all, COUNT_OF(all), NULL, &applied), OK);
  assert_int_equal(migrate_read(db, &number, &oldest), OK);
  assert_int_equal(number, 2);
  assert_int_equal(oldest, 2);
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(an_undamaged_database_passes, scratch_setup, scratch_teardown),
      cmocka_unit_test_setup_teardown(a_check_ends_at_its_limit, scratch_setup, scratch_teardown),
      cmocka_unit_test_setup_teardown(damage_is_found, scratch_setup, scratch_teardown),
      cmocka_unit_test_setup_teardown(schema_says_what_it_is_and_asks_for, scratch_setup, scratch_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
