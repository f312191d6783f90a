/* calls_blocks_test.c - a search that goes through blocks of documents finds what is there, in the list's order; blocks are
 * divided and marked in bounded parts; what others store changes nothing that a search reads. */
#include "blocks_scratch.h"
#include "cost_scratch.h"

enum { OF_OTHERS = 1500, ASKED = 60, STRIDE = 487 /* prime to CALLS */ };

enum order { OLDEST_FIRST, NEWEST_FIRST, ANY_ORDER };

static void try_order(const struct scratch *place, enum order order) {
  struct db *db = scratch_begun(place);
  for (int i = 0; i < CALLS; i++) {
    put_call(db, order == OLDEST_FIRST ? i : order == NEWEST_FIRST ? CALLS - 1 - i : i * STRIDE % CALLS);
    if (i == CALLS / 2) (void)settle(db);
  }
  assert_finds_all(db); /* some blocks are without marks */
  assert_true(settle(db) <= DB_JOB_ROWS);
  assert_finds_all(db);
  int64_t blocks = scratch_int(db, "select count(*) from call_documents_blocks");
  print_message("# %lld blocks\n", (long long)blocks);
  assert_true(blocks >= CALLS / BLOCK_DOCUMENTS_MOST &&
              blocks <= (order == ANY_ORDER ? 2 : 1) * CALLS / BLOCK_DOCUMENTS + 2);
  assert_true(scratch_int(db, "select count(*) from call_documents_block_groups") >= 2);
  for (int i = 0; i < CALLS; i += 3) put_call(db, i); /* again */
  assert_int_equal(db_run(db, "update calls set customer_name = 'Rarer' where call_sid = 'CA1000700'"), OK);
  assert_int_equal(db_run(db, "delete from calls where call_sid in ('CA1000001', 'CA1000600', 'CA1001199')"), OK);
  assert_finds_all(db);
  (void)settle(db);
  assert_finds_all(db);
  assert_finds(db, CALLS_NEWEST, "rarer", "rarer");
  db_rollback(db);
  db_close(db);
}

static void a_search_finds_calls_that_came_in_their_order(void **state) {
  try_order(*state, OLDEST_FIRST);
}

static void a_search_finds_calls_of_which_the_newest_came_first(void **state) {
  try_order(*state, NEWEST_FIRST);
}

static void a_search_finds_calls_that_came_in_any_order(void **state) {
  try_order(*state, ANY_ORDER);
}

static void words_of_two_names_are_found_in_any_order(void **state) {
  struct db *db = scratch_begun(*state);
  struct calls_key keys[CALLS_LIST_LIMIT_MAX];
  struct calls_filter f = by_blocks;
  size_t count;
  bool more;
  for (int i = 0; i < CALLS; i++)
    scratch_named_call(db, 1, i, "+15550001111", i == 40 ? "Alma Fitz" : i % 2 ? "Alma Berg" : "Otto Fitz");
  (void)settle(db);
  f.search = STR("fitz alma");
  for (enum calls_sort sort = CALLS_NEWEST; sort <= CALLS_SHORTEST; sort++) {
    f.sort = sort;
    assert_int_equal(calls_list_page(db, 1, &f, keys, &count, &more), OK);
    assert_int_equal(count, 1);
    assert_string_equal(keys[0].call_sid, "CA1000040");
  }
  db_rollback(db);
  db_close(db);
}

/* The documents that a search reads of the block at the row, and whether it has a document with the id. */
static int documents_read(struct db *db, struct db_rows *q, const struct block_wanted *w, int64_t id, bool *has_id) {
  struct block_range ranges[BLOCK_STRIPS];
  int count = calls_blocks_ranges(db_text(q, 1), calls_blocks_strips(w, db_text(q, 0)), ranges);
  int64_t found = 0;
  for (int i = 0; i < count; i++) {
    char sql[160];
    (void)snprintf(sql, sizeof(sql), "select count(*) from call_documents_text where rowid between %lld and %lld",
                   (long long)ranges[i].low, (long long)ranges[i].high);
    found += scratch_int(db, sql);
    *has_id = *has_id || (ranges[i].low <= id && id <= ranges[i].high);
  }
  return (int)found;
}

