/* db_postgres_test.c - connections to the PostgreSQL server that CALLREEL_TEST_POSTGRES names. */
#include "db_scratch.h"

#include "base/clock.h"

static struct db_open how_to_open(void) {
  const char *url = getenv("CALLREEL_TEST_POSTGRES");
  if (!url) {
    print_message("# skipped: CALLREEL_TEST_POSTGRES names no server (script/test postgres starts one)\n");
    skip();
  }
  return (struct db_open){.url = url, .schema = "unit_db"};
}

static struct db *open_server(void) {
  struct db_open how = how_to_open();
  struct db *db = NULL;
  assert_int_equal(db_open(&how, NULL, &db), OK);
  return db;
}

/* A table of this test's own, with one row. */
static struct db *open_table(void) {
  struct db *db = open_server();
  assert_int_equal(db_script(db,
                             "create schema if not exists unit_db; drop table if exists unit_db.t;"
                             " create table unit_db.t (id bigint primary key, n bigint);"
                             " insert into unit_db.t values (1, 10)"),
                   OK);
  return db;
}

static void end_backend_of(struct db *db) {
  struct db *other = open_server();
  int64_t pid = scratch_int(db, "select pg_backend_pid()");
  struct db_rows q = DB_ROWS;
  assert_int_equal(
      db_query(other, &q, DB_FOR_POSTGRES "select pg_terminate_backend(?1::bigint::int, 5000)", DB_INT(pid)), OK);
  assert_int_equal(db_next(&q), OK);
  assert_int_equal(db_int(&q, 0), 1);
  db_rows_done(&q);
  db_close(other);
}

static void values_come_back_as_they_were_given(void **state) {
  (void)state;
  struct db *db = open_server();
  struct db_rows q = DB_ROWS;
  const struct str bytes = {"\0\\x\xff'", 5}, text = {"שלום \\ '", 12};
  assert_int_equal(db_query(db, &q,
                            DB_FOR_POSTGRES
                            "select ?1::bigint, ?2::float8, ?3::text, ?4::bytea, ?5::text, true, sum(x)::numeric, 7 > 8"
                            " from (values (?1::bigint)) v(x)",
                            DB_INT(INT64_MIN), DB_REAL(1.5), DB_TEXT(text), DB_BLOB(bytes), DB_NULL),
                   OK);
  assert_int_equal(db_next(&q), OK);
  assert_int_equal(db_int(&q, 0), INT64_MIN);
  assert_true(db_real(&q, 1) > 1.4 && db_real(&q, 1) < 1.6);
  assert_true(str_eq(db_text(&q, 2), text));
  assert_true(str_eq(db_text(&q, 3), bytes));
  assert_true(db_is_null(&q, 4) && !db_text(&q, 4).p);
  assert_int_equal(db_int(&q, 5), 1);
  assert_int_equal(db_int(&q, 6), INT64_MIN);
  assert_int_equal(db_int(&q, 7), 0);
  assert_int_equal(db_next(&q), ERR_NOT_FOUND);
  db_rows_done(&q);
  assert_int_equal(db_query(db, &q, DB_FOR_POSTGRES "select ?1::text", DB_TEXT(bytes)), ERR_INVALID);
  db_close(db);
}

static void errors_have_codes_and_a_transaction_ends_with_them(void **state) {
  (void)state;
  struct db *db = open_table();
  assert_int_equal(db_run(db, DB_FOR_POSTGRES "insert into t values (1, 1)"), ERR_EXISTS);
  assert_non_null(strstr(db_problem(db), "23505"));
  assert_int_equal(db_begin_immediate(db), OK);
  assert_int_equal(db_run(db, DB_FOR_POSTGRES "update t set n = n + 1"), OK);
  assert_int_equal(db_changed(db), 1);
  assert_int_equal(db_run(db, DB_FOR_POSTGRES "insert into t values (1, 1)"), ERR_EXISTS);
  assert_int_equal(db_commit(db), ERR_IO);
  db_rollback(db);
  assert_int_equal(scratch_int(db, "select n from t"), 10);
  db_close(db);
}

static void a_query_ends_at_its_deadline(void **state) {
  (void)state;
  struct db *db = open_server();
  struct db_rows q = DB_ROWS;
  db_deadline(db, clock_mono_ms() + 50);
  assert_int_equal(db_query(db, &q, DB_FOR_POSTGRES "select pg_sleep(60)"), ERR_TIMEOUT);
  db_deadline(db, 0);
  assert_int_equal(scratch_int(db, "select 5"), 5);
  db_close(db);
}

static int64_t statement_timeout_ms(struct db *db) {
  return scratch_int(db, "select setting::bigint from pg_settings where name = 'statement_timeout'");
}

