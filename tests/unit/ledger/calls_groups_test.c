/* calls_groups_test.c - groups of blocks: what a search finds by them is what it finds without, whatever changes; they are made
 * and ended in bounded parts. */
#include "blocks_scratch.h"

enum { ROUNDS = 400, CHECKED_EVERY = 25, HOUR_MS = 3600 * 1000 };

/* A sequence of numbers that is the same in each run. */
static uint32_t next_random(uint32_t *state) {
  *state = *state * 1664525U + 1013904223U;
  return *state >> 8;
}

static void assert_groups_are_consistent(struct db *db) {
  assert_int_equal(
      scratch_int(db,
                  "select count(*) from call_documents_blocks b left join call_documents_block_groups g on g.id ="
                  " b.block_group_id where b.block_group_id is not null and (g.id is null or b.marks is null or"
                  " b.is_open or b.first_id < g.first_id or b.first_id >= g.end_id)"),
      0);
  assert_int_equal(
      scratch_int(db,
                  "select count(*) from call_documents_block_groups g join call_documents_block_groups h on h.id <>"
                  " g.id and h.business_id = g.business_id and h.first_id < g.end_id and g.first_id <"
                  " h.end_id"),
      0);
  assert_int_equal(scratch_int(db,
                               "select count(*) from call_documents_block_slices s where not exists (select 1 from"
                               " call_documents_block_groups g where g.id = s.id >> 8)"),
                   0);
}

/* ---- after every change ---- */

static void change_something(struct db *db, uint32_t *state) {
  char sql[160];
  uint32_t i = next_random(state) % CALLS, kind = next_random(state) % 4;
  if (kind < 2)
    put_call(db, (int)i);
  else if (kind == 2)
    (void)snprintf(sql, sizeof(sql), "update calls set customer_name = 'Rare%u' where call_sid = 'CA1%06u'", i % 7, i);
  else
    (void)snprintf(sql, sizeof(sql), "delete from calls where call_sid = 'CA1%06u'", i);
  if (kind >= 2) assert_int_equal(db_script(db, sql), OK);
}

static void a_search_finds_all_whatever_changes(void **state) {
  struct db *db = scratch_begun(*state);
  struct calls_upkeep u = {.group_blocks = SMALL_GROUP};
  uint32_t random = 7;
  int64_t changed = 0;
  bool more;
  for (int i = 0; i < CALLS; i += 1 + i % 3) put_call(db, i);
  (void)settle(db);
  for (int round = 1; round <= TEST_SIZE(ROUNDS, ROUNDS / 4); round++) {
    change_something(db, &random);
    if (round % 3 == 0) assert_int_equal(calls_upkeep_run(db, &u, UPKEEP_PART, &more), OK);
    if (round % CHECKED_EVERY) continue;
    changed += scratch_int(db, "select count(*) from call_documents_block_groups where changes_left < 2");
    assert_groups_are_consistent(db);
    assert_finds_all(db);
  }
  print_message("# %lld groups had changed blocks\n", (long long)changed);
  (void)settle(db);
  assert_finds_all(db);
  assert_int_equal(db_run(db, "delete from calls where business_id = 1"), OK);
  (void)settle(db);
  assert_groups_are_consistent(db);
  assert_int_equal(scratch_int(db, "select count(*) from call_documents_block_slices"), 0);
  db_rollback(db);
  db_close(db);
}

/* ---- a span of time ---- */

static void put_hour(struct db *db, int i) {
  struct call c;
  memset(&c, 0, sizeof(c));
  c.business_id = 1;
  (void)snprintf(c.call_sid, sizeof(c.call_sid), "CA1%06d", i);
  (void)snprintf(c.from_number, sizeof(c.from_number), "+1555%07d", i);
  (void)snprintf(c.caller_name, sizeof(c.caller_name), i % 30 ? "Ann" : "Rare");
  c.duration_s = -1;
  c.started_at = c.first_seen_at = SCRATCH_NOW + (int64_t)i * HOUR_MS;
  assert_int_equal(scratch_put(db, &c), OK);
}

static int found_between(struct db *db, enum calls_sort sort, int from, int until) {
  struct calls_key keys[CALLS_LIST_LIMIT_MAX];
  struct calls_filter f = {.limit = 100, .few = 2, .search = STR("rare"), .sort = sort};
  size_t count;
  bool more;
  f.since = SCRATCH_NOW + (int64_t)from * HOUR_MS;
  f.until = SCRATCH_NOW + (int64_t)until * HOUR_MS;
  assert_int_equal(calls_list_page(db, 1, &f, keys, &count, &more), OK);
  assert_false(more);
  return (int)count;
}

