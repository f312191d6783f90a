/* calls_search_test.c - the search's index is kept small in bounded parts, however large it has grown; a search costs the same
 * whatever others store. */
#include "cost_scratch.h"

#include "db/db_writer.h"
#include "ledger/calls_list.h"
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

/* The most that one job writes. */
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

/* ---- what others store ---- */

enum { OF_OTHERS = 2000, ASKED = 200 };

/* Steps of the virtual machine, and pages, of a search of business 1 that finds nothing. */
static void cost_of_search(struct db *db, const char *text, int64_t *ret_steps, int64_t *ret_pages) {
  struct calls_key keys[CALLS_LIST_LIMIT_MAX];
  struct calls_filter f = {.search = str_from(text), .limit = 10};
  sqlite3 *sqlite = db_sqlite_of(db)->sqlite;
  size_t count;
  bool more;
  *ret_steps = 0;
  (void)sqlite3_trace_v2(sqlite, SQLITE_TRACE_PROFILE, scratch_count_steps, ret_steps);
  (void)scratch_pages_read(sqlite);
  assert_int_equal(calls_list_page(db, 1, &f, keys, &count, &more), OK);
  *ret_pages = scratch_pages_read(sqlite);
  assert_int_equal(count, 0);
  (void)sqlite3_trace_v2(sqlite, 0, NULL, NULL);
}

/* Business 1 has five calls. */
static struct db *scratch_alone(const struct scratch *place) {
  struct db *db = scratch_ledger(place);
  assert_int_equal(scratch_business(db, "mine"), 1);
  assert_int_equal(scratch_business(db, "theirs"), 2);
  assert_int_equal(db_begin_immediate(db), OK);
  for (int i = 0; i < 5; i++) scratch_named_call(db, 1, i, "+77777777777", "Ann Mine");
  assert_int_equal(db_commit(db), OK);
  return db;
}

/* Business 2 gets many. */
static void put_calls_of_others(struct db *db) {
  char number[32], name[32];
  assert_int_equal(db_begin_immediate(db), OK);
  for (int i = 0; i < OF_OTHERS; i++) {
    scratch_others_text(number, sizeof(number), false, false, i);
    scratch_others_text(name, sizeof(name), true, false, i);
    scratch_named_call(db, 2, i, number, name);
  }
  assert_int_equal(db_commit(db), OK);
}

static void a_search_costs_the_same_whether_others_store_it_or_nobody(void **state) {
  struct db *db = scratch_alone(*state);
  int64_t steps, pages, first[2], all_pages[2] = {0, 0};
  char text[32];
  put_calls_of_others(db);
  for (int i = 0; i < 2 * ASKED; i++) {
    bool by_name = i % 2;
    if (!by_name && i / 2 % 1000 == 777) continue; /* a term that business 1 has */
    for (int of_nobody = 0; of_nobody < 2; of_nobody++) {
      scratch_others_text(text, sizeof(text), by_name, of_nobody, i / 2);
      cost_of_search(db, text, &steps, &pages);
      if (i < 4) continue; /* the first ones prepare statements */
      if (i < 6 && !of_nobody) first[by_name] = steps;
      assert_int_equal(steps, first[by_name]);
      all_pages[of_nobody] += pages;
    }
  }
  print_message("# %lld pages for what others store, %lld for what nobody does\n", (long long)all_pages[0],
                (long long)all_pages[1]);
  assert_true(llabs(all_pages[0] - all_pages[1]) <= all_pages[0] / 100);
  db_close(db);
}

static void sum_costs(struct db *db, int64_t *ret_steps, int64_t *ret_pages) {
  int64_t steps, pages, all_steps = 0, all_pages = 0;
  char text[32];
  for (int i = 0; i < 2 * ASKED; i++) {
    scratch_others_text(text, sizeof(text), i % 2, false, i);
    cost_of_search(db, text, &steps, &pages);
    if (i < 4) continue; /* the first ones prepare statements */
    all_steps += steps;
    all_pages += pages;
  }
  *ret_steps = all_steps;
  *ret_pages = all_pages;
}

/* The index has far more segments then. Trees of tables get deeper: a page more for each look-up in the business's own rows. */
static void a_search_costs_the_same_however_much_others_store(void **state) {
  struct db *db = scratch_alone(*state);
  int64_t steps[2], pages[2], segments[2];
  for (int beside = 0; beside < 2; beside++) {
    if (beside) put_calls_of_others(db);
    segments[beside] = scratch_int(db, "select count(distinct segid) from call_documents_idx");
    sum_costs(db, &steps[beside], &pages[beside]);
    print_message("# %lld segments: %lld steps, %lld pages in %d searches\n", (long long)segments[beside],
                  (long long)steps[beside], (long long)pages[beside], 2 * ASKED - 4);
  }
  assert_true(segments[1] > segments[0] + 5);
  assert_int_equal(steps[1], steps[0]);
  assert_true(pages[1] - pages[0] <= 8 * (2 * ASKED - 4));
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(older_calls_are_indexed_in_bounded_parts_into_a_grown_index),
      SCRATCH_TEST(a_webhook_writes_as_much_to_a_grown_index),
      SCRATCH_TEST(a_search_costs_the_same_whether_others_store_it_or_nobody),
      SCRATCH_TEST(a_search_costs_the_same_however_much_others_store),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
