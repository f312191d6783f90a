/* ledger_removal.h - what is due for removal, the tasks that remove it, and the holds that keep it. */
#pragma once

#include "ledger_contract.h"

#include "ledger/calls_tree.h"
#include "ledger/holds.h"
#include "ledger/notes.h"
#include "ledger/recordings_count.h"
#include "ledger/tasks.h"

/* ---- retention ---- */

static void retention_counts_from_the_calls_start(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  IN_TRANSACTION(db, (void)scratch_recording(db, 1, "RE1", "CA1", RECORDING_READY, RECORDING_RANK_REST, NOW);
                 (void)scratch_recording(db, 1, "RE2", "CA2", RECORDING_EXPIRED, RECORDING_RANK_REST, NOW - 9000);
                 (void)scratch_recording(db, 1, "RE3", "", RECORDING_READY, RECORDING_RANK_REST, NOW - 10));
  assert_int_equal(scratch_row(db, 1, "RE1").kept_from, NOW);
  IN_TRANSACTION(db, scratch_call(db, 1, "CA1", "", NOW - 500));
  assert_int_equal(scratch_row(db, 1, "RE1").kept_from, NOW - 500);
  IN_TRANSACTION(db, scratch_call(db, 1, "CA1", "", NOW - 700));
  assert_int_equal(scratch_row(db, 1, "RE1").kept_from, NOW - 700);
  IN_TRANSACTION(db, scratch_call(db, 1, "CA3", "", NOW - 300));
  struct recording was = scratch_row(db, 1, "RE3"), next = was;
  (void)snprintf(next.call_sid, sizeof(next.call_sid), "CA3");
  IN_TRANSACTION(db, assert_ok(recordings_store(db, &was, &next)));
  assert_int_equal(scratch_row(db, 1, "RE3").kept_from, NOW - 300);
  struct words due = {""}, all = {""};
  struct recordings_place place = {0};
  int count;
  assert_ok(recordings_kept_since(db, 1, NOW - 500, &place, 9, words_add_recording, &due, &count));
  assert_int_equal(count, 1);
  assert_string_equal(due.text, "RE1");
  place = (struct recordings_place){0};
  assert_ok(recordings_kept_since(db, 1, NOW, &place, 9, words_add_recording, &all, &count));
  assert_string_equal(all.text, "RE1 RE3");
  was = scratch_row(db, 1, "RE1");
  next = was;
  next.status = RECORDING_EXPIRED;
  next.expired_at = NOW + 5;
  (void)snprintf(next.expire_reason, sizeof(next.expire_reason), "retention");
  IN_TRANSACTION(db, assert_ok(recordings_store(db, &was, &next)));
  was = scratch_row(db, 1, "RE1");
  assert_true(was.expired_at == NOW + 5 && strcmp(was.expire_reason, "retention") == 0);
}

static void what_is_due_is_listed_in_parts_and_counted(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  int64_t first = scratch_business(db, "one"), second = scratch_business(db, "two"), n;
  const int64_t day = 86400000;
  const struct business_edit ten = {.set_retention = true, .retention_days = 10};
  bool other;
  char sid[8];
  for (int i = 1; i <= 6; i++) {
    (void)snprintf(sid, sizeof(sid), "RE%d", i);
    IN_TRANSACTION(db, (void)scratch_recording(db, first, sid, "", RECORDING_READY, RECORDING_RANK_REST,
                                               NOW - (i <= 4 ? 20 : 21) * day));
  }
  IN_TRANSACTION(db, (void)scratch_recording(db, second, "RE1", "", RECORDING_READY, RECORDING_RANK_REST, NOW));
  struct words all = {""};
  struct recordings_place place = {0};
  int count = 2, parts = 0;
  for (; count == 2; parts++)
    assert_ok(recordings_kept_since(db, first, NOW, &place, 2, words_add_recording, &all, &count));
  assert_string_equal(all.text, "RE5 RE6 RE1 RE2 RE3 RE4");
  assert_int_equal(parts, 4);
  IN_TRANSACTION(db, assert_ok(businesses_set(db, scratch_seal_key, first, &ten, &other)));
  const int64_t cases[][4] = {{0, 0, 100, 6}, {first, 0, 100, 6}, {second, 0, 100, 0},
                              {0, 5, 100, 6}, {0, 0, 4, 4},       {second, 5, 100, 0}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    assert_ok(recordings_count_due(db, cases[i][0], cases[i][1], NOW, (int)cases[i][2], &n));
    assert_int_equal(n, cases[i][3]);
  }
  assert_ok(recordings_count_due(db, 0, 5, NOW + 5 * day, 100, &n));
  assert_int_equal(n, 7);
}