/* Two words that each block has, in documents of their own but for one call. */
static void words_that_are_frequent_apart_are_read_where_both_may_be(void **state) {
  struct db *db = scratch_begun(*state);
  struct db_rows q = DB_ROWS;
  struct block_wanted w = {.count = 0};
  int blocks = 0, read = 0;
  bool has_both = false;
  for (int i = 0; i < CALLS; i++)
    scratch_named_call(db, 1, i, "+15550001111",
                       i == 440       ? "Alma Fitz"
                       : i % 40 == 0  ? "Alma Berg"
                       : i % 40 == 20 ? "Otto Fitz"
                                      : "Jo");
  (void)settle(db);
  int64_t both = scratch_int(db, "select rowid from call_documents_text where names like '%alma%fitz%'");
  calls_blocks_want(&w, BLOCK_NAMES, STR("alma"));
  calls_blocks_want(&w, BLOCK_NAMES, STR("fitz"));
  assert_int_equal(
      db_query_once(db, &q, "select marks, bounds from call_documents_blocks where marks is not null", DB_VALUES_()),
      OK);
  for (; db_next(&q) == OK; blocks++) read += documents_read(db, &q, &w, both, &has_both);
  assert_true(blocks > 5 && has_both);
  assert_in_range(read, 1, 3 * BLOCK_DOCUMENTS / BLOCK_STRIPS); /* one strip, and up to two more by chance */
  db_rows_done(&q);
  db_rollback(db);
  db_close(db);
}

/* The release before strips makes marks of whole blocks, in the first bits. */
static void blocks_that_an_earlier_release_marked_are_searched_and_marked_again(void **state) {
  struct db *db = scratch_begun(*state);
  for (int i = 0; i < CALLS; i++) put_call(db, i);
  (void)settle(db);
  assert_int_equal(db_script(db,
                             "update call_documents_blocks set marks = substr(marks, 1, 928), bounds = null,"
                             " block_group_id = null where marks is not null"),
                   OK);
  assert_finds_all(db);
  (void)settle(db);
  assert_int_equal(
      scratch_int(db, "select count(*) from call_documents_blocks where marks is not null and bounds is null"), 0);
  assert_true(scratch_int(db, "select count(*) from call_documents_blocks where block_group_id is not null") > 4);
  assert_finds_all(db);
  db_rollback(db);
  db_close(db);
}

static bool marks_have(struct db *db, const char *digits) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  struct block_wanted w = {.count = 0};
  bool has = false;
  calls_blocks_want(&w, BLOCK_DIGITS, str_from(digits));
  assert_int_equal(
      db_query_once(db, &q, "select marks from call_documents_blocks where marks is not null", DB_VALUES_()), OK);
  while (db_next(&q) == OK) has = has || calls_blocks_strips(&w, db_text(&q, 0));
  return has;
}

static void marks_of_a_call_go_with_it(void **state) {
  struct db *db = scratch_begun(*state);
  for (int i = 0; i < CALLS; i++) scratch_named_call(db, 1, i, i == 7 ? "+49876543210987" : "+15550001111", "Ann");
  (void)settle(db);
  assert_true(marks_have(db, "9876543210987"));
  assert_int_equal(db_run(db, "delete from calls where call_sid = 'CA1000007'"), OK);
  (void)settle(db);
  assert_false(marks_have(db, "9876543210987"));
  assert_true(marks_have(db, "15550001111"));
  assert_int_equal(db_run(db, "delete from calls where business_id = 1"), OK);
  (void)settle(db);
  assert_false(marks_have(db, "15550001111"));
  assert_true(scratch_int(db, "select count(*) from call_documents_blocks") <= 2);
  db_rollback(db);
  db_close(db);
}

