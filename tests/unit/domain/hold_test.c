/* A hold that is set while something is removed: it is in time, and all that it names stays; or it is too late, and nothing does.
 * Each transaction of a removal is a step, and the hold is set before, between and after all of them. */
#include "../sizes.h"
#include "domain_scratch.h"

#include "domain/erasure.h"
#include "domain/hold.h"
#include "domain/removal.h"
#include "ledger/calls_tree.h"

#define NUMBER "+97231234567"
#define CHILDS_NUMBER "+12125550100"
enum { LEGS = 9, RECORDINGS_A_LEG = 2, STEPS_MAX = 40 };

/* Two calls of the number: CA0… with legs CA1 to CA8, and CB0… likewise. */
static void put_call(struct db *db, int64_t business, char tree) {
  char sid[SID_SIZE], top[SID_SIZE], recording[SID_SIZE];
  (void)snprintf(top, sizeof(top), "C%c0", tree);
  for (int leg = 0; leg < LEGS; leg++) {
    struct call c = {
        .business_id = business, .duration_s = -1, .started_at = SCRATCH_NOW, .first_seen_at = SCRATCH_NOW};
    (void)snprintf(c.call_sid, sizeof(c.call_sid), "C%c%d", tree, leg);
    if (leg) memcpy(c.parent_call_sid, top, sizeof(top));
    (void)snprintf(c.from_number, sizeof(c.from_number), "%s", leg ? CHILDS_NUMBER : NUMBER);
    memcpy(sid, c.call_sid, sizeof(sid));
    assert_int_equal(scratch_put(db, &c), OK);
    for (int i = 0; i < RECORDINGS_A_LEG; i++) {
      (void)snprintf(recording, sizeof(recording), "R%c%d%d", tree, leg, i);
      (void)scratch_recording(db, business, recording, sid, RECORDING_READY, RECORDING_RANK_REST, SCRATCH_NOW);
    }
  }
}

static int count_rows(struct db *db, const char *sql, int64_t business, const char *pattern) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  assert_int_equal(db_query_values(db, &q, sql, (struct db_value[]){DB_INT(business), DB_TEXT(str_from(pattern)), {0}}),
                   OK);
  assert_int_equal(db_next(&q), OK);
  return (int)db_int(&q, 0);
}

/* Legs and recordings that can still be played, of a tree ('A', 'B'). */
static int left_of(struct db *db, int64_t business, char tree) {
  char call[8], recording[8];
  (void)snprintf(call, sizeof(call), "C%c%%", tree);
  (void)snprintf(recording, sizeof(recording), "R%c%%", tree);
  return count_rows(db, "select count(*) from calls where business_id = ?1 and call_sid like ?2", business, call) +
         count_rows(db,
                    "select count(*) from recordings where business_id = ?1 and recording_sid like ?2"
                    " and status <> 'expired' and call_sid is not null",
                    business, recording);
}

enum { WHOLE = LEGS + LEGS * RECORDINGS_A_LEG };

static const char *const removals[] = {"CA0", NUMBER}; /* keys */
static const struct {
  const char *on;
  const char *trees; /* that it names */
} holds[] = {{"RA00", "A"}, {"RA81", "A"},  {"CA0", "A"},         {"CA8", "A"},
             {"CB3", "B"},  {NUMBER, "AB"}, {CHILDS_NUMBER, "AB"}};

static bool begin(struct db *db, int64_t business, const char *key) {
  struct erasure x = {
      .business_id = business, .is_number = key[0] == '+', .digest = "d", .reason = "erased", .by = "key:1"};
  bool held;
  (void)snprintf(x.key, sizeof(x.key), "%s", key);
  (void)snprintf(x.role, sizeof(x.role), "admin");
  assert_int_equal(db_begin_immediate(db), OK);
  assert_int_equal(erasure_begin(db, &x, SCRATCH_NOW, &held), OK);
  assert_int_equal(db_commit(db), OK);
  return !held;
}

static bool run_part(struct db *db) {
  static int64_t after;
  bool more;
  assert_int_equal(db_begin_immediate(db), OK);
  assert_int_equal(erasure_part(db, NULL, &after, SCRATCH_NOW, &more), OK);
  assert_int_equal(db_commit(db), OK);
  return more;
}

/* True: in time. */
static bool set_hold(struct db *db, int64_t business, const char *on) {
  struct hold h = {.business_id = business, .reason = "court", .by = "key:1", .at = SCRATCH_NOW};
  bool too_late = false;
  assert_int_equal(db_begin_immediate(db), OK);
  enum err e = OK;
  struct recording row;
  if (on[0] == 'R') {
    e = recordings_get(db, business, str_from(on), &row);
    if (e == OK) e = hold_set_recording(db, &h, &row, &too_late);
  } else if (on[0] == 'C') {
    e = hold_set_call(db, &h, str_from(on), &too_late);
  } else {
    (void)snprintf(h.key, sizeof(h.key), "%s", on);
    e = hold_set_number(db, &h, &too_late);
  }
  assert_true(e == OK || e == ERR_NOT_FOUND);
  assert_int_equal(db_commit(db), OK);
  return e == OK && !too_late;
}

