/* calls_upkeep_test.c - a write's work for other legs is done in bounded parts, and lists are right meanwhile. */
#include "../sizes.h"
#include "rows_scratch.h"

#include "db/db_sqlite.h"
#include "ledger/calls_list.h"
#include "ledger/calls_tree.h"
#include "ledger/calls_search.h"
#include "ledger/calls_upkeep.h"

#define NOW SCRATCH_NOW
enum { LEGS = TEST_SIZE(1200, 300), PART = 20 };
#define LAST_LEG TEST_SIZE("CAleg01199", "CAleg00299")

static void put_legs(struct db *db, const char *parent, int from, int to) {
  assert_int_equal(db_begin_immediate(db), OK);
  for (int i = from; i < to; i++) {
    char sid[SID_SIZE];
    (void)snprintf(sid, sizeof(sid), "CAleg%05d", i);
    scratch_call(db, 1, sid, parent, NOW + i);
  }
  assert_int_equal(db_commit(db), OK);
}

static int64_t count_below(struct db *db, const char *top) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  assert_int_equal(
      db_query(db, &q, "select count(*) from calls where business_id = 1 and top_sid = ?1", DB_TEXT(str_from(top))),
      OK);
  assert_int_equal(db_next(&q), OK);
  return db_int(&q, 0);
}

static bool found(struct db *db, const char *search, const char *row) {
  struct calls_filter f = {.limit = CALLS_LIST_LIMIT_MAX, .search = str_from(search)};
  struct calls_key keys[CALLS_LIST_LIMIT_MAX];
  size_t n;
  bool more;
  assert_int_equal(calls_list_page(db, 1, &f, keys, &n, &more), OK);
  for (size_t i = 0; i < n; i++)
    if (strcmp(keys[i].call_sid, row) == 0) return true;
  return false;
}

static void edit(struct db *db, const char *sid, const char *from_number, const char *customer_name) {
  struct call c;
  assert_int_equal(calls_get(db, 1, str_from(sid), &c), OK);
  (void)snprintf(c.from_number, sizeof(c.from_number), "%s", from_number);
  assert_int_equal(scratch_put(db, &c), OK);
  struct str name = str_from(customer_name);
  assert_int_equal(calls_set_host(db, 1, str_from(sid), &(struct calls_host){.customer_name = &name}), OK);
}

/* Counts all rows written, also by triggers and in the full-text index. */
static int64_t rows_written(struct db *db) {
  return sqlite3_total_changes64(db_sqlite_of(db)->sqlite);
}

static int finish(struct db *db) {
  struct calls_upkeep u = {0};
  bool more = true;
  int parts = 0;
  for (; more; parts++) {
    int64_t touched = db_touched(db);
    assert_int_equal(calls_upkeep_run(db, &u, PART, &more), OK);
    assert_true(db_touched(db) - touched <= 500);
    assert_true(parts < 1000);
  }
  return parts;
}

static void an_edit_writes_as_much_with_many_legs_as_with_few(void **state) {
  int64_t written[2];
  for (int many = 0; many < 2; many++) {
    struct db *db = scratch_ledger(*state);
    scratch_call(db, 1, "CAtop", "", NOW);
    put_legs(db, "CAtop", 0, many ? LEGS : 3);
    assert_int_equal(db_begin_immediate(db), OK);
    int64_t before = rows_written(db);
    edit(db, "CAtop", "+15550100", "Dana Levi");
    edit(db, "CAleg00001", "+15550101", "Noa Cohen");
    scratch_call(db, 1, "CAnew", "CAtop", NOW + 100000);
    written[many] = rows_written(db) - before;
    assert_true(found(db, "5550101", "CAtop"));
    assert_true(found(db, "noa", "CAtop"));
    assert_int_equal(db_commit(db), OK);
    assert_int_equal(db_run(db, "delete from calls"), OK);
    (void)finish(db);
    db_close(db);
  }
  assert_true(written[1] <= written[0] + 4);
}

