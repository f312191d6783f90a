#include "../sizes.h"
#include "domain_scratch.h"

#include <jansson.h>

#include "base/clock.h"
#include "db/db_sqlite.h"
#include "domain/call_view.h"

#define NOW SCRATCH_NOW

static const struct status_view STATUS_VIEW = {.now = NOW};

static void free_json(json_t **j) {
  json_decref(*j);
}

static json_t *parse(const struct buf *b) {
  json_t *j = json_loadb(b->p, b->n, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(j);
  return j;
}

/* name, value, …, NULL */
static json_t *list(struct db *db, const char *const *params) {
  struct calls_filter f = CALL_VIEW_FILTER;
  for (; params[0]; params += 2) assert_int_equal(call_view_param(&f, str_from(params[0]), str_from(params[1])), OK);
  struct buf b CLEANUP(buf_done) = BUF_INIT(CALL_VIEW_JSON_MAX);
  assert_int_equal(call_view_list(db, 1, &f, NULL, 0, &STATUS_VIEW, &b), OK);
  return parse(&b);
}

/* The call_sids of a list, each with its recordings in brackets. */
static void require_rows(const json_t *answer, const char *expected) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(100000);
  size_t i, k;
  json_t *call, *recording;
  json_array_foreach(json_object_get(answer, "calls"), i, call) {
    assert_int_equal(buf_addf(&b, "%s[", json_string_value(json_object_get(call, "call_sid"))), OK);
    json_array_foreach(json_object_get(call, "recordings"), k, recording) {
      const char *sid = json_string_value(json_object_get(recording, "recording_sid"));
      assert_int_equal(buf_addf(&b, "%s%s", k ? "," : "", sid), OK);
    }
    assert_int_equal(buf_add(&b, STR("] ")), OK);
  }
  const char *text = "";
  if (b.n) assert_int_equal(buf_terminate(&b, &text), OK);
  assert_string_equal(text, expected);
}

static void make_two_legs(struct db *db) {
  scratch_call(db, 1, "CAold", "", NOW - 1000);
  scratch_call(db, 1, "CAtop", "", NOW);
  scratch_call(db, 1, "CAkid", "CAtop", NOW + 1000);
  scratch_call(db, 1, "CAsis", "CAtop", NOW + 2000);
  (void)scratch_recording(db, 1, "REtop", "CAtop", RECORDING_READY, 2, NOW);
  (void)scratch_recording(db, 1, "REkid", "CAkid", RECORDING_FAILED, 2, NOW + 1000);
  (void)scratch_recording(db, 1, "REsis", "CAsis", RECORDING_READY, 2, NOW + 2000);
  scratch_call(db, 2, "CAother", "", NOW);
}

static void a_list_has_one_row_for_each_top_leg_with_all_recordings_of_its_legs(void **state) {
  struct db *db = scratch_ledger(*state);
  make_two_legs(db);
  static const struct {
    const char *params[5];
    const char *rows;
  } cases[] = {
      {{NULL}, "CAtop[REtop,REsis,REkid] CAold[] "},
      {{"legs", "all", NULL}, "CAsis[REsis,REtop] CAkid[REkid,REtop] CAtop[REtop,REsis,REkid] CAold[] "},
      {{"recording_status", "failed", NULL}, "CAtop[REtop,REsis,REkid] "},
      {{"recording_status", "failed", "legs", "all", NULL}, "CAkid[REkid,REtop] CAtop[REtop,REsis,REkid] "},
      {{"recording_status", "missing", NULL}, "CAold[] "},
      {{"has_recording", "false", NULL}, "CAold[] "},
      {{"has_recording", "all", "search", "", NULL}, "CAtop[REtop,REsis,REkid] CAold[] "},
      {{"search", "REki", NULL}, "CAtop[REtop,REsis,REkid] "},
      {{"since", "2027-01-01", NULL}, ""},
      {{"until", "1970-01-01T00:00:00Z", "unknown", "x", NULL}, ""},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    json_t *answer CLEANUP(free_json) = list(db, cases[i].params);
    require_rows(answer, cases[i].rows);
  }
  db_close(db);
}

