/* statements_test.c - PostgreSQL takes every kept statement of the ledger, and both schemas have the same columns. */
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

static const char sqlite_columns[] =
    "select m.name || '.' || i.name from sqlite_schema m join pragma_table_info(m.name) i"
    " where m.type in ('table', 'view') and m.name not glob 'call_search*' and m.name not glob 'call_documents_*'"
    " and m.name not glob 'transcript_words*' and m.name not glob 'transcript_terms*'"
    " and m.name not glob 'sqlite_*' and i.name <> m.name and i.name <> 'rank'"
    " union select name || ' (index)' from sqlite_schema where type = 'index' and name not glob 'sqlite_*'"
    " and name not glob 'call_documents_block*' and name not glob 'call_documents_groups*'";
static const char postgres_has[] =
    "select exists (select 1 from information_schema.columns where table_schema = current_schema"
    " and table_name || '.' || column_name = ?1) or exists (select 1 from pg_catalog.pg_indexes"
    " where schemaname = current_schema and indexname || ' (index)' = ?1)";

/* A script of schema/ needs one in schema_postgres/. */
static void both_schemas_have_the_same_columns_and_indexes(void **state) {
  struct db *server = scratch_postgres(); /* first: without a server it skips the test */
  struct db *sqlite = scratch_ledger(*state);
  struct db_rows q = DB_ROWS;
  int missing = 0;
  assert_int_equal(db_query_once(sqlite, &q, sqlite_columns, DB_VALUES_()), OK);
  while (db_next(&q) == OK) {
    struct db_rows found = DB_ROWS;
    assert_int_equal(db_query_once(server, &found, postgres_has, DB_VALUES_(DB_TEXT(db_text(&q, 0)))), OK);
    assert_int_equal(db_next(&found), OK);
    if (!db_int(&found, 0)) print_message("# missing: %.*s\n", STR_ARG(db_text(&q, 0)));
    missing += !db_int(&found, 0);
    db_rows_done(&found);
  }
  db_rows_done(&q);
  scratch_postgres_drop(server);
  db_close(sqlite);
  assert_int_equal(missing, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_statement_can_be_prepared),
                                     SCRATCH_TEST(both_schemas_have_the_same_columns_and_indexes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
