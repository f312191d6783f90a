/* Which recordings `callreel transcribe --since` lists and asks for. */
#include "domain_scratch.h"

#include "domain/transcribe_many.h"
#include "ledger/tasks.h"

static struct transcribe_many_part part;

static void put(struct db *db, int64_t business, int n, enum recording_status status) {
  char sid[SID_SIZE], call[SID_SIZE];
  (void)snprintf(sid, sizeof(sid), "RE%03d", n);
  (void)snprintf(call, sizeof(call), "CA%03d", n);
  struct call c = {
      .business_id = business, .duration_s = -1, .started_at = SCRATCH_NOW + n, .first_seen_at = SCRATCH_NOW};
  memcpy(c.call_sid, call, sizeof(call));
  assert_int_equal(scratch_put(db, &c), OK);
  (void)scratch_recording(db, business, sid, call, status, RECORDING_RANK_REST, SCRATCH_NOW);
}

static enum err do_part(struct db *db, void *arg) {
  return transcribe_many_part(db, arg, &part);
}

/* All that the parts list, or ask for, as numbers; "7 8 9". */
static void go_through(struct db *db, struct transcribe_many t, bool asks, char text[4096]) {
  size_t n = 0;
  text[0] = '\0';
  transcribe_many_begin(&t);
  do {
    if (asks) {
      assert_int_equal(db_begin_immediate(db), OK);
      assert_int_equal(do_part(db, &t), OK);
      assert_int_equal(db_commit(db), OK);
    } else {
      assert_int_equal(transcribe_many_list_part(db, &t, &part), OK);
    }
    for (int i = 0; i < part.count; i++)
      n += (size_t)snprintf(text + n, 4096 - n, "%s%d", n ? " " : "",
                            (int)strtol(part.rows[i].recording_sid + 2, NULL, 10));
  } while (part.more);
}

static void what_is_ready_since_then_is_asked_for_once(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t business = scratch_business(db, "b"), other = scratch_business(db, "c");
  char listed[4096], asked[4096];
  for (int n = 1; n <= 6; n++) put(db, business, n, n == 4 ? RECORDING_FAILED : RECORDING_READY);
  put(db, other, 7, RECORDING_READY);
  assert_int_equal(
      db_run(db, "update recordings set hold = ?1 where recording_sid in ('RE002', 'RE005')", DB_TEXT(STR("{}"))), OK);
  struct transcribe_many t = {.since = SCRATCH_NOW + 3};
  go_through(db, t, false, listed);
  assert_string_equal(listed, "3 6 5 7");
  t.business_id = business;
  go_through(db, t, true, asked);
  assert_string_equal(asked, "3 6 5");
  go_through(db, t, false, listed);
  assert_string_equal(listed, ""); /* they are queued */
  db_close(db);
}

static void with_only_missing_what_is_made_stays_as_it_is(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t business = scratch_business(db, "b");
  char text[4096];
  for (int n = 1; n <= 3; n++) put(db, business, n, RECORDING_READY);
  struct transcribe_many all = {.business_id = business}, missing = {.business_id = business, .only_missing = true};
  go_through(db, all, true, text);
  assert_string_equal(text, "1 2 3");
  assert_int_equal(db_run(db, "update transcripts set status = 'ready', version = 1 where recording_sid = 'RE001'"),
                   OK);
  assert_int_equal(
      db_run(db, "update transcripts set status = 'failed', error = 'engine_error' where recording_sid = 'RE002'"), OK);
  go_through(db, missing, false, text);
  assert_string_equal(text, "2");
  go_through(db, all, false, text);
  assert_string_equal(text, "1 2");
  db_close(db);
}

static void a_business_that_has_nothing_transcribed_is_passed_over(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t never = scratch_business(db, "b"), other = scratch_business(db, "c");
  char text[4096];
  put(db, never, 1, RECORDING_READY);
  put(db, other, 2, RECORDING_READY);
  assert_int_equal(db_run(db, "update businesses set transcribe = 'never' where business_id = ?1", DB_INT(never)), OK);
  go_through(db, (struct transcribe_many){.since = 0}, true, text);
  assert_string_equal(text, "2");
  db_close(db);
}

static void many_are_gone_through_in_parts(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t business = scratch_business(db, "b"), count;
  char text[4096];
  enum { MANY = 2 * TRANSCRIBE_MANY_PART + 50, HELD = TRANSCRIBE_MANY_PART + 20 };
  assert_int_equal(db_begin_immediate(db), OK);
  for (int n = 1; n <= MANY; n++) put(db, business, n, n % 2 ? RECORDING_READY : RECORDING_MISSING);
  assert_int_equal(
      db_run(db, "update recordings set hold = ?2 where recording_sid > ?1", DB_TEXT(STR("RE130")), DB_TEXT(STR("{}"))),
      OK);
  assert_int_equal(db_commit(db), OK);
  go_through(db, (struct transcribe_many){.since = 0}, true, text);
  assert_int_equal(tasks_count(db, TASK_TRANSCRIBE, business, 1000, &count), OK);
  assert_int_equal(count, MANY / 2);
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {SCRATCH_TEST(what_is_ready_since_then_is_asked_for_once),
                                     SCRATCH_TEST(with_only_missing_what_is_made_stays_as_it_is),
                                     SCRATCH_TEST(a_business_that_has_nothing_transcribed_is_passed_over),
                                     SCRATCH_TEST(many_are_gone_through_in_parts)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