static void a_cursor_continues_where_the_page_ended(void **state) {
  struct db *db = scratch_ledger(*state);
  char cursor[200] = "";
  scratch_call(db, 1, "CA1", "", NOW);
  scratch_call(db, 1, "CA2", "", NOW);
  scratch_call(db, 1, "CA3", "", NOW);
  static const char *const rows[] = {"CA3[] ", "CA2[] ", "CA1[] "};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    json_t *answer CLEANUP(free_json) = list(db, (const char *const[]){"limit", "1", "cursor", cursor, NULL});
    require_rows(answer, rows[i]);
    const json_t *next = json_object_get(answer, "next_cursor");
    assert_int_equal(json_is_null(next), i == 2);
    if (i < 2) (void)snprintf(cursor, sizeof(cursor), "%s", json_string_value(next));
    scratch_call(db, 1, "CA9", "", NOW + 1000); /* a newer call does not move the cursor */
  }
  db_close(db);
}

static void bad_values_are_refused(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"status", "gone"},      {"recording_status", "done"},
      {"direction", "up"},     {"has_recording", "maybe"},
      {"since", "yesterday"},  {"until", "2026-13-01"},
      {"limit", "0"},          {"limit", "101"},
      {"limit", "-1"},         {"limit", "ten"},
      {"offset", "10001"},     {"offset", "-1"},
      {"search", "a1"},        {"search", "  a  "},
      {"cursor", "AAAA"},      {"cursor", "!"},
      {"legs", "none"},        {"cursor", "MTIzNA"},
      {"search", "\xc3\x28x"}, {"cursor", "LTEuQ0E"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct calls_filter f = CALL_VIEW_FILTER;
    if (call_view_param(&f, str_from(cases[i][0]), str_from(cases[i][1])) != ERR_INVALID)
      fail_msg("%s=%s was taken", cases[i][0], cases[i][1]);
    assert_int_equal(call_view_param(&f, str_from(cases[i][0]), STR("")), OK);
  }
  struct calls_filter f = CALL_VIEW_FILTER;
  assert_int_equal(call_view_param(&f, STR("search"), STR(" \xd7\x9c\xd7\x99 ")), OK); /* two letters */
  assert_int_equal(f.search.n, 4);
}

static void one_call_has_its_legs(void **state) {
  struct db *db = scratch_ledger(*state);
  make_two_legs(db);
  static const struct {
    const char *sid, *legs;
  } cases[] = {{"CAtop", "[\"CAkid\",\"CAsis\"]"}, {"CAkid", "[\"CAtop\"]"}, {"CAold", "[]"}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(CALL_VIEW_JSON_MAX);
    assert_int_equal(call_view_one(db, 1, str_from(cases[i].sid), NULL, 0, &STATUS_VIEW, &b), OK);
    json_t *call CLEANUP(free_json) = parse(&b);
    char *legs CLEANUP(free_char) = json_dumps(json_object_get(call, "legs"), JSON_COMPACT);
    assert_string_equal(legs, cases[i].legs);
  }
  struct buf b CLEANUP(buf_done) = BUF_INIT(1000);
  assert_int_equal(call_view_one(db, 1, STR("CAother"), NULL, 0, &STATUS_VIEW, &b), ERR_NOT_FOUND);
  assert_int_equal(call_view_one(db, 2, STR("CAtop"), NULL, 0, &STATUS_VIEW, &b), ERR_NOT_FOUND);
  db_close(db);
}

static void a_call_with_thousands_of_legs_ends_the_page_but_loses_no_row(void **state) {
  struct db *db = scratch_ledger(*state);
  char sid[SID_SIZE];
  assert_int_equal(db_begin_immediate(db), OK);
  for (int top = 0; top < 3; top++) {
    (void)snprintf(sid, sizeof(sid), "CAtop%d", top);
    scratch_call(db, 1, sid, "", NOW + top);
  }
  /* Writes into the table directly, because this test is about lists, not about intake. */
  assert_int_equal(db_run(db,
                          "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1500)"
                          " insert into calls (business_id, call_sid, parent_call_sid, top_sid, first_seen_at, sort_at)"
                          " select 1, 'CAleg' || top || '.' || i, 'CAtop' || top, 'CAtop' || top, 1, 1"
                          " from n, (select 0 as top union select 1 union select 2)"),
                   OK);
  assert_int_equal(db_commit(db), OK);
  char cursor[200] = "";
  static const char *const rows[] = {"CAtop2[] ", "CAtop1[] ", "CAtop0[] "};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    json_t *answer CLEANUP(free_json) = list(db, (const char *const[]){"cursor", cursor, NULL});
    require_rows(answer, rows[i]);
    const char *next = json_string_value(json_object_get(answer, "next_cursor"));
    (void)snprintf(cursor, sizeof(cursor), "%s", next ? next : "");
  }
  assert_string_equal(cursor, "");
  db_close(db);
}

/* ---- the cost of a page ---- */

static size_t comparisons; /* of texts, by all code that is linked into this program as an archive */