static void businesses_with_a_retention_are_found(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  int64_t first = scratch_business(db, "one"), second = scratch_business(db, "two"), id, days;
  bool other;
  const struct business_edit ten = {.set_retention = true, .retention_days = 10},
                             none = {.set_retention = true, .retention_days = -1},
                             wrong = {.set_retention = true, .retention_days = BUSINESS_DAYS_MAX + 1};
  assert_int_equal(businesses_next_retention(db, 0, 0, &id, &days), ERR_NOT_FOUND);
  IN_TRANSACTION(db, assert_ok(businesses_set(db, scratch_seal_key, second, &ten, &other));
                 assert_int_equal(businesses_set(db, scratch_seal_key, second, &wrong, &other), ERR_INVALID));
  assert_false(other);
  assert_ok(businesses_next_retention(db, 0, 0, &id, &days));
  assert_true(id == second && days == 10);
  assert_ok(businesses_next_retention(db, 0, 30, &id, &days));
  assert_true(id == first && days == 30);
  struct business b CLEANUP(business_done) = {0};
  assert_ok(businesses_get(db, scratch_seal_key, second, &b));
  assert_int_equal(b.retention_days, 10);
  IN_TRANSACTION(db, assert_ok(businesses_set(db, scratch_seal_key, second, &none, &other)));
  assert_int_equal(businesses_next_retention(db, 0, 0, &id, &days), ERR_NOT_FOUND);
  const struct business_edit metadata = {.set_metadata = true, .metadata_days = 20};
  assert_int_equal(businesses_next_metadata(db, 0, 10, &id, &days), ERR_NOT_FOUND);
  IN_TRANSACTION(db, assert_ok(businesses_set(db, scratch_seal_key, second, &metadata, &other)));
  const int64_t kept[][2] = {{0, 0}, {10, 20}, {30, 30}};
  for (size_t i = 0; i < COUNT_OF(kept); i++) {
    assert_ok(businesses_next_metadata(db, first, kept[i][0], &id, &days));
    assert_true(id == second && days == kept[i][1]);
  }
}

/* ---- tasks ---- */

static void add_task(struct db *db, int64_t business, const char *sid, int rank) {
  struct task t = {.kind = TASK_REMOVE, .business_id = business, .rank = rank, .again_at = NOW + 9};
  (void)snprintf(t.recording_sid, sizeof(t.recording_sid), "%s", sid);
  IN_TRANSACTION(db, assert_ok(tasks_add(db, &t, NOW)));
}

static enum err claim_task(struct db *db, struct tasks_turn *turn, int64_t now, struct task *ret_task) {
  enum err e;
  IN_TRANSACTION(db, e = tasks_claim(db, TASK_REMOVE, 2, turn, STR("w"), now, ret_task));
  return e;
}

/* Each ends before the next one is claimed. */
static void assert_tasks_one_by_one(struct db *db, struct tasks_turn *turn, const char *expected) {
  struct words w = {""};
  struct task t;
  char text[64];
  while (claim_task(db, turn, NOW, &t) == OK) {
    IN_TRANSACTION(db, assert_ok(tasks_end(db, &t)));
    (void)snprintf(text, sizeof(text), "%lld.%s", (long long)t.business_id, t.recording_sid);
    words_add(&w, text);
  }
  assert_string_equal(w.text, expected);
}

static void assert_tasks(struct db *db, struct tasks_turn *turn, int64_t now, const char *expected) {
  struct words w = {""};
  struct task t;
  char text[64];
  while (claim_task(db, turn, now, &t) == OK) {
    (void)snprintf(text, sizeof(text), "%lld.%s", (long long)t.business_id, t.recording_sid);
    words_add(&w, text);
  }
  assert_string_equal(w.text, expected);
}