static void a_transaction_that_is_rolled_back_leaves_no_time_limit(void **state) {
  (void)state;
  struct db *db = open_table();
  db_deadline(db, clock_mono_ms() + 60000);
  assert_int_equal(statement_timeout_ms(db), 30000);
  db_deadline(db, clock_mono_ms() + 9000);
  assert_int_equal(statement_timeout_ms(db), 10000);
  db_deadline(db, 0);
  assert_int_equal(db_begin(db), OK);
  assert_int_equal(statement_timeout_ms(db), 30000);
  db_rollback(db);
  assert_int_equal(statement_timeout_ms(db), 30000);
  db_close(db);
}

static void a_lost_connection_is_replaced_and_a_lost_transaction_fails(void **state) {
  (void)state;
  struct db *db = open_table();
  assert_int_equal(db_begin_immediate(db), OK);
  assert_int_equal(db_run(db, DB_FOR_POSTGRES "update t set n = 11"), OK);
  end_backend_of(db);
  assert_int_equal(db_run(db, DB_FOR_POSTGRES "update t set n = 12"), ERR_IO);
  assert_int_equal(db_run(db, DB_FOR_POSTGRES "update t set n = 13"), ERR_IO);
  assert_int_not_equal(db_commit(db), OK);
  db_rollback(db);
  assert_int_equal(scratch_int(db, "select n from t"), 10);
  end_backend_of(db);
  assert_int_equal(db_begin_immediate(db), OK); /* on a new connection */
  assert_int_equal(db_run(db, DB_FOR_POSTGRES "update t set n = 14"), OK);
  assert_int_equal(db_commit(db), OK);
  assert_int_equal(scratch_int(db, "select n from t"), 14);
  db_close(db);
}

static void a_commit_without_an_answer_is_unknown(void **state) {
  (void)state;
  struct db *db = open_table();
  assert_int_equal(db_begin_immediate(db), OK);
  assert_int_equal(db_run(db, DB_FOR_POSTGRES "update t set n = 11"), OK);
  end_backend_of(db);
  assert_int_equal(db_commit(db), ERR_UNKNOWN);
  db_rollback(db);
  db_close(db);
}

static void add_later(struct db *db, int64_t id) {
  assert_int_equal(db_run_later(db, DB_FOR_POSTGRES "insert into t values (?1, ?2)", DB_INT(id), DB_INT(0)), OK);
}

static void a_later_statement_runs_before_the_next_one(void **state) {
  (void)state;
  struct db *db = open_table();
  assert_int_equal(db_begin_immediate(db), OK);
  for (int i = 2; i <= 3; i++) add_later(db, i); /* one statement twice, which the server does not know yet */
  assert_int_equal(db_run_later(db, DB_FOR_POSTGRES "update t set n = n + id * 100"), OK);
  assert_int_equal(scratch_int(db, "select sum(n) from t"), 10 + 100 + 200 + 300);
  assert_int_equal(db_run(db, DB_FOR_POSTGRES "update t set n = 1 where id = 1"), OK);
  add_later(db, 4);
  assert_int_equal(db_changed(db), 1); /* of the update */
  for (int i = 5; i <= 104; i++) add_later(db, i);
  assert_int_equal(db_script(db, "update t set n = 7 where id = 104"), OK);
  add_later(db, 105);
  assert_int_equal(db_commit(db), OK);
  assert_int_equal(scratch_int(db, "select count(*) from t"), 105);
  assert_int_equal(scratch_int(db, "select n from t where id = 104"), 7);
  assert_int_equal(db_begin_immediate(db), OK);
  add_later(db, 106);
  db_rollback(db);
  add_later(db, 107); /* without a transaction: at once */
  assert_int_equal(scratch_int(db, "select sum(id) from t where id > 105"), 107);
  db_close(db);
}

static void a_later_statement_that_fails_loses_its_transaction(void **state) {
  (void)state;
  struct db *db = open_table();
  int64_t connection = scratch_int(db, "select pg_backend_pid()");
  for (int at_commit = 0; at_commit <= 1; at_commit++) {
    assert_int_equal(db_begin_immediate(db), OK);
    add_later(db, 2);
    add_later(db, 1); /* is there */
    struct db_rows q = DB_ROWS;
    if (!at_commit) assert_int_equal(db_query(db, &q, DB_FOR_POSTGRES "select 1"), ERR_IO);
    if (!at_commit) assert_int_equal(db_run(db, DB_FOR_POSTGRES "update t set n = 11"), ERR_IO);
    assert_int_equal(db_commit(db), ERR_IO);
    db_rollback(db);
    assert_int_equal(scratch_int(db, "select n from t"), 10);
    assert_int_equal(scratch_int(db, "select pg_backend_pid()"), connection);
  }
  assert_int_equal(db_begin_immediate(db), OK);
  add_later(db, 2);
  assert_int_equal(db_commit(db), OK);
  assert_int_equal(db_begin_immediate(db), OK);
  add_later(db, 3);
  end_backend_of(db); /* its look runs the statement */
  add_later(db, 4);
  assert_int_equal(db_commit(db), ERR_UNKNOWN);
  db_rollback(db);
  assert_int_equal(scratch_int(db, "select count(*) from t"), 2);
  db_close(db);
}