int __real_strcmp(const char *a, const char *b);
int __real_memcmp(const void *a, const void *b, size_t n);
int __wrap_strcmp(const char *a, const char *b);
int __wrap_memcmp(const void *a, const void *b, size_t n);
int __wrap_strcmp(const char *a, const char *b) {
  comparisons++;
  return __real_strcmp(a, b);
}
int __wrap_memcmp(const void *a, const void *b, size_t n) {
  comparisons++;
  return __real_memcmp(a, b, n);
}

/* Makes CAtop1 … CAtop{tops}, each with that many further legs, and one recording for each leg. */
static void make_trees(struct db *db, int business, int tops, int legs) {
  assert_int_equal(db_begin_immediate(db), OK);
  assert_int_equal(db_run(db,
                          "with recursive t(i) as (select 1 union all select i + 1 from t where i < ?2),"
                          " l(k) as (select 0 union all select k + 1 from l where k < ?3)"
                          " insert into calls (business_id, call_sid, parent_call_sid, top_sid, first_seen_at, sort_at)"
                          " select ?1, iif(k, 'CAleg' || k || '.', 'CAtop') || i, iif(k, 'CAtop' || i, null),"
                          " 'CAtop' || i, ?4 + k, ?4 + k from t, l",
                          DB_INT(business), DB_INT(tops), DB_INT(legs), DB_INT(NOW)),
                   OK);
  assert_int_equal(db_run(db,
                          "insert into recordings (business_id, recording_sid, call_sid, first_seen_at)"
                          " select business_id, 'RE' || call_sid, call_sid, first_seen_at from calls"
                          " where business_id = ?1",
                          DB_INT(business)),
                   OK);
  assert_int_equal(db_commit(db), OK);
}

/* Lists a page with one row for each leg, or for each top leg. */
static size_t comparisons_for(struct db *db, int business, bool all_legs, size_t rows) {
  const struct calls_filter f = {.limit = 100, .all_legs = all_legs};
  struct buf b CLEANUP(buf_done) = BUF_INIT(CALL_VIEW_JSON_MAX);
  size_t before = comparisons;
  assert_int_equal(call_view_list(db, business, &f, NULL, 0, &STATUS_VIEW, &b), OK);
  size_t took = comparisons - before;
  json_t *answer CLEANUP(free_json) = parse(&b);
  assert_int_equal(json_array_size(json_object_get(answer, "calls")), rows);
  return took;
}

static size_t comparisons_for_one(struct db *db, int business, const char *sid) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(CALL_VIEW_JSON_MAX);
  size_t before = comparisons;
  assert_int_equal(call_view_one(db, business, str_from(sid), NULL, 0, &STATUS_VIEW, &b), OK);
  return comparisons - before;
}

static void a_page_takes_comparisons_in_step_with_its_legs(void **state) {
  struct db *db = scratch_ledger(*state);
  make_trees(db, 1, 100, 1);
  make_trees(db, 2, 100, 19); /* ten times the legs */
  make_trees(db, 3, 1, 199);
  make_trees(db, 4, 1, 1999);
  size_t few = comparisons_for(db, 1, false, 100), many = comparisons_for(db, 2, false, 100);
  if (many > 20 * few) fail_msg("100 calls of 2 legs: %zu, of 20 legs: %zu", few, many);
  few = comparisons_for(db, 3, true, 100);
  many = comparisons_for(db, 4, true, 100);
  if (many > 20 * few) fail_msg("100 legs of 200: %zu, of 2000: %zu", few, many);
  few = comparisons_for_one(db, 3, "CAleg1.1");
  many = comparisons_for_one(db, 4, "CAleg1.1");
  if (many > 2 * few) fail_msg("one leg of 200: %zu, of 2000: %zu", few, many);
  db_close(db);
}

static int add_steps(unsigned event, void *arg, void *statement, void *ns) {
  (void)event;
  (void)ns;
  *(int64_t *)arg += sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1);
  return 0;
}

static void a_page_that_ends_early_takes_the_database_no_longer_than_a_full_one(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t full = 0, early = 0;
  make_trees(db, 1, 100, 19);
  make_trees(db, 2, TEST_SIZE(100, 20), 199);
  (void)sqlite3_trace_v2(db_sqlite_of(db)->sqlite, SQLITE_TRACE_PROFILE, add_steps, &full);
  (void)comparisons_for(db, 1, false, 100);
  (void)sqlite3_trace_v2(db_sqlite_of(db)->sqlite, SQLITE_TRACE_PROFILE, add_steps, &early);
  (void)comparisons_for(db, 2, false, 10);
  (void)sqlite3_trace_v2(db_sqlite_of(db)->sqlite, 0, NULL, NULL);
  if (!full || early > 2 * full) fail_msg("full: %lld steps, early: %lld", (long long)full, (long long)early);
  db_close(db);
}

