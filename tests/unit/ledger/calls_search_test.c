/* calls_search_test.c - the search's index is kept small in bounded parts, however large it has grown. */
#include "rows_scratch.h"

#include "db/db_sqlite.h"
#include "db/db_writer.h"
#include "ledger/calls_search.h"
#include "ledger/calls_upkeep.h"

enum { CALLS = 3000, PART = 20, PAGES_MOST = 300, SEGMENTS_MOST = 48 };

#define OLDER_CALLS                                                                                                    \
  "with recursive g(i) as (select 1 union all select i + 1 from g where i < 3000)"                                     \
  " insert into calls (business_id, call_sid, top_sid, from_number, to_number, caller_name, first_seen_at,"            \
  "  started_at, sort_at) select 1 + i % 3, 'CA' || i, 'CA' || i, printf('+1555%07d', i * 7919 % 9999991),"            \
  "  printf('+1444%07d', i * 104729 % 9999991), printf('Dana %x', i * 15485863), i * 1000, i * 1000, i * 1000 from g;" \
  "delete from call_documents_stale; delete from call_facets;"                                                         \
  "insert into call_documents_build values (0, 0, ''); insert into call_facets_build values (0, 0, '')"

static void count_page(void *arg, int operation, const char *database, const char *table, sqlite3_int64 rowid) {
  (void)database, (void)rowid;
  if (operation == SQLITE_INSERT && strcmp(table, "call_documents_data") == 0) ++*(int64_t *)arg;
}

/* What one job writes, at most. */
struct most {
  int64_t rows, pages;
};

/* Ends a job as the writer does, which makes SQLite write the documents. */
static void note_job(struct db *db, int64_t touched, int64_t *pages, struct most *most) {
  assert_int_equal(db_run(db, "release job"), OK);
  if (db_touched(db) - touched > most->rows) most->rows = db_touched(db) - touched;
  if (*pages > most->pages) most->pages = *pages;
  *pages = 0;
}

static void assert_is_bounded(struct db *db, const struct most *most) {
  int64_t segments = scratch_int(db, "select count(distinct segid) from call_documents_idx");
  print_message("# at most %lld rows and %lld pages; %lld segments\n", (long long)most->rows, (long long)most->pages,
                (long long)segments);
  assert_true(most->rows <= DB_JOB_ROWS);
  assert_true(most->pages <= PAGES_MOST);
  assert_true(segments <= SEGMENTS_MOST);
  assert_int_equal(scratch_int(db, "select count(*) from call_documents"), CALLS);
  assert_int_equal(db_run(db, "insert into call_documents (call_documents) values ('integrity-check')"), OK);
}

static void older_calls_are_indexed_in_bounded_parts_into_a_grown_index(void **state) {
  struct db *db = scratch_ledger(*state);
  struct most most = {0, 0};
  struct calls_upkeep u = {0};
  int64_t pages = 0;
  assert_int_equal(db_begin_immediate(db), OK);
  assert_int_equal(db_script(db, OLDER_CALLS), OK);
  (void)sqlite3_update_hook(db_sqlite_of(db)->sqlite, count_page, &pages);
  for (bool more = true; more;) {
    int64_t touched = db_touched(db);
    assert_int_equal(db_run(db, "savepoint job"), OK);
    assert_int_equal(calls_upkeep_run(db, &u, PART, &more), OK);
    note_job(db, touched, &pages, &most);
  }
  assert_is_bounded(db, &most);
  db_rollback(db);
  db_close(db);
}

static void a_webhook_writes_as_much_to_a_grown_index(void **state) {
  struct db *db = scratch_ledger(*state);
  struct most most = {0, 0};
  int64_t pages = 0;
  assert_int_equal(db_begin_immediate(db), OK);
  (void)sqlite3_update_hook(db_sqlite_of(db)->sqlite, count_page, &pages);
  for (int i = 0; i < CALLS; i++) {
    struct call c = {.business_id = 1 + i % 3, .duration_s = -1, .first_seen_at = 1000 * (i + 1)};
    (void)snprintf(c.call_sid, sizeof(c.call_sid), "CA%d", i);
    (void)snprintf(c.from_number, sizeof(c.from_number), "+1555%07d", i * 7919 % 9999991);
    (void)snprintf(c.caller_name, sizeof(c.caller_name), "Dana %x", (unsigned)i * 15485863U);
    int64_t touched = db_touched(db);
    assert_int_equal(db_run(db, "savepoint job"), OK);
    assert_int_equal(calls_put(db, NULL, &c, STR("{}")), OK);
    note_job(db, touched, &pages, &most);
  }
  assert_is_bounded(db, &most);
  db_rollback(db);
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(older_calls_are_indexed_in_bounded_parts_into_a_grown_index),
      SCRATCH_TEST(a_webhook_writes_as_much_to_a_grown_index),
  };
  cmocka_set_message_output(CM_OUTPUT_TAP);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