static void legs_follow_their_parent_in_parts_through_a_crash(void **state) {
  struct db *db = scratch_ledger(*state);
  scratch_call(db, 1, "CAold", "", NOW);
  scratch_call(db, 1, "CAparent", "CAold", NOW);
  put_legs(db, "CAparent", 0, LEGS);
  scratch_call(db, 1, "CAdeep", LAST_LEG, NOW);
  edit(db, "CAdeep", "+15550777", "Deep");
  assert_int_equal(count_below(db, "CAold"), LEGS + 3);
  scratch_call(db, 1, "CAfresh", "", NOW + 5000);
  int64_t touched = db_touched(db);
  scratch_call(db, 1, "CAparent", "CAfresh", NOW);
  assert_true(db_touched(db) - touched <= 500);
  assert_int_equal(count_below(db, "CAfresh"), 2 + CALLS_TREE_AT_ONCE);
  assert_true(found(db, "5550777", "CAold")); /* it has not followed: it is shown in its old row */
  struct calls_upkeep u = {0};
  bool more;
  assert_int_equal(calls_upkeep_run(db, &u, PART, &more), OK);
  assert_true(more);
  db_close(db);
  db = scratch_open(*state, 0); /* as after a crash: the work left is in the database */
  assert_true(finish(db) > 10);
  assert_int_equal(count_below(db, "CAfresh"), LEGS + 3);
  assert_int_equal(count_below(db, "CAold"), 1);
  assert_true(found(db, "5550777", "CAfresh"));
  assert_false(found(db, "5550777", "CAold"));
  bool needed;
  assert_int_equal(calls_upkeep_needed(db, &needed), OK);
  assert_false(needed);
  db_close(db);
}

static void a_row_that_became_a_leg_is_found_by_legs_that_have_yet_to_follow(void **state) {
  struct db *db = scratch_ledger(*state);
  scratch_call(db, 1, "CAparent", "", NOW);
  put_legs(db, "CAparent", 0, LEGS);
  edit(db, LAST_LEG, "+15550777", "Last");
  scratch_call(db, 1, "CAfresh", "", NOW);
  scratch_call(db, 1, "CAparent", "CAfresh", NOW);
  assert_int_equal(count_below(db, "CAparent"), LEGS - CALLS_TREE_AT_ONCE);
  assert_true(found(db, "5550777", "CAfresh"));
  (void)finish(db);
  assert_true(found(db, "5550777", "CAfresh"));
  assert_int_equal(count_below(db, "CAparent"), 0);
  db_close(db);
}

static void a_top_leg_that_learns_its_time_takes_its_legs_documents_along(void **state) {
  struct db *db = scratch_ledger(*state);
  scratch_call(db, 1, "CAtop", "", NOW);
  scratch_call(db, 1, "CAnewer", "", NOW + 50);
  scratch_call(db, 1, "CAleg", "CAtop", NOW + 10);
  edit(db, "CAleg", "+15550123", "Zoe");
  edit(db, "CAnewer", "+15550123", "Zoe");
  scratch_call(db, 1, "CAtop", "", NOW + 99);
  struct calls_filter f = {.limit = 1, .search = STR("5550123")};
  struct calls_key key;
  size_t n;
  bool more;
  assert_int_equal(calls_list_page(db, 1, &f, &key, &n, &more), OK);
  assert_string_equal(key.call_sid, "CAtop");
  assert_true(more);
  db_close(db);
}

static void a_circle_of_parents_ends_and_is_the_same_in_every_order(void **state) {
  static const char *const links[][2] = {{"CA1", "CA3"}, {"CA2", "CA1"}, {"CA3", "CA2"}, {"CA4", "CA3"}};
  static const int orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}};
  for (size_t o = 0; o < COUNT_OF(orders); o++) {
    struct db *db = scratch_ledger(*state);
    for (int i = 0; i < 4; i++) scratch_call(db, 1, links[orders[o][i]][0], links[orders[o][i]][1], NOW);
    assert_true(finish(db) <= 2);
    assert_int_equal(count_below(db, "CA1"), 4);
    assert_int_equal(db_run(db, "delete from calls"), OK);
    (void)finish(db);
    db_close(db);
  }
}