/* ---- cost ---- */

struct cost {
  int64_t steps, pages;
};

static struct cost cost_of_searches(struct db *db, bool of_nobody) {
  struct cost c = {0, 0};
  struct calls_key keys[CALLS_LIST_LIMIT_MAX];
  sqlite3 *sqlite = db_sqlite_of(db)->sqlite;
  (void)sqlite3_trace_v2(sqlite, SQLITE_TRACE_PROFILE, scratch_count_steps, &c.steps);
  (void)scratch_pages_read(sqlite);
  for (int i = 0; i < ASKED; i++) {
    struct calls_filter f = by_blocks;
    char text[32];
    size_t count;
    bool more;
    scratch_others_text(text, sizeof(text), i % 2, of_nobody, i);
    f.search = str_from(text);
    assert_int_equal(calls_list_page(db, 1, &f, keys, &count, &more), OK);
    assert_int_equal(count, 0);
  }
  c.pages = scratch_pages_read(sqlite);
  (void)sqlite3_trace_v2(sqlite, 0, NULL, NULL);
  return c;
}

/* Trees of tables get deeper with what others write: a page or two more for each look-up in the business's own rows. */
static void a_search_of_many_calls_costs_the_same_whatever_others_store(void **state) {
  struct db *db = scratch_begun(*state);
  char number[32], name[32];
  for (int i = 0; i < CALLS; i++) scratch_named_call(db, 1, i, "+77777777777", "Ann Mine");
  scratch_named_call(db, 2, OF_OTHERS, "+88888888888", "Bo"); /* so that my rows never end a tree */
  (void)settle(db);
  assert_int_equal(
      db_script(db,
                "insert into call_documents_block_groups (business_id, first_id, end_id, changes_left, blocks)"
                " values (2, 0, 0, 9, x'')"),
      OK);
  (void)cost_of_searches(db, false);
  struct cost alone = cost_of_searches(db, false);
  int64_t segments = scratch_int(db, "select count(distinct segid) from call_documents_idx");
  for (int i = 0; i < OF_OTHERS; i++) {
    scratch_others_text(number, sizeof(number), false, false, i);
    scratch_others_text(name, sizeof(name), true, false, i);
    scratch_named_call(db, 2, i, number, name);
  }
  (void)settle(db);
  assert_true(scratch_int(db, "select count(distinct segid) from call_documents_idx") != segments);
  (void)cost_of_searches(db, false); /* steps that the upkeep took in a search's statements are counted here */
  struct cost theirs = cost_of_searches(db, false), nobodys = cost_of_searches(db, true);
  print_message("# alone %lld steps, %lld pages; others' %lld, %lld; nobody's %lld, %lld\n", (long long)alone.steps,
                (long long)alone.pages, (long long)theirs.steps, (long long)theirs.pages, (long long)nobodys.steps,
                (long long)nobodys.pages);
  assert_int_equal(theirs.steps, alone.steps);
  assert_true(theirs.pages - alone.pages <= 16 * ASKED);
  assert_true(llabs(theirs.pages - nobodys.pages) <= theirs.pages / 20);
  db_rollback(db);
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(a_search_finds_calls_that_came_in_their_order),
      SCRATCH_TEST(a_search_finds_calls_of_which_the_newest_came_first),
      SCRATCH_TEST(a_search_finds_calls_that_came_in_any_order),
      SCRATCH_TEST(words_of_two_names_are_found_in_any_order),
      SCRATCH_TEST(words_that_are_frequent_apart_are_read_where_both_may_be),
      SCRATCH_TEST(blocks_that_an_earlier_release_marked_are_searched_and_marked_again),
      SCRATCH_TEST(marks_of_a_call_go_with_it),
      SCRATCH_TEST(a_search_of_many_calls_costs_the_same_whatever_others_store),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