static void a_hold_is_in_time_for_all_or_too_late(void **state) {
  struct db *db = scratch_ledger(*state);
  assert_int_equal(db_script(db, "pragma synchronous = off"), OK);
  int64_t business = 0;
  int in_time = 0, too_late = 0;
  for (size_t r = 0; r < COUNT_OF(removals); r++)
    for (size_t h = 0; h < COUNT_OF(holds); h++) {
      bool was_over = false;
      for (int step = 0; !was_over; step += TEST_SIZE(1, 3)) {
        assert_true(step < STEPS_MAX);
        business++;
        assert_int_equal(db_begin_immediate(db), OK);
        put_call(db, business, 'A');
        put_call(db, business, 'B');
        assert_int_equal(db_commit(db), OK);
        if (step) assert_true(begin(db, business, removals[r]));
        for (int i = 1; i < step && !was_over; i++) was_over = !run_part(db);
        int before = left_of(db, business, 'A') + left_of(db, business, 'B');
        bool was_set = set_hold(db, business, holds[h].on);
        if (!step) (void)begin(db, business, removals[r]);
        while (run_part(db)) continue;
        for (const char *tree = holds[h].trees; *tree; tree++) {
          int left = left_of(db, business, *tree);
          if (was_set && before == 2 * WHOLE) assert_int_equal(left, WHOLE);
          assert_true(left == WHOLE || left == 0);
        }
        if (!holds[h].trees[1]) assert_int_equal(left_of(db, business, holds[h].trees[0]), was_set ? WHOLE : 0);
        in_time += was_set;
        too_late += !was_set;
      }
    }
  assert_true(in_time >= TEST_SIZE(20, 5) && too_late >= TEST_SIZE(20, 5));
  db_close(db);
}

static enum err expire(struct db *db, const char *sid) {
  const struct removal removal = {.reason = REMOVAL_DELETED, .rank = RECORDING_RANK_PLAY};
  struct recording row = scratch_row(db, 1, sid);
  struct recording_outcome outcome = {.moved = false};
  assert_int_equal(db_begin_immediate(db), OK);
  enum err e = removal_expire(db, &row, &removal, SCRATCH_NOW, &row, &outcome);
  assert_int_equal(db_commit(db), OK);
  assert_false(outcome.moved);
  return e;
}

static void put_leg(struct db *db, const char *sid, const char *parent) {
  struct call c = {.business_id = 1, .duration_s = -1, .started_at = SCRATCH_NOW, .first_seen_at = SCRATCH_NOW};
  (void)snprintf(c.call_sid, sizeof(c.call_sid), "%s", sid);
  (void)snprintf(c.parent_call_sid, sizeof(c.parent_call_sid), "%s", parent);
  assert_int_equal(scratch_put(db, &c), OK);
}

/* CM becomes known after more legs of it than a delivery moves; the hold is on the last one, which has yet to follow. */
static void nothing_of_a_tree_goes_while_a_held_leg_has_yet_to_follow(void **state) {
  enum { LATE_LEGS = CALLS_TREE_AT_ONCE + 12 };
  struct db *db = scratch_ledger(*state);
  char sid[SID_SIZE], recording[SID_SIZE];
  struct erasure x = {.business_id = 1, .digest = "d", .reason = "erased", .by = "key:1", .role = "admin", .key = "CM"};
  const struct retention retention = {.days = 1};
  struct retention_round round = {0};
  int64_t business = 0;
  int left = 0, expired;
  bool held, moving, more;
  assert_int_equal(db_begin_immediate(db), OK);
  for (int i = 0; i < LATE_LEGS; i++) {
    (void)snprintf(sid, sizeof(sid), "CA%02d", i);
    (void)snprintf(recording, sizeof(recording), "RA%02d", i);
    put_leg(db, sid, "CM");
    (void)scratch_recording(db, 1, recording, sid, RECORDING_READY, RECORDING_RANK_REST, SCRATCH_NOW);
  }
  put_leg(db, "CM", "");
  assert_int_equal(db_commit(db), OK);
  assert_int_equal(calls_tree_is_moving(db, 1, STR("CA00"), &moving), OK);
  assert_true(moving);
  assert_true(set_hold(db, 1, sid));
  for (int i = 0; i < LATE_LEGS - 1; i++) {
    (void)snprintf(recording, sizeof(recording), "RA%02d", i);
    assert_int_equal(expire(db, recording), ERR_BUSY);
  }
  assert_int_equal(db_begin_immediate(db), OK);
  assert_int_equal(erasure_begin(db, &x, SCRATCH_NOW, &held), ERR_BUSY);
  assert_int_equal(removal_retention_part(db, &retention, &round, SCRATCH_NOW * 2, &expired, &more), OK);
  assert_int_equal(expired, 0);
  while (!left) assert_int_equal(calls_tree_follow(db, &business, 10, &left), OK);
  assert_int_equal(erasure_begin(db, &x, SCRATCH_NOW, &held), OK);
  assert_true(held);
  assert_int_equal(db_commit(db), OK);
  assert_int_equal(expire(db, "RA00"), OK);
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {SCRATCH_TEST(a_hold_is_in_time_for_all_or_too_late),
                                     SCRATCH_TEST(nothing_of_a_tree_goes_while_a_held_leg_has_yet_to_follow)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