/* Writes a row as an older release does, which knows no documents. */
/* As an earlier release wrote it. */
static void unfold(struct db *db, const char *sid, const char *names) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(1000);
  struct call c;
  assert_int_equal(calls_get(db, 1, str_from(sid), &c), OK);
  assert_int_equal(db_grams_text(&text, 1, DB_GRAMS_NAMES, str_from(names)), OK);
  assert_int_equal(buf_add_char(&text, '\n'), OK);
  assert_int_equal(db_run(db, "update call_documents set names = ?2 where rowid = ?1", DB_INT(c.document_id),
                          DB_TEXT(buf_str(&text))),
                   OK);
}

static void names_are_folded_anew_in_parts_while_searches_go_on(void **state) {
  struct db *db = scratch_ledger(*state);
  enum { CALLS = 300 };
  char sid[SID_SIZE];
  assert_int_equal(db_begin_immediate(db), OK);
  for (int i = 0; i < CALLS; i++) {
    (void)snprintf(sid, sizeof(sid), "CA%05d", i);
    scratch_call(db, 1, sid, "", NOW + i);
    edit(db, sid, "+15550100", "O\u2019Neill");
    unfold(db, sid, "O\u2019Neill");
  }
  assert_int_equal(db_run(db, "update call_documents_folding set version = 0"), OK);
  assert_int_equal(db_commit(db), OK);
  assert_false(found(db, "oneill", "CA00299"));
  assert_true(found(db, "O\u2019Neill", "CA00299"));
  struct calls_upkeep u = {0};
  bool more = true;
  assert_int_equal(calls_upkeep_run(db, &u, PART, &more), OK); /* finds the first business */
  assert_int_equal(calls_upkeep_run(db, &u, PART, &more), OK);
  assert_true(more);
  assert_true(found(db, "oneill", "CA00299"));
  assert_true(found(db, "O\u2019Neill", "CA00299"));
  struct calls_filter f = {
      .limit = 1, .search = STR("O\u2019Neill"), .until = NOW + 10}; /* the oldest are as they were */
  struct calls_key key;
  size_t n;
  assert_int_equal(calls_list_page(db, 1, &f, &key, &n, &more), OK);
  assert_int_equal(n, 1);
  db_close(db);
  db = scratch_open(*state, 0); /* as after a crash */
  assert_true(finish(db) >= CALLS / PART - 1);
  f.search = STR("oneill");
  assert_int_equal(calls_list_page(db, 1, &f, &key, &n, &more), OK);
  assert_int_equal(n, 1);
  bool needed;
  assert_int_equal(calls_upkeep_needed(db, &needed), OK);
  assert_false(needed);
  db_close(db);
}

static void rows_of_an_older_release_are_indexed_soon(void **state) {
  struct db *db = scratch_ledger(*state);
  scratch_call(db, 1, "CA1", "", NOW);
  edit(db, "CA1", "+15550100", "Dana");
  assert_int_equal(db_run(db,
                          "insert into calls (business_id, call_sid, top_sid, from_number, first_seen_at, sort_at)"
                          " values (1, 'CA2', 'CA2', '+15550222', 5, 5) on conflict do update set from_number = '1'"),
                   OK);
  for (int i = 0; i < 2; i++)
    assert_int_equal(db_run(db, "update calls set customer_name = 'Noa', from_number = null where call_sid = 'CA1'"),
                     OK);
  (void)finish(db);
  assert_true(found(db, "5550222", "CA2"));
  assert_true(found(db, "noa", "CA1"));
  assert_false(found(db, "dana", "CA1"));
  assert_false(found(db, "5550100", "CA1"));
  assert_int_equal(scratch_int(db, "select count(*) from call_documents"), 2);
  assert_int_equal(db_run(db, "delete from calls where call_sid = 'CA1'"), OK);
  (void)finish(db);
  assert_int_equal(scratch_int(db, "select count(*) from call_documents"), 1);
  db_close(db);
}

