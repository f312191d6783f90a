/* blocks_scratch.h - calls whose documents make some blocks and groups, and searches that go through them. */
#pragma once

#include "../sizes.h"
#include "rows_scratch.h"

#include "db/db_writer.h"
#include "ledger/calls_groups.h"
#include "ledger/calls_list.h"
#include "ledger/calls_upkeep.h"

enum { CALLS = 1200, UPKEEP_PART = 20, SMALL_GROUP = 2 /* blocks */ };

static const char *const names_of_calls[] = {"Dana Levi", "יעל מזרחי", "O'Neill", "Zoe Quick", "Ben-Gurion", "Al"};

static inline void number_of(int i, char number[32]) {
  (void)snprintf(number, 32, "+1555%07d", i * 7919 % 9999991);
}

/* The i-th call of business 1; every 50th has a rare name. */
static inline void put_call(struct db *db, int i) {
  char number[32], name[32];
  number_of(i, number);
  (void)snprintf(name, sizeof(name), "Rare%d", i);
  scratch_named_call(db, 1, i, number, i % 50 ? names_of_calls[(size_t)i % COUNT_OF(names_of_calls)] : name);
}

/* Does all that is due. Returns the most rows that a part touched. */
static inline int64_t settle(struct db *db) {
  struct calls_upkeep u = {.group_blocks = SMALL_GROUP};
  int64_t most = 0;
  for (bool more = true; more;) {
    int64_t touched = db_touched(db);
    assert_int_equal(calls_upkeep_run(db, &u, UPKEEP_PART, &more), OK);
    touched = db_touched(db) - touched;
    most = touched > most ? touched : most;
  }
  return most;
}

static inline struct db *scratch_begun(const struct scratch *place) {
  struct db *db = scratch_ledger(place);
  assert_int_equal(scratch_business(db, "mine"), 1);
  assert_int_equal(scratch_business(db, "theirs"), 2);
  assert_int_equal(db_begin_immediate(db), OK);
  return db;
}

/* few: after two documents the blocks are asked. */
static const struct calls_filter by_blocks = {.limit = 100, .few = 2};

/* The pages of a search one after another are what all documents of the business say, in the list's order. */
static inline void assert_finds(struct db *db, enum calls_sort sort, const char *text, const char *folded) {
  struct calls_key keys[CALLS_LIST_LIMIT_MAX];
  struct calls_filter f = by_blocks;
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  bool more = true;
  f.search = str_from(text);
  f.sort = sort;
  assert_int_equal(
      db_query_once(db, &q,
                    sort == CALLS_OLDEST ? "select call_sid from call_documents_text where business_id = 1"
                                           " and (instr(names, ?1) or instr(digits, ?1)) order by rowid"
                                         : "select call_sid from call_documents_text where business_id = 1"
                                           " and (instr(names, ?1) or instr(digits, ?1)) order by rowid desc",
                    DB_VALUES_(DB_TEXT(str_from(folded)))),
      OK);
  while (more) {
    size_t count;
    assert_int_equal(calls_list_page(db, 1, &f, keys, &count, &more), OK);
    for (size_t i = 0; i < count; i++) {
      assert_int_equal(db_next(&q), OK);
      if (!str_eq(db_text(&q, 0), str_from(keys[i].call_sid)))
        fail_msg("%s: %s where %.*s is", text, keys[i].call_sid, STR_ARG(db_text(&q, 0)));
    }
    if (more) f.after = keys[count - 1];
    f.after_key = true;
    f.after_sort = sort;
  }
  if (db_next(&q) == OK) fail_msg("%s: %.*s is missing", text, STR_ARG(db_text(&q, 0)));
}

static inline void assert_finds_all(struct db *db) {
  static const char *const searches[][2] = {
      {"dana", "dana"}, {"מזרחי", "מזרחי"}, {"oneill", "oneill"}, {"Gurion", "gurion"},     {"zo", "zo"},
      {"555", "555"},   {"5550", "5550"},   {"Rare5", "rare5"},   {"rare1150", "rare1150"}, {"nobody", "nobody"}};
  for (size_t i = 0; i < COUNT_OF(searches); i++) {
    assert_finds(db, CALLS_NEWEST, searches[i][0], searches[i][1]);
    assert_finds(db, CALLS_OLDEST, searches[i][0], searches[i][1]);
  }
  for (int i = 0; i < CALLS; i += TEST_SIZE(97, 397)) {
    char number[32];
    number_of(i, number);
    assert_finds(db, CALLS_NEWEST, number, number + 1);
    assert_finds(db, CALLS_OLDEST, number + 4, number + 4);
  }
}