static void tasks_go_by_rank_then_businesses_take_turns(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct tasks_turn turn = {0};
  for (int i = 1; i <= 3; i++) add_task(db, 1, (const char *[]){"", "RE1", "RE2", "RE3"}[i], RECORDING_RANK_REST);
  add_task(db, 2, "RE1", RECORDING_RANK_REST);
  add_task(db, 2, "RE2", RECORDING_RANK_REST);
  add_task(db, 2, "RE2", RECORDING_RANK_PLAY); /* again: at the higher rank */
  int64_t n;
  assert_ok(tasks_count(db, TASK_REMOVE, 0, 100, &n));
  assert_int_equal(n, 5);
  assert_ok(tasks_count(db, TASK_REMOVE, 2, 100, &n));
  assert_int_equal(n, 2);
  assert_ok(tasks_oldest(db, &n));
  assert_int_equal(n, NOW);
  assert_tasks(db, &turn, NOW, "2.RE2 1.RE1 2.RE1 1.RE2");
  IN_TRANSACTION(db, assert_ok(tasks_maintain(db, NOW - DB_CLOCK_SLACK_MS, 10))); /* by another process's clock */
  assert_tasks(db, &turn, NOW, "");
  IN_TRANSACTION(db, assert_ok(tasks_maintain(db, NOW + TASK_LEASE_MS, 10)));
  assert_tasks(db, &turn, NOW + TASK_LEASE_MS, "2.RE2 2.RE1 1.RE1 1.RE2");
}

static void many_requests_of_people_do_not_stop_the_rest_of_others(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct tasks_turn turn = {0};
  for (int i = 1; i <= 6; i++)
    add_task(db, 1, (const char *[]){"", "RE1", "RE2", "RE3", "RE4", "RE5", "RE6"}[i], RECORDING_RANK_PLAY);
  add_task(db, 2, "RE1", RECORDING_RANK_REST);
  add_task(db, 3, "RE1", RECORDING_RANK_REST);
  assert_tasks_one_by_one(db, &turn, "1.RE1 1.RE2 1.RE3 2.RE1 1.RE4 1.RE5 1.RE6 3.RE1");
}

static void a_task_ends_or_is_tried_again_by_its_holder(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct tasks_turn turn = {0};
  struct task t, lost, again;
  add_task(db, 1, "RE1", RECORDING_RANK_REST);
  assert_ok(claim_task(db, &turn, NOW, &t));
  assert_true(t.again_at == NOW + 9 && t.attempts == 0);
  lost = t;
  lost.lease_token--;
  IN_TRANSACTION(db, assert_int_equal(tasks_end(db, &lost), ERR_CONFLICT);
                 assert_int_equal(tasks_postpone(db, &lost, NOW + 50, STR("io")), ERR_CONFLICT);
                 assert_ok(tasks_postpone(db, &t, NOW + 50, STR("io"))));
  assert_int_equal(claim_task(db, &turn, NOW, &again), ERR_NOT_FOUND);
  IN_TRANSACTION(db, assert_ok(tasks_maintain(db, NOW + 50, 10)));
  IN_TRANSACTION(db, assert_ok(tasks_pause(db, TASK_REMOVE, 1, NOW + 90));
                 assert_ok(tasks_pause(db, TASK_REMOVE_AT_PROVIDER, 1, NOW + 900)));
  assert_int_equal(claim_task(db, &turn, NOW + 50, &again), ERR_NOT_FOUND);
  IN_TRANSACTION(db, assert_ok(tasks_maintain(db, NOW + 90, 10)));
  assert_ok(claim_task(db, &turn, NOW + 90, &again));
  assert_true(again.again_at == 0 && again.attempts == 1 && again.lease_token > t.lease_token);
  IN_TRANSACTION(db, assert_int_equal(tasks_got_further(db, &t), ERR_CONFLICT);
                 assert_ok(tasks_got_further(db, &again)); assert_ok(tasks_postpone(db, &again, NOW + 91, STR("io"))));
  IN_TRANSACTION(db, assert_ok(tasks_maintain(db, NOW + 91, 10)));
  assert_ok(claim_task(db, &turn, NOW + 91, &again));
  assert_int_equal(again.attempts, 1);
  IN_TRANSACTION(db, assert_ok(tasks_end(db, &again)); assert_int_equal(tasks_end(db, &again), ERR_CONFLICT));
}

static void a_paused_business_lets_the_others_go_first(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct tasks_turn turn = {0};
  for (int64_t business = 1; business <= 3; business++) add_task(db, business, "RE1", RECORDING_RANK_REST);
  IN_TRANSACTION(db, assert_ok(tasks_pause(db, TASK_REMOVE, 1, NOW + 50));
                 assert_ok(tasks_pause(db, TASK_REMOVE, 2, NOW + 50));
                 assert_ok(tasks_pause(db, TASK_REMOVE, 1, NOW + 70)));
  assert_tasks(db, &turn, NOW, "3.RE1");
  assert_tasks(db, &turn, NOW + 50, "2.RE1");
  IN_TRANSACTION(db, assert_ok(tasks_resume(db, 1)));
  assert_tasks(db, &turn, NOW + 50, "1.RE1");
  add_task(db, 4, "RE1", RECORDING_RANK_REST); /* the clock was set back since */
  IN_TRANSACTION(db, assert_ok(tasks_pause(db, TASK_REMOVE, 4, NOW + 2 * TASK_POSTPONE_MAX_MS)));
  assert_tasks(db, &turn, NOW, "4.RE1");
}