static void a_search_of_a_span_finds_what_is_in_it(void **state) {
  struct db *db = scratch_begun(*state);
  for (int i = 0; i < CALLS; i++) put_hour(db, i);
  (void)settle(db);
  assert_true(scratch_int(db, "select count(*) from call_documents_block_groups") >= 3);
  for (enum calls_sort sort = CALLS_NEWEST; sort <= CALLS_SHORTEST; sort++)
    for (int from = 0; from < CALLS; from += 170)
      for (int until = from + 30; until <= CALLS; until += 300)
        assert_int_equal(found_between(db, sort, from, until), (until + 29) / 30 - (from + 29) / 30);
  db_rollback(db);
  db_close(db);
}

/* ---- bounds ---- */

static void put_blocks(struct db *db, int count) {
  char sql[400];
  (void)snprintf(
      sql, sizeof(sql),
      "with recursive g(i) as (select 0 union all select i + 1 from g where i < %d)"
      " insert into call_documents_blocks (business_id, first_id, is_open, added, marks, bounds)"
      " select 1, i * 1000, i = %d, 128, iif(i = %d, null, randomblob(%d)), iif(i = %d, null, zeroblob(%d)) from g",
      count, count, count, BLOCK_MARKS_SIZE, count, BLOCK_BOUNDS_SIZE);
  assert_int_equal(db_script(db, sql), OK);
}

/* Blocks whose own marks match, and those that the group finds. */
static void assert_matches_as_its_blocks(struct db *db, const struct block_search *search) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  struct block_hit hits[GROUP_BLOCKS];
  int count, i = 0;
  assert_int_equal(calls_groups_match(db, 1, search, hits, &count), OK);
  assert_int_equal(
      db_query_once(db, &q, "select first_id, marks from call_documents_blocks where block_group_id = 1 order by 1",
                    DB_VALUES_()),
      OK);
  while (db_next(&q) == OK) {
    unsigned strips = calls_blocks_search_strips(search, db_text(&q, 1));
    if (!strips) continue;
    assert_true(i < count);
    assert_int_equal(hits[i].first_id, db_int(&q, 0));
    assert_int_equal(hits[i++].strips, strips);
  }
  assert_int_equal(i, count);
}

static int64_t rows_of_an_update(struct db *db, int *ret_count) {
  int64_t business = 0, touched = db_touched(db);
  assert_int_equal(calls_groups_update(db, &business, 0, ret_count), OK);
  return db_touched(db) - touched;
}

static void a_group_is_made_and_ended_in_bounded_parts(void **state) {
  struct db *db = scratch_begun(*state);
  int count, groups = 0;
  put_blocks(db, 3 * GROUP_BLOCKS);
  for (count = 1; count; groups++) assert_true(rows_of_an_update(db, &count) <= DB_JOB_ROWS);
  assert_int_equal(scratch_int(db, "select count(*) from call_documents_block_groups"), 2);
  assert_int_equal(groups, 4); /* two groups; the newest blocks are looked at and left; nothing is due */
  assert_groups_are_consistent(db);
  for (int i = 0; i < 40; i++) {
    struct block_search s = {.by_names = i % 3 > 0, .by_digits = i % 3 < 2};
    if (s.by_names) calls_blocks_want(&s.names, BLOCK_NAMES, i % 2 ? STR("ab") : STR("abcdef"));
    s.digits.count = (size_t)i % 7;
    for (size_t k = 0; k < s.digits.count; k++)
      s.digits.parts[k] = (struct block_part_marks){(uint16_t)((i * 71 + (int)k * 1013) % 3200),
                                                    (uint16_t)(7424 + (i * 31 + (int)k * 57) % 512 * 16)};
    assert_matches_as_its_blocks(db, &s);
  }
  assert_int_equal(db_script(db,
                             "update call_documents_blocks set block_group_id = null, marks = null, bounds = null "
                             "where first_id in (select"
                             " first_id from call_documents_blocks where block_group_id = 1 limit 25)"),
                   OK);
  assert_true(rows_of_an_update(db, &count) <= DB_JOB_ROWS);
  assert_int_equal(scratch_int(db, "select count(*) from call_documents_blocks where block_group_id = 1"), 0);
  for (count = 1; count;) assert_true(rows_of_an_update(db, &count) <= DB_JOB_ROWS);
  assert_int_equal(scratch_int(db, "select count(*) from call_documents_block_groups"), 2);
  assert_groups_are_consistent(db);
  db_rollback(db);
  db_close(db);
}

/* Two businesses with new blocks all the time: each one's are grouped. */
static void businesses_take_turns(void **state) {
  struct db *db = scratch_begun(*state);
  int64_t business = 0, seen[2];
  int count;
  for (int i = 0; i < 2; i++) {
    assert_int_equal(db_script(db, "insert or ignore into call_documents_new_blocks values (1), (2)"), OK);
    assert_int_equal(calls_groups_update(db, &business, 0, &count), OK);
    seen[i] = business;
  }
  assert_int_equal(seen[0] + seen[1], 3);
  db_rollback(db);
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(a_search_finds_all_whatever_changes),
      SCRATCH_TEST(a_search_of_a_span_finds_what_is_in_it),
      SCRATCH_TEST(a_group_is_made_and_ended_in_bounded_parts),
      SCRATCH_TEST(businesses_take_turns),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
