/* calls_search_postgres_test.c - on PostgreSQL, too, a search reads as much whether others store what it asks for or nobody. */
#include "postgres_scratch.h"

#include "ledger/calls_list.h"

enum { OF_OTHERS = 600, ASKED = 100 };

static int64_t read_int(struct db *db, const char *sql) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  assert_int_equal(db_query_once(db, &q, sql, DB_VALUES_()), OK);
  assert_int_equal(db_next(&q), OK);
  return db_int(&q, 0);
}

/* Blocks of the documents and their indexes that all searches so far read. */
static int64_t blocks_read(struct db *db) {
  (void)read_int(db, "select case when pg_stat_force_next_flush() is null then 0 else 1 end");
  return read_int(db,
                  "select (heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit)::bigint"
                  " from pg_statio_user_tables where schemaname = current_schema and relname = 'call_documents'");
}

static void search(struct db *db, const char *text) {
  struct calls_key keys[CALLS_LIST_LIMIT_MAX];
  size_t count;
  bool more;
  /* few: the index is asked after two documents, not after thousands */
  struct calls_filter f = {.search = str_from(text), .limit = 10, .few = 2};
  assert_int_equal(calls_list_page(db, 1, &f, keys, &count, &more), OK);
  assert_int_equal(count, 0);
}

static void a_search_costs_the_same_whether_others_store_it_or_nobody(void **state) {
  (void)state;
  struct db *db = scratch_postgres();
  char number[32], name[32], text[32];
  if (!read_int(db, "select count(*) from pg_catalog.pg_proc where proname = 'pg_stat_force_next_flush'")) {
    print_message("# skipped: this server can't say at once what was read (before version 15)\n");
    scratch_postgres_drop(db);
    skip();
  }
  assert_int_equal(db_begin_immediate(db), OK);
  for (int i = 0; i < 5; i++) scratch_named_call(db, 1, i, "+77777777777", "Ann Mine");
  for (int i = 0; i < OF_OTHERS; i++) {
    scratch_others_text(number, sizeof(number), false, false, i);
    scratch_others_text(name, sizeof(name), true, false, i);
    scratch_named_call(db, 2, i, number, name);
  }
  assert_int_equal(db_commit(db), OK);
  assert_int_equal(db_script(db, "analyze"), OK);
  int64_t blocks[2];
  for (int of_nobody = 0; of_nobody < 2; of_nobody++) {
    int64_t before = blocks_read(db);
    for (int i = 0; i < 2 * ASKED; i++) {
      scratch_others_text(text, sizeof(text), i % 2, of_nobody, i);
      search(db, text);
    }
    blocks[of_nobody] = blocks_read(db) - before;
  }
  print_message("# %lld blocks for what others store, %lld for what nobody does\n", (long long)blocks[0],
                (long long)blocks[1]);
  assert_true(blocks[0] > 2 * ASKED);
  assert_true(llabs(blocks[0] - blocks[1]) <= blocks[0] / 100);
  scratch_postgres_drop(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_search_costs_the_same_whether_others_store_it_or_nobody),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