static void notes_of_a_removed_recording_go_in_parts(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct note n = {.at_ms = -1, .text = "n", .by = "key:1", .author = "key:1", .created_at = NOW};
  bool more;
  for (int i = 0; i < 3; i++) IN_TRANSACTION(db, assert_ok(notes_add(db, 1, STR("RE1"), &n)));
  IN_TRANSACTION(db, assert_ok(notes_add(db, 1, STR("RE2"), &n)));
  IN_TRANSACTION(db, assert_ok(notes_expire(db, 1, STR("RE1"), 2, &more)));
  assert_true(more);
  IN_TRANSACTION(db, assert_ok(notes_expire(db, 1, STR("RE1"), 2, &more)));
  assert_false(more);
  assert_ok(notes_get(db, 1, STR("RE2"), n.note_id, &n));
}

/* ---- holds ---- */

static void mark_all(struct db *db) {
  for (bool more = true; more;) IN_TRANSACTION(db, assert_ok(holds_mark_part(db, 10, &more)));
}

static void assert_hold_covers(struct db *db, const char *key, const char *held, const char *free) {
  struct hold h = {.business_id = 1, .reason = "court", .by = "key:1", .at = NOW}, found;
  struct recording row = scratch_row(db, 1, held), other = scratch_row(db, 1, free);
  int64_t id;
  bool is_held;
  (void)snprintf(h.key, sizeof(h.key), "%s", key);
  IN_TRANSACTION(db, assert_ok(holds_set(db, &h, &id)));
  assert_ok(holds_cover(db, &row, &is_held));
  assert_true(is_held);
  assert_ok(holds_cover(db, &other, &is_held));
  assert_false(is_held);
  mark_all(db);
  assert_non_null(strstr(scratch_row(db, 1, held).hold, "court"));
  assert_string_equal(scratch_row(db, 1, free).hold, "");
  struct words due = {""};
  struct recordings_place place = {0};
  int count;
  assert_ok(recordings_kept_since(db, 1, NOW + 10, &place, 9, words_add_recording, &due, &count));
  assert_string_equal(due.text, free);
  assert_ok(holds_find(db, 1, str_from(key), &found));
  assert_int_equal(found.hold_id, id);
  IN_TRANSACTION(db, assert_ok(holds_remove(db, &found)));
  assert_int_equal(holds_find(db, 1, str_from(key), &found), ERR_NOT_FOUND);
  assert_ok(holds_cover(db, &row, &is_held));
  assert_false(is_held);
  mark_all(db);
  assert_string_equal(scratch_row(db, 1, held).hold, "");
}

static void a_hold_covers_a_recording_a_call_or_a_number(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct call c = {.business_id = 1, .call_sid = "CA1", .from_number = "+97231234567", .to_number = "+12125550100"};
  c.duration_s = -1;
  c.started_at = c.first_seen_at = NOW;
  IN_TRANSACTION(db, assert_ok(scratch_put(db, &c)); scratch_call(db, 1, "CA2", "CA1", NOW);
                 scratch_call(db, 1, "CA3", "", NOW);
                 (void)scratch_recording(db, 1, "RE1", "CA2", RECORDING_READY, RECORDING_RANK_REST, NOW);
                 (void)scratch_recording(db, 1, "RE2", "CA3", RECORDING_READY, RECORDING_RANK_REST, NOW));
  assert_hold_covers(db, "RE1", "RE1", "RE2");
  assert_hold_covers(db, "CA1", "RE1", "RE2");
}

static void a_hold_on_a_number_covers_calls_from_and_to_it(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct call c = {.business_id = 1, .call_sid = "CA1", .from_number = "+97231234567", .to_number = "+12125550100"};
  c.duration_s = -1;
  c.started_at = c.first_seen_at = NOW;
  IN_TRANSACTION(db, assert_ok(scratch_put(db, &c)); scratch_call(db, 1, "CA3", "", NOW);
                 (void)scratch_recording(db, 1, "RE1", "CA1", RECORDING_READY, RECORDING_RANK_REST, NOW);
                 (void)scratch_recording(db, 1, "RE2", "CA3", RECORDING_READY, RECORDING_RANK_REST, NOW));
  assert_hold_covers(db, "+97231234567", "RE1", "RE2");
  assert_hold_covers(db, "+12125550100", "RE1", "RE2");
}