/* ---- its deadline ---- */

#ifdef CALLREEL_TEST_HOOKS
enum { LIST_MS = 60 * 1000 };

static int pass_time_behind_recordings(unsigned event, void *arg, void *statement, void *ns) {
  (void)event;
  (void)arg;
  (void)ns;
  const char *sql = sqlite3_sql(statement);
  if (sql && strstr(sql, "cross join recordings r")) clock_test_advance_ms(LIST_MS);
  return 0;
}
#endif

static void a_list_whose_time_is_over_after_its_queries_is_not_written(void **state) {
#ifdef CALLREEL_TEST_HOOKS
  struct db *db = scratch_ledger(*state);
  make_two_legs(db);
  const struct calls_filter f = CALL_VIEW_FILTER;
  struct buf b CLEANUP(buf_done) = BUF_INIT(CALL_VIEW_JSON_MAX);
  assert_int_equal(call_view_list(db, 1, &f, NULL, 0, &STATUS_VIEW, &b), OK);
  db_deadline(db, clock_mono_ms() + LIST_MS);
  (void)sqlite3_trace_v2(db_sqlite_of(db)->sqlite, SQLITE_TRACE_PROFILE, pass_time_behind_recordings, NULL);
  assert_int_equal(call_view_list(db, 1, &f, NULL, 0, &STATUS_VIEW, &b), ERR_TIMEOUT);
  db_close(db);
#else
  (void)state;
  skip();
#endif
}

/* ---- rows of one tree ---- */

static void rows_that_would_show_too_many_recordings_are_on_the_next_page(void **state) {
  struct db *db = scratch_ledger(*state);
  make_trees(db, 1, 1, 3); /* each of the three shows the top leg's recording */
  assert_int_equal(db_run(db,
                          "with recursive n(i) as (select 1 union all select i + 1 from n where i < 900)"
                          " insert into recordings (business_id, recording_sid, call_sid, first_seen_at)"
                          " select 1, 'REmany' || i, 'CAtop1', 1 from n"),
                   OK);
  char cursor[200] = "";
  static const size_t rows[] = {2, 2};
  static const char *const first[] = {"CAleg3.1", "CAleg1.1"};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    json_t *answer CLEANUP(free_json) = list(db, (const char *const[]){"legs", "all", "cursor", cursor, NULL});
    const json_t *calls = json_object_get(answer, "calls");
    assert_int_equal(json_array_size(calls), rows[i]);
    assert_string_equal(json_string_value(json_object_get(json_array_get(calls, 0), "call_sid")), first[i]);
    const char *next = json_string_value(json_object_get(answer, "next_cursor"));
    (void)snprintf(cursor, sizeof(cursor), "%s", next ? next : "");
  }
  assert_string_equal(cursor, "");
  db_close(db);
}

static void legs_that_name_each_other_are_shown_once(void **state) {
  struct db *db = scratch_ledger(*state);
  scratch_call(db, 1, "CAone", "CAtwo", NOW);
  scratch_call(db, 1, "CAtwo", "CAone", NOW + 1000);
  (void)scratch_recording(db, 1, "REone", "CAone", RECORDING_READY, 2, NOW);
  (void)scratch_recording(db, 1, "REtwo", "CAtwo", RECORDING_READY, 2, NOW);
  json_t *answer CLEANUP(free_json) = list(db, (const char *const[]){"legs", "all", NULL});
  require_rows(answer, "CAtwo[REtwo,REone] CAone[REone,REtwo] ");
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(a_list_has_one_row_for_each_top_leg_with_all_recordings_of_its_legs),
      SCRATCH_TEST(a_cursor_continues_where_the_page_ended),
      cmocka_unit_test(bad_values_are_refused),
      SCRATCH_TEST(one_call_has_its_legs),
      SCRATCH_TEST(a_call_with_thousands_of_legs_ends_the_page_but_loses_no_row),
      SCRATCH_TEST(a_page_takes_comparisons_in_step_with_its_legs),
      SCRATCH_TEST(a_page_that_ends_early_takes_the_database_no_longer_than_a_full_one),
      SCRATCH_TEST(a_list_whose_time_is_over_after_its_queries_is_not_written),
      SCRATCH_TEST(rows_that_would_show_too_many_recordings_are_on_the_next_page),
      SCRATCH_TEST(legs_that_name_each_other_are_shown_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