/* Writes calls as an older release without documents indexed them. */
static void older_calls_are_found_while_they_are_being_indexed(void **state) {
  enum { OLDER = TEST_SIZE(300, 60) };
  static const char *const last = TEST_SIZE("CAleg00299", "CAleg00059");
  struct db *db = scratch_ledger(*state);
  put_legs(db, "", 0, OLDER);
  scratch_call(db, 1, "CAchild", "CAleg00000", NOW);
  assert_int_equal(db_script(db,
                             "delete from call_documents;"
                             "update calls set document_id = null, caller_name = 'Dana', search_id = (sort_at << 20)"
                             " + (call_sid = 'CAchild');"
                             "insert into call_search (rowid, scope, numbers, names)"
                             " select search_id, char(0x4e01, 0x4e00, 0x4e00), '', 'Dana' || char(10) from calls;"
                             "delete from call_documents_stale;"
                             "insert into call_documents_build values (0, 0, '')"),
                   OK);
  struct calls_upkeep u = {0};
  bool more = true;
  int parts = 0;
  for (; more; parts++) {
    assert_true(found(db, "dana", last));
    struct calls_filter f = {.limit = 7, .search = STR("dan")};
    struct calls_key keys[7];
    size_t n;
    bool further = true;
    int rows = 0;
    for (; further; rows += (int)n) {
      assert_int_equal(calls_list_page(db, 1, &f, keys, &n, &further), OK);
      f.after = keys[n - 1];
      f.after_key = true;
    }
    assert_int_equal(rows, OLDER);
    assert_int_equal(calls_upkeep_run(db, &u, PART, &more), OK);
  }
  assert_true(parts >= OLDER / PART);
  assert_int_equal(scratch_int(db, "select count(*) from call_documents"), OLDER + 1);
  assert_int_equal(db_script(db, "delete from call_search"), OK);
  assert_true(found(db, "dana", last));
  db_close(db);
}

/* Pages that a search reads. The number must not depend on other businesses' data. */
static int pages_read(struct db *db, int64_t business, const char *search) {
  int hits, misses, high;
  struct calls_filter f = {.limit = 10, .search = str_from(search)};
  struct calls_key keys[10];
  size_t n;
  bool more;
  assert_int_equal(sqlite3_db_status(db_sqlite_of(db)->sqlite, SQLITE_DBSTATUS_CACHE_HIT, &hits, &high, 1), SQLITE_OK);
  assert_int_equal(sqlite3_db_status(db_sqlite_of(db)->sqlite, SQLITE_DBSTATUS_CACHE_MISS, &misses, &high, 1),
                   SQLITE_OK);
  assert_int_equal(calls_list_page(db, business, &f, keys, &n, &more), OK);
  assert_int_equal(n, 0);
  assert_int_equal(sqlite3_db_status(db_sqlite_of(db)->sqlite, SQLITE_DBSTATUS_CACHE_HIT, &hits, &high, 1), SQLITE_OK);
  assert_int_equal(sqlite3_db_status(db_sqlite_of(db)->sqlite, SQLITE_DBSTATUS_CACHE_MISS, &misses, &high, 1),
                   SQLITE_OK);
  return hits + misses;
}