static enum err ask_later(struct db *db, struct db_rows *q, int64_t id) {
  struct db_set set CLEANUP(db_set_done) = DB_SET;
  TRY(db_set_add(&set, DB_INT(id)));
  return db_query_set_later(db, q, &set, "select 10 / n from t where id = any (?1::bigint[])");
}

static void a_later_query_has_its_rows_after_the_next_statement(void **state) {
  (void)state;
  struct db *db = open_table();
  struct db_rows first = DB_ROWS, second = DB_ROWS;
  assert_int_equal(db_begin_immediate(db), OK);
  assert_int_equal(ask_later(db, &first, 1), OK);
  assert_int_equal(db_run_later(db, DB_FOR_POSTGRES "update t set n = 5"), OK);
  assert_int_equal(ask_later(db, &second, 1), OK);
  assert_int_equal(scratch_int(db, "select n from t"), 5);
  assert_int_equal(db_next(&first), OK);
  assert_int_equal(db_int(&first, 0), 1); /* before the update */
  assert_int_equal(db_next(&first), ERR_NOT_FOUND);
  assert_int_equal(db_next(&second), OK);
  assert_int_equal(db_int(&second, 0), 2);
  db_rows_done(&first);
  db_rows_done(&second);
  assert_int_equal(ask_later(db, &first, 1), OK); /* nobody waits for it any more */
  db_rows_done(&first);
  db_rollback(db);

  assert_int_equal(db_begin_immediate(db), OK);
  assert_int_equal(db_run_later(db, DB_FOR_POSTGRES "update t set n = 0"), OK);
  assert_int_equal(ask_later(db, &first, 1), OK); /* divides by it */
  assert_int_equal(db_run(db, DB_FOR_POSTGRES "update t set n = 11"), ERR_IO);
  assert_int_equal(db_next(&first), ERR_IO);
  db_rows_done(&first);
  assert_int_equal(db_commit(db), ERR_IO);
  db_rollback(db);
  assert_int_equal(scratch_int(db, "select n from t"), 10);
  assert_int_equal(ask_later(db, &first, 1), OK); /* without a transaction: at once */
  assert_int_equal(db_next(&first), OK);
  db_rows_done(&first);
  db_close(db);
}

static void a_read_only_connection_cannot_write(void **state) {
  (void)state;
  db_close(open_table());
  struct db_open how = how_to_open();
  struct db *db = NULL;
  how.read_only = true;
  assert_int_equal(db_open(&how, NULL, &db), OK);
  assert_int_not_equal(db_run(db, DB_FOR_POSTGRES "update t set n = 11"), OK);
  assert_int_equal(scratch_int(db, "select n from t"), 10);
  end_backend_of(db);
  assert_int_equal(scratch_int(db, "select n from t"), 10); /* reads are repeated */
  db_close(db);
}

static void a_schema_with_other_tables_is_refused(void **state) {
  (void)state;
  struct db *db = open_table();
  assert_int_equal(db_begin_immediate(db), OK);
  assert_int_equal(db_lock_schema(db), ERR_CONFLICT);
  assert_non_null(strstr(db_problem(db), "DATABASE_SCHEMA"));
  db_rollback(db);
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_come_back_as_they_were_given),
      cmocka_unit_test(errors_have_codes_and_a_transaction_ends_with_them),
      cmocka_unit_test(a_query_ends_at_its_deadline),
      cmocka_unit_test(a_transaction_that_is_rolled_back_leaves_no_time_limit),
      cmocka_unit_test(a_lost_connection_is_replaced_and_a_lost_transaction_fails),
      cmocka_unit_test(a_commit_without_an_answer_is_unknown),
      cmocka_unit_test(a_later_statement_runs_before_the_next_one),
      cmocka_unit_test(a_later_statement_that_fails_loses_its_transaction),
      cmocka_unit_test(a_later_query_has_its_rows_after_the_next_statement),
      cmocka_unit_test(a_read_only_connection_cannot_write),
      cmocka_unit_test(a_schema_with_other_tables_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