/* ---- what stays covered ---- */

static struct call call_from(const char *sid, const char *parent, const char *from) {
  struct call c = {.business_id = 1, .duration_s = -1, .started_at = NOW, .first_seen_at = NOW};
  (void)snprintf(c.call_sid, sizeof(c.call_sid), "%s", sid);
  (void)snprintf(c.parent_call_sid, sizeof(c.parent_call_sid), "%s", parent);
  (void)snprintf(c.from_number, sizeof(c.from_number), "%s", from);
  return c;
}

/* Stores the call as a delivery does. */
static void deliver_call(struct db *db, struct call next) {
  struct call was;
  IN_TRANSACTION(db, assert_ok(calls_get(db, 1, str_from(next.call_sid), &was));
                 assert_ok(holds_keep_call(db, &was, &next)); assert_ok(scratch_put(db, &next)));
}

static void deliver_recording(struct db *db, const char *sid, const char *call_sid) {
  struct recording was = scratch_row(db, 1, sid), next = was;
  (void)snprintf(next.call_sid, sizeof(next.call_sid), "%s", call_sid);
  IN_TRANSACTION(db, assert_ok(holds_keep_recording(db, &was, &next)); assert_ok(recordings_store(db, &was, &next)));
}

static int64_t set_hold(struct db *db, const char *key) {
  struct hold h = {.business_id = 1, .reason = "court", .by = "key:1", .at = NOW};
  int64_t id;
  (void)snprintf(h.key, sizeof(h.key), "%s", key);
  IN_TRANSACTION(db, assert_ok(holds_set(db, &h, &id)));
  return id;
}

static void remove_hold(struct db *db, int64_t id) {
  struct hold h;
  IN_TRANSACTION(db, assert_ok(holds_get(db, 1, id, &h)); assert_ok(holds_remove(db, &h)));
}

static bool covers_tree(struct db *db, const char *top_sid) {
  bool held;
  assert_ok(holds_cover_tree(db, 1, str_from(top_sid), &held));
  return held;
}

/* Covered recordings, one after the other. */
static void assert_covered(struct db *db, const char *want) {
  static const char *const sids[] = {"RE1", "RE2", "RE3", "RE4"};
  struct words w = {""};
  for (size_t i = 0; i < COUNT_OF(sids); i++) {
    struct recording row = scratch_row(db, 1, sids[i]);
    bool held;
    assert_ok(holds_cover(db, &row, &held));
    if (held) words_add(&w, sids[i]);
  }
  assert_string_equal(w.text, want);
}

/* CA1 with RE1, and its leg CA2 with RE2; CA3 with RE3; CA4 with RE4. */
static void put_calls_to_keep(struct db *db) {
  const struct call calls[] = {call_from("CA1", "", "+97231110001"), call_from("CA2", "CA1", "+97231110002"),
                               call_from("CA3", "", "+97231110003"), call_from("CA4", "", "+97231110004")};
  for (size_t i = 0; i < COUNT_OF(calls); i++) {
    char sid[SID_SIZE];
    (void)snprintf(sid, sizeof(sid), "RE%d", (int)i + 1);
    IN_TRANSACTION(db, assert_ok(scratch_put(db, &calls[i]));
                   (void)scratch_recording(db, 1, sid, calls[i].call_sid, RECORDING_READY, RECORDING_RANK_REST, NOW));
  }
}

static void what_a_hold_covered_stays_covered_until_it_is_removed(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  put_calls_to_keep(db);
  int64_t number = set_hold(db, "+97231110002"), call = set_hold(db, "CA4");
  assert_covered(db, "RE1 RE2 RE4");
  deliver_call(db, call_from("CA2", "CA3", "+97231110009")); /* another number, another parent */
  deliver_recording(db, "RE4", "CA1");
  assert_covered(db, "RE1 RE2 RE3 RE4");
  assert_true(covers_tree(db, "CA1") && covers_tree(db, "CA3") && covers_tree(db, "CA4"));
  mark_all(db);
  char shown[32];
  (void)snprintf(shown, sizeof(shown), "{\"hold_id\":%d,\"on\":\"number\"", (int)number);
  assert_non_null(strstr(scratch_row(db, 1, "RE1").hold, shown));
  struct call c;
  assert_ok(calls_get(db, 1, STR("CA2"), &c));
  assert_non_null(strstr(c.hold, shown));
  remove_hold(db, number);
  assert_covered(db, "RE4");
  assert_true(covers_tree(db, "CA1")); /* it has a held recording now */
  assert_false(covers_tree(db, "CA3"));
  mark_all(db);
  assert_string_equal(scratch_row(db, 1, "RE2").hold, "");
  assert_non_null(strstr(scratch_row(db, 1, "RE4").hold, "court"));
  remove_hold(db, call);
  mark_all(db);
  assert_covered(db, "");
  assert_string_equal(scratch_row(db, 1, "RE4").hold, "");
  assert_int_equal(count_of(db, "select count(*) from hold_keeps"), 0);
}