static void a_search_reads_the_same_whether_or_not_others_hold_it(void **state) {
  struct db *db = scratch_ledger(*state);
  put_legs(db, "", 0, 400);
  for (int i = 0; i < 400; i++) {
    char sid[SID_SIZE], number[20];
    (void)snprintf(sid, sizeof(sid), "CAleg%05d", i);
    (void)snprintf(number, sizeof(number), "+1555%07d", i * 24989);
    edit(db, sid, number, i % 2 ? "Zebulon Quixworth" : "Dana Levi");
  }
  for (int i = 0; i < 5; i++) {
    char sid[SID_SIZE];
    (void)snprintf(sid, sizeof(sid), "CA%d", i);
    scratch_call(db, 2, sid, "", NOW + i);
  }
  static const struct {
    const char *held, *nobodys;
  } pairs[] = {
      {"15550024989", "16660024989"}, {"0024989", "0099999"}, {"zebulon", "wolfram"}, {"Quixworth", "Brandtner"}};
  for (size_t i = 0; i < COUNT_OF(pairs); i++) {
    (void)pages_read(db, 2, pairs[i].held), (void)pages_read(db, 2, pairs[i].nobodys);
    assert_int_equal(pages_read(db, 2, pairs[i].held), pages_read(db, 2, pairs[i].nobodys));
  }
  db_close(db);
}

static void a_purge_leaves_no_document(void **state) {
  struct db *db = scratch_ledger(*state);
  assert_int_equal(scratch_business(db, "Acme"), 1);
  put_legs(db, "", 0, 120);
  scratch_call(db, 2, "CA1", "", NOW);
  assert_int_equal(businesses_remove(db, 1), OK);
  bool left = true;
  while (left) assert_int_equal(businesses_purge(db, 1, 50, &left), OK);
  assert_int_equal(scratch_int(db, "select count(*) from call_documents"), 1);
  db_close(db);
}

static void all_children_of_a_call_are_shown_with_its_recording(void **state) {
  struct db *db = scratch_ledger(*state);
  struct calls_key keys[CALLS_LIST_LIMIT_MAX];
  struct calls_filter f = {.limit = 10, .has_recording = CALLS_NO, .all_legs = true};
  static const char marked[] = "select count(*) from calls where unrecorded = 1 and parent_call_sid = 'CA1'";
  size_t n;
  bool more;
  scratch_call(db, 1, "CA1", "", NOW);
  put_legs(db, "CA1", 0, 300);
  (void)finish(db);
  assert_int_equal(scratch_int(db, marked), 300);
  (void)scratch_recording(db, 1, "RE1", "CA1", RECORDING_READY, RECORDING_RANK_REST, NOW);
  assert_int_equal(scratch_int(db, marked), 200);
  assert_true(finish(db) > 1);
  assert_int_equal(scratch_int(db, marked), 0);
  assert_int_equal(calls_list_page(db, 1, &f, keys, &n, &more), OK);
  assert_int_equal(n, 0);
  (void)scratch_recording(db, 1, "RE2", "CA1", RECORDING_READY, RECORDING_RANK_REST, NOW);
  int64_t before = db_touched(db);
  assert_int_equal(db_run(db, "update recordings set call_sid = 'CA9'"), OK); /* the children have none again */
  assert_true(db_touched(db) - before < 150);
  (void)finish(db);
  assert_int_equal(scratch_int(db, marked), 300);
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(all_children_of_a_call_are_shown_with_its_recording),
      SCRATCH_TEST(an_edit_writes_as_much_with_many_legs_as_with_few),
      SCRATCH_TEST(legs_follow_their_parent_in_parts_through_a_crash),
      SCRATCH_TEST(a_row_that_became_a_leg_is_found_by_legs_that_have_yet_to_follow),
      SCRATCH_TEST(a_top_leg_that_learns_its_time_takes_its_legs_documents_along),
      SCRATCH_TEST(a_circle_of_parents_ends_and_is_the_same_in_every_order),
      SCRATCH_TEST(names_are_folded_anew_in_parts_while_searches_go_on),
      SCRATCH_TEST(rows_of_an_older_release_are_indexed_soon),
      SCRATCH_TEST(older_calls_are_found_while_they_are_being_indexed),
      SCRATCH_TEST(a_search_reads_the_same_whether_or_not_others_hold_it),
      SCRATCH_TEST(a_purge_leaves_no_document),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
