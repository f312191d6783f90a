#include "rows_scratch.h"

#include "ledger/accounts.h"
#include "ledger/ledger.h"
#include "ledger/turns.h"

#define NOW SCRATCH_NOW

static int64_t wrong_turns(struct db *db) {
  return scratch_int(db,
                     "select (select count(*) from (select rank, business_id, fills, served_at, due_at from turns"
                     "  except select rank, business_id, fills, served_at, due_at from turns_expected))"
                     " + abs((select count(*) from turns) - (select count(*) from turns_expected))"
                     " + abs((select sum(n) from fill_counts) - (select count(lease_until) from recordings))"
                     " + abs((select sum(fills) from businesses) - (select count(lease_until) from recordings))");
}

static void recordings_that_were_there_before_have_turns(void **state) {
  enum { BEFORE = 18 }; /* scripts before 0019_turns.sql */
  static struct ledger_migrations migrations;
  assert_int_equal(ledger_migrations(DB_SQLITE, &migrations), OK);
  struct db *db = scratch_open(*state, 0);
  int applied;
  assert_int_equal(migrate_run(db, migrations.all, BEFORE, NULL, &applied), OK);
  static const char before[] =
      "insert into businesses (business_id, name, created_at, auth_failed_at, auth_trial_at, error_streak, removed_at,"
      " last_claim_at) values (1, 'A', 1, null, null, 0, null, 77), (2, 'B', 1, 5, 90, 0, null, null),"
      " (3, 'C', 1, null, null, 5, null, null), (4, 'D', 1, null, null, 0, 1, null), (5, 'E', 1, null, null, 0, null, "
      "3);"
      "insert into recordings (business_id, recording_sid, first_seen_at, status, rank, next_ask_at, lease_until) "
      "values"
      " (1, 'RE1', 1, 'queued', 0, null, null), (1, 'RE2', 1, 'queued', 0, 5, null), (1, 'RE3', 1, 'queued', 1, 60, "
      "null),"
      " (1, 'RE4', 1, 'queued', 1, 50, null), (1, 'RE5', 1, 'downloading', 2, null, 99), (2, 'RE1', 1, 'queued', 2, 1, "
      "null),"
      " (3, 'RE1', 1, 'queued', 1, null, null), (3, 'RE2', 1, 'downloading', 1, null, 99),"
      " (4, 'RE1', 1, 'queued', 1, null, null), (5, 'RE1', 1, 'ready', 1, null, null)";
  assert_int_equal(db_script(db, before), OK);
  assert_int_equal(ledger_migrate(db, NULL, &applied), OK);
  assert_int_equal(wrong_turns(db), 0);
  assert_int_equal(scratch_int(db, "select count(*) from turns"), 4);
  assert_int_equal(
      scratch_int(db, "select due_at from turns where business_id = 1 and rank = 0 and fills = 1 and served_at = 77"),
      0);
  assert_int_equal(scratch_int(db, "select due_at from turns where business_id = 1 and rank = 1"), 50);
  assert_int_equal(scratch_int(db, "select due_at from turns where business_id = 2 and rank = 2"), 90);
  assert_int_equal(scratch_int(db, "select due_at is null from turns where business_id = 3"), 1);
  assert_int_equal(scratch_int(db, "select n from fill_counts where rank = 2"), 1);
  db_close(db);
}

/* Writes as an earlier release makes them. */
static void turns_follow_every_write(void **state) {
  struct db *db = scratch_ledger(*state);
  static const char *const writes[] = {
      "insert into businesses (business_id, name, created_at) values (1, 'A', 1), (2, 'B', 1)",
      "insert into recordings (business_id, recording_sid, first_seen_at, status, rank) values (1, 'RE1', 1, 'queued', "
      "2),"
      " (1, 'RE2', 1, 'queued', 2), (2, 'RE1', 1, 'queued', 1)",
      "update recordings set rank = 0 where recording_sid = 'RE1'",
      "update recordings set next_ask_at = 1000 where recording_sid = 'RE1'",
      "update recordings set status = 'downloading', lease_until = 5 where recording_sid = 'RE1'",
      "update recordings set rank = 2 where recording_sid = 'RE1'",
      "update businesses set last_claim_at = 4",
      "update businesses set error_streak = error_streak + 5",
      "update businesses set auth_failed_at = 4, auth_trial_at = 9 where business_id = 1",
      "update recordings set status = 'failed', lease_until = null where recording_sid = 'RE1'",
      "update businesses set auth_failed_at = null, auth_trial_at = null, error_streak = 0",
      "update recordings set status = 'queued' where recording_sid = 'RE1'",
      "delete from recordings where recording_sid = 'RE2'",
      "update recordings set status = 'downloading', lease_until = 5 where business_id = 1",
      "delete from recordings where business_id = 1",
      "update businesses set removed_at = 9",
  };
  for (size_t i = 0; i < COUNT_OF(writes); i++) {
    assert_int_equal(db_script(db, writes[i]), OK);
    if (wrong_turns(db) != 0) fail_msg("after: %s", writes[i]);
  }
  assert_int_equal(scratch_int(db, "select count(*) from turns"), 0);
  db_close(db);
}

static void a_turn_that_a_later_clock_made_due_is_put_back(void **state) {
  static const struct recordings_limits limits = {4, 16};
  struct db *db = scratch_ledger(*state);
  int64_t b = scratch_business(db, "one");
  struct recording r = scratch_recording(db, b, "RE1", "", RECORDING_QUEUED, RECORDING_RANK_NEW, NOW), next = r;
  next.next_ask_at = NOW + 60000;
  assert_int_equal(recordings_store(db, &r, &next), OK);
  assert_int_equal(turns_make_due(db, NOW + 60000, 1), OK);
  assert_int_equal(scratch_int(db, "select due_at from turns"), 0);
  assert_int_equal(recordings_next(db, &limits, NOW, &r), ERR_NOT_FOUND);
  assert_int_equal(scratch_int(db, "select due_at from turns"), NOW + 60000);
  assert_int_equal(recordings_next(db, &limits, NOW + 60000, &r), OK);
  db_close(db);
}

static enum err note_id(void *arg, int64_t id) {
  *(int64_t *)arg = id;
  return OK;
}

static void an_idle_trial_is_looked_at_again_when_a_recording_changes(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t b = scratch_business(db, "one");
  assert_int_equal(accounts_refused(db, b, STR("RE9"), NOW, NOW), OK);
  int64_t found = 0;
  for (int i = 0; i < 2; i++)
    assert_int_equal(accounts_trials_due(db, NOW, STR("provider_error"), 5, note_id, &found), OK);
  assert_int_equal(found, 0);
  assert_int_equal(scratch_int(db, "select trial_idle from businesses"), 1);
  (void)scratch_recording(db, b, "RE1", "", RECORDING_FAILED, RECORDING_RANK_NEW, NOW);
  assert_int_equal(accounts_trials_due(db, NOW, STR("provider_error"), 5, note_id, &found), OK);
  assert_int_equal(found, b);
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(recordings_that_were_there_before_have_turns),
      SCRATCH_TEST(turns_follow_every_write),
      SCRATCH_TEST(a_turn_that_a_later_clock_made_due_is_put_back),
      SCRATCH_TEST(an_idle_trial_is_looked_at_again_when_a_recording_changes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