static void a_hold_that_is_set_again_keeps_nothing_of_before(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  put_calls_to_keep(db);
  int64_t id = set_hold(db, "+97231110003");
  deliver_call(db, call_from("CA3", "", "+97231110009"));
  assert_covered(db, "RE3");
  remove_hold(db, id);
  assert_int_equal(set_hold(db, "+97231110003"), id);
  assert_covered(db, "");
  mark_all(db);
  assert_int_equal(count_of(db, "select count(*) from hold_keeps"), 0);
}

static void what_very_many_holds_cover_stays_as_it_is(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct call c;
  put_calls_to_keep(db);
  (void)set_hold(db, "CA1");
  for (int i = 0; i < 60; i++) {
    char sid[SID_SIZE];
    (void)snprintf(sid, sizeof(sid), "CB%03d", i);
    IN_TRANSACTION(db, scratch_call(db, 1, sid, "CA1", NOW));
    (void)set_hold(db, sid);
  }
  deliver_call(db, call_from("CA2", "CA3", "+97231110009"));
  assert_ok(calls_get(db, 1, STR("CA2"), &c));
  assert_string_equal(c.parent_call_sid, "CA1");
  assert_string_equal(c.from_number, "+97231110009");
  deliver_recording(db, "RE1", "CA3");
  assert_string_equal(scratch_row(db, 1, "RE1").call_sid, "CA1");
  assert_covered(db, "RE1 RE2");
}

/* A tree's legs follow a top leg that moved in parts. */
static void legs_that_have_yet_to_follow_their_top_leg_stay_covered(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  enum { LEGS = 40 };
  put_calls_to_keep(db);
  for (int i = 0; i < LEGS; i++) {
    char sid[SID_SIZE];
    (void)snprintf(sid, sizeof(sid), "CB%03d", i);
    IN_TRANSACTION(db, scratch_call(db, 1, sid, "CA3", NOW));
  }
  IN_TRANSACTION(db, (void)scratch_recording(db, 1, "RE9", "CB039", RECORDING_READY, RECORDING_RANK_REST, NOW));
  (void)set_hold(db, "+97231110003");
  (void)set_hold(db, "CB039");
  deliver_call(db, call_from("CA3", "CA4", "+97231110003"));
  struct call last;
  assert_ok(calls_get(db, 1, STR("CB039"), &last));
  assert_string_equal(last.top_sid, "CA3"); /* else this test shows nothing */
  struct recording row = scratch_row(db, 1, "RE9");
  bool held;
  assert_ok(holds_cover(db, &row, &held));
  assert_true(held && covers_tree(db, "CA4"));
  int64_t business = 0;
  int left = 0;
  while (!left) IN_TRANSACTION(db, assert_ok(calls_tree_follow(db, &business, 10, &left)));
  assert_true(covers_tree(db, "CA4"));
}

/* Of a call with more legs than are marked at once. */
static void a_removed_hold_is_shown_nowhere(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  enum { LEGS = 30 };
  put_calls_to_keep(db);
  int64_t id = set_hold(db, "+97231110003");
  for (int i = 0; i < LEGS; i++) {
    char call[SID_SIZE], sid[SID_SIZE];
    (void)snprintf(call, sizeof(call), "CB%03d", i);
    (void)snprintf(sid, sizeof(sid), "RF%03d", i);
    IN_TRANSACTION(
        db, scratch_call(db, 1, call, "CA3", NOW);
        struct recording row = scratch_recording(db, 1, sid, call, RECORDING_READY, RECORDING_RANK_REST, NOW);
        assert_ok(holds_mark_row(db, &row)));
  }
  remove_hold(db, id);
  mark_all(db);
  assert_int_equal(count_of(db, "select count(*) from recordings where hold is not null"), 0);
}
