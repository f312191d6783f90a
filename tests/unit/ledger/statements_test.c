/* statements_test.c - every kept statement of the ledger can be prepared on PostgreSQL. */
#include "postgres_scratch.h"

#include "db/db_postgres_text.h"

struct preparing {
  struct db *db;
  int statements, failures;
};

static void prepare(void *arg, const char *sql) {
  struct preparing *p = arg;
  struct buf text CLEANUP(buf_done) = BUF_INIT(1 << 20), all CLEANUP(buf_done) = BUF_INIT(1 << 20);
  const char *why = "", *terminated = "";
  if (strncmp(sql, DB_FOR_SQLITE, strlen(DB_FOR_SQLITE)) == 0) return;
  p->statements++;
  enum err e = db_postgres_text(sql, &text, &why);
  if (e == OK) e = buf_addf(&all, "prepare tried as %.*s; deallocate tried", STR_ARG(buf_str(&text)));
  if (e == OK) e = buf_terminate(&all, &terminated);
  if (e == OK && (e = db_script(p->db, terminated)) != OK) why = db_problem(p->db);
  if (e == OK) return;
  print_message("# %s\n#   in: %s\n", why, sql);
  p->failures++;
}

static void every_statement_can_be_prepared(void **state) {
  (void)state;
  struct preparing p = {.db = scratch_postgres()};
  db_texts_each(prepare, &p);
  print_message("# %d statements, %d can't be prepared\n", p.statements, p.failures);
  assert_int_equal(p.failures, 0);
  scratch_postgres_drop(p.db);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_statement_can_be_prepared)};
  cmocka_set_message_output(CM_OUTPUT_TAP);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
