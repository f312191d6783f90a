#include "domain_scratch.h"

#include "db/db_writer.h"
#include "ledger/accounts.h"

static const struct queue_limits usual = {.per_business = 3, .total = 32};

/* A queued recording, enqueued at SCRATCH_NOW + after. */
static void queued(struct db *db, int64_t business, const char *sid, int rank, int64_t after) {
  (void)scratch_recording(db, business, sid, "", RECORDING_QUEUED, rank, SCRATCH_NOW + after);
}

static const char *claim(struct db *db, const struct queue_limits *limits, int64_t now) {
  static struct recording row;
  enum err e = queue_claim(db, limits, STR("w"), now, &row);
  if (e == ERR_NOT_FOUND) return "nothing";
  assert_int_equal(e, OK);
  return row.recording_sid;
}

static struct recording report(struct db *db, int64_t business, const char *sid, enum recording_event_kind kind,
                               enum recording_error error, int64_t now) {
  struct recording_event event = {.kind = kind,
                                  .owner = STR("w"),
                                  .token = scratch_row(db, business, sid).lease_token,
                                  .error = error,
                                  .announced_bytes = -1,
                                  .file = {.name = STR("f.mp3"), .bytes = 4000, .duration_ms = -1}};
  struct recording row;
  assert_int_equal(queue_report(db, business, str_from(sid), &event, now, &row), OK);
  return row;
}

static void plays_go_first_then_new_ones_then_the_rest(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t b = scratch_business(db, "one");
  queued(db, b, "REst", RECORDING_RANK_REST, -3000);
  queued(db, b, "REnew2", RECORDING_RANK_NEW, -1000);
  queued(db, b, "REnew1", RECORDING_RANK_NEW, -2000);
  queued(db, b, "REplay", RECORDING_RANK_PLAY, 0);
  static const char *const order[] = {"REplay", "REnew1", "REnew2", "REst", "nothing"};
  for (size_t i = 0; i < COUNT_OF(order); i++)
    assert_string_equal(claim(db, &(struct queue_limits){10, 32}, SCRATCH_NOW), order[i]);
  db_close(db);
}

static void businesses_take_turns_within_a_rank(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t one = scratch_business(db, "one"), two = scratch_business(db, "two"), three = scratch_business(db, "three");
  static const char *const first[] = {"RE11", "RE12", "RE13", "RE14"};
  for (size_t i = 0; i < COUNT_OF(first); i++) queued(db, one, first[i], RECORDING_RANK_NEW, -5000 + (int64_t)i);
  queued(db, two, "RE21", RECORDING_RANK_NEW, -10);
  queued(db, three, "RE31", RECORDING_RANK_NEW, -5);
  static const char *const order[] = {"RE11", "RE21", "RE31", "RE12", "RE13", "nothing"};
  for (size_t i = 0; i < COUNT_OF(order); i++)
    assert_string_equal(claim(db, &usual, SCRATCH_NOW + (int64_t)i), order[i]);
  /* Fills that ended free a place; the business that was not served for longest is next. */
  (void)report(db, two, "RE21", RECORDING_COMPLETE, RECORDING_NONE, SCRATCH_NOW + 100);
  (void)report(db, one, "RE11", RECORDING_COMPLETE, RECORDING_NONE, SCRATCH_NOW + 100);
  queued(db, two, "RE22", RECORDING_RANK_NEW, 50);
  assert_string_equal(claim(db, &usual, SCRATCH_NOW + 101), "RE22");
  assert_string_equal(claim(db, &usual, SCRATCH_NOW + 102), "RE14");
  db_close(db);
}

/* A file was seen under the name of a recording that is queued already. */
static void file_seen(struct db *db, int64_t business, const char *sid, int rank, int64_t after) {
  queued(db, business, sid, rank, after);
  struct recording_event event = {.kind = RECORDING_FILE_SEEN};
  struct recording row;
  struct recording_outcome outcome;
  assert_int_equal(queue_apply(db, business, str_from(sid), &event, SCRATCH_NOW + after, &row, &outcome), OK);
  assert_true(outcome.moved && row.file_seen_at == SCRATCH_NOW + after);
}

static void files_are_checked_by_turns_and_beside_the_limits(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t one = scratch_business(db, "one"), two = scratch_business(db, "two");
  static const struct queue_limits limits = {.per_business = 1, .total = 2};
  queued(db, one, "REhung1", RECORDING_RANK_NEW, -100);
  queued(db, two, "REhung2", RECORDING_RANK_NEW, -99);
  for (int i = 0; i < 2; i++) assert_string_not_equal(claim(db, &limits, SCRATCH_NOW), "nothing");
  file_seen(db, one, "RE11", RECORDING_RANK_NEW, 1);
  file_seen(db, one, "RE12", RECORDING_RANK_NEW, 2);
  file_seen(db, one, "RE13", RECORDING_RANK_PLAY, 3);
  file_seen(db, two, "RE21", RECORDING_RANK_NEW, 4);
  assert_string_equal(claim(db, &limits, SCRATCH_NOW + 5), "nothing");
  static const char *const order[] = {"RE13", "RE21", "RE11", "RE12"};
  struct recording row = {.business_id = 0};
  for (size_t i = 0; i < COUNT_OF(order); i++) {
    assert_int_equal(queue_claim_check(db, row.business_id, STR("w"), SCRATCH_NOW + 5, &row), OK);
    assert_string_equal(row.recording_sid, order[i]);
    assert_true(row.file_seen_at != 0);
  }
  assert_int_equal(queue_claim_check(db, row.business_id, STR("w"), SCRATCH_NOW + 5, &row), ERR_NOT_FOUND);
  assert_int_equal(scratch_int(db, "select sum(fills) from businesses"), 2);
  assert_int_equal(scratch_int(db, "select sum(n) from fill_counts"), 2);
  row = report(db, one, "RE11", RECORDING_FILE_WRONG, RECORDING_NONE, SCRATCH_NOW + 6);
  assert_true(row.status == RECORDING_QUEUED && row.lease_until == 0 && row.file_seen_at == 0);
  row = report(db, two, "RE21", RECORDING_COMPLETE, RECORDING_NONE, SCRATCH_NOW + 6);
  assert_true(row.status == RECORDING_READY && row.file_seen_at == 0);
  row = report(db, one, "RE12", RECORDING_RELEASED, RECORDING_NONE, SCRATCH_NOW + 6); /* its check is repeated */
  assert_int_equal(queue_claim_check(db, 0, STR("w"), SCRATCH_NOW + 7, &row), OK);
  assert_string_equal(row.recording_sid, "RE12");
  assert_int_equal(scratch_int(db, "select sum(fills) from businesses"), 2);
  (void)report(db, two, "REhung2", RECORDING_COMPLETE, RECORDING_NONE, SCRATCH_NOW + 8);
  (void)report(db, one, "REhung1", RECORDING_COMPLETE, RECORDING_NONE, SCRATCH_NOW + 8);
  assert_int_equal(scratch_int(db, "select sum(fills) from businesses"), 0);
  assert_string_equal(claim(db, &limits, SCRATCH_NOW + 9), "RE11"); /* it waits for a download now */
  db_close(db);
}

static void a_play_may_go_one_over_the_limit_of_its_business(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t b = scratch_business(db, "one");
  static const char *const sids[] = {"RE1", "RE2", "RE3", "RE4"};
  for (size_t i = 0; i < COUNT_OF(sids); i++) queued(db, b, sids[i], RECORDING_RANK_NEW, (int64_t)i - 100);
  for (int i = 0; i < 3; i++) assert_string_not_equal(claim(db, &usual, SCRATCH_NOW), "nothing");
  assert_string_equal(claim(db, &usual, SCRATCH_NOW), "nothing");
  queued(db, b, "REplay1", RECORDING_RANK_PLAY, 0);
  queued(db, b, "REplay2", RECORDING_RANK_PLAY, 1);
  assert_string_equal(claim(db, &usual, SCRATCH_NOW), "REplay1");
  assert_string_equal(claim(db, &usual, SCRATCH_NOW), "nothing");
  db_close(db);
}

static void the_total_holds_and_the_rest_gets_three_quarters_of_it(void **state) {
  struct db *db = scratch_ledger(*state);
  const struct queue_limits four = {.per_business = 10, .total = 4};
  char sid[SID_SIZE];
  int64_t b = scratch_business(db, "one");
  for (int i = 0; i < 6; i++) {
    (void)snprintf(sid, sizeof(sid), "RErest%d", i);
    queued(db, b, sid, RECORDING_RANK_REST, i - 1000);
  }
  for (int i = 0; i < 3; i++) assert_string_not_equal(claim(db, &four, SCRATCH_NOW), "nothing");
  assert_string_equal(claim(db, &four, SCRATCH_NOW), "nothing");
  queued(db, b, "REnew1", RECORDING_RANK_NEW, 0);
  queued(db, b, "REnew2", RECORDING_RANK_NEW, 1);
  assert_string_equal(claim(db, &four, SCRATCH_NOW), "REnew1");
  assert_string_equal(claim(db, &four, SCRATCH_NOW), "nothing");
  db_close(db);
}

static void a_recording_that_is_not_due_yet_is_not_claimed(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t b = scratch_business(db, "one");
  queued(db, b, "RE1", RECORDING_RANK_NEW, -2000);
  queued(db, b, "RE2", RECORDING_RANK_NEW, -1000);
  assert_string_equal(claim(db, &usual, SCRATCH_NOW), "RE1");
  struct recording row = report(db, b, "RE1", RECORDING_NOT_FOUND, RECORDING_NONE, SCRATCH_NOW);
  assert_int_equal(row.status, RECORDING_QUEUED);
  assert_string_equal(claim(db, &usual, SCRATCH_NOW), "RE2");
  assert_string_equal(claim(db, &usual, SCRATCH_NOW + 999), "nothing");
  struct queue_maintained maintained;
  assert_int_equal(queue_maintain(db, SCRATCH_NOW, 0, &maintained), OK);
  assert_int_equal(maintained.next_at, SCRATCH_NOW + 1000);
  assert_string_equal(claim(db, &usual, SCRATCH_NOW + 1000), "RE1");
  db_close(db);
}

static void an_account_with_a_streak_of_errors_is_tried_by_one_fill_at_a_time(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t b = scratch_business(db, "one");
  char sid[SID_SIZE];
  for (int i = 0; i < 8; i++) {
    (void)snprintf(sid, sizeof(sid), "RE%d", i);
    queued(db, b, sid, RECORDING_RANK_NEW, i - 1000);
  }
  for (int i = 0; i < QUEUE_TRIAL_STREAK; i++) {
    (void)snprintf(sid, sizeof(sid), "RE%d", i);
    assert_string_equal(claim(db, &usual, SCRATCH_NOW), sid);
    (void)report(db, b, sid, RECORDING_FAILURE, i % 2 ? RECORDING_TIMEOUT : RECORDING_PROVIDER_ERROR, SCRATCH_NOW);
  }
  assert_string_equal(claim(db, &usual, SCRATCH_NOW), "RE5");
  assert_string_equal(claim(db, &usual, SCRATCH_NOW), "nothing");
  (void)report(db, b, "RE5", RECORDING_ANSWERED, RECORDING_NONE, SCRATCH_NOW);
  assert_string_equal(claim(db, &usual, SCRATCH_NOW), "RE6");
  assert_string_equal(claim(db, &usual, SCRATCH_NOW), "RE7");
  db_close(db);
}

static void refused_credentials_stop_the_account_until_a_trial_succeeds(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t b = scratch_business(db, "one"), other = scratch_business(db, "other");
  queued(db, b, "RE1", RECORDING_RANK_NEW, -3000);
  queued(db, b, "RE2", RECORDING_RANK_NEW, -2000);
  queued(db, b, "RE3", RECORDING_RANK_NEW, -1000);
  assert_string_equal(claim(db, &usual, SCRATCH_NOW), "RE1");
  assert_string_equal(claim(db, &usual, SCRATCH_NOW), "RE2");
  (void)report(db, b, "RE1", RECORDING_FAILURE, RECORDING_AUTH_FAILED, SCRATCH_NOW);
  (void)report(db, b, "RE2", RECORDING_FAILURE, RECORDING_AUTH_FAILED, SCRATCH_NOW);
  queued(db, other, "REother", RECORDING_RANK_REST, 0);
  assert_string_equal(claim(db, &usual, SCRATCH_NOW), "REother");
  assert_string_equal(claim(db, &usual, SCRATCH_NOW + QUEUE_TRIAL_FIRST_MS - 1), "nothing");
  int64_t later = SCRATCH_NOW + QUEUE_TRIAL_FIRST_MS;
  assert_string_equal(claim(db, &usual, later), "RE3");
  assert_string_equal(claim(db, &usual, later), "nothing");
  (void)report(db, b, "RE3", RECORDING_ANSWERED, RECORDING_NONE, later);
  assert_int_equal(scratch_row(db, b, "RE1").status, RECORDING_QUEUED);
  assert_int_equal(scratch_row(db, b, "RE1").fail_count, 0);
  assert_string_not_equal(claim(db, &usual, later), "nothing");
  assert_string_not_equal(claim(db, &usual, later), "nothing");
  db_close(db);
}

static void a_stopped_account_with_nothing_queued_tries_a_failed_recording(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t b = scratch_business(db, "one");
  queued(db, b, "RE1", RECORDING_RANK_NEW, -3000);
  queued(db, b, "RE2", RECORDING_RANK_NEW, -2000);
  for (int i = 1; i <= 2; i++) (void)claim(db, &usual, SCRATCH_NOW);
  for (int i = 1; i <= 2; i++)
    (void)report(db, b, i == 1 ? "RE1" : "RE2", RECORDING_FAILURE, RECORDING_AUTH_FAILED, SCRATCH_NOW);
  int64_t later = SCRATCH_NOW + QUEUE_TRIAL_FIRST_MS;
  struct queue_maintained maintained;
  assert_int_equal(queue_maintain(db, SCRATCH_NOW + 1, 0, &maintained), OK);
  assert_int_equal(maintained.next_at, later);
  for (int i = 0; i < 3; i++) assert_int_equal(queue_maintain(db, later, 0, &maintained), OK);
  assert_int_equal(scratch_int(db, "select count(*) from recordings where status = 'queued'"), 1);
  const char *tried = "RE1";
  for (int64_t pause_ms = 2 * QUEUE_TRIAL_FIRST_MS; pause_ms <= QUEUE_TRIAL_EVERY_MS; pause_ms *= 2) {
    assert_string_equal(claim(db, &usual, later), tried);
    (void)report(db, b, tried, RECORDING_FAILURE, RECORDING_AUTH_FAILED, later);
    assert_int_equal(queue_maintain(db, later + 1, 0, &maintained), OK);
    assert_int_equal(maintained.next_at, later + pause_ms);
    later += pause_ms;
    assert_int_equal(queue_maintain(db, later, 0, &maintained), OK);
    tried = strcmp(tried, "RE1") == 0 ? "RE2" : "RE1"; /* another than the one that was refused last */
  }
  db_close(db);
}

static void a_play_tries_a_stopped_account_at_most_every_10_s(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t b = scratch_business(db, "one");
  queued(db, b, "RE1", RECORDING_RANK_NEW, -3000);
  queued(db, b, "RE2", RECORDING_RANK_NEW, -2000);
  assert_string_equal(claim(db, &usual, SCRATCH_NOW), "RE1");
  (void)report(db, b, "RE1", RECORDING_FAILURE, RECORDING_AUTH_FAILED, SCRATCH_NOW);
  struct recording_event play = {.kind = RECORDING_PLAY};
  struct recording row;
  struct recording_outcome outcome;
  for (int64_t now = SCRATCH_NOW; now < SCRATCH_NOW + 25000;) {
    assert_int_equal(queue_apply(db, b, STR("RE1"), &play, now, &row, &outcome), OK);
    assert_true(outcome.enqueued);
    assert_string_equal(claim(db, &usual, now + ACCOUNT_PLAY_TRIAL_MS - 1), "nothing");
    now += ACCOUNT_PLAY_TRIAL_MS;
    assert_string_equal(claim(db, &usual, now), "RE1");
    (void)report(db, b, "RE1", RECORDING_FAILURE, RECORDING_AUTH_FAILED, now);
  }
  db_close(db);
}

static void a_removed_business_is_not_filled(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t b = scratch_business(db, "one");
  queued(db, b, "RE1", RECORDING_RANK_PLAY, 0);
  assert_int_equal(businesses_remove(db, b), OK);
  assert_string_equal(claim(db, &usual, SCRATCH_NOW), "nothing");
  db_close(db);
}

static void no_file_of_a_removed_business_is_checked(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t removed = scratch_business(db, "one"), other = scratch_business(db, "two");
  struct recording row;
  for (int i = 0; i < 25; i++) {
    char sid[16];
    (void)snprintf(sid, sizeof(sid), "RE%02d", i);
    file_seen(db, removed, sid, RECORDING_RANK_NEW, 0);
  }
  file_seen(db, other, "REother", RECORDING_RANK_NEW, 0);
  assert_int_equal(businesses_remove(db, removed), OK);
  assert_int_equal(queue_claim_check(db, 0, STR("w"), SCRATCH_NOW, &row), OK);
  assert_string_equal(row.recording_sid, "REother");
  for (int i = 0; i < 3; i++) assert_int_equal(queue_claim_check(db, 0, STR("w"), SCRATCH_NOW, &row), ERR_NOT_FOUND);
  assert_int_equal(recordings_next_file_seen(db, 0, &row), ERR_NOT_FOUND);
  assert_int_equal(scratch_row(db, removed, "RE00").lease_until, 0);
  db_close(db);
}

static void expired_leases_are_taken_back_and_due_retries_queued(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t b = scratch_business(db, "one");
  queued(db, b, "RE1", RECORDING_RANK_NEW, -2000);
  queued(db, b, "RE2", RECORDING_RANK_NEW, -1000);
  (void)claim(db, &usual, SCRATCH_NOW);
  (void)claim(db, &usual, SCRATCH_NOW);
  struct recording failed = report(db, b, "RE2", RECORDING_FAILURE, RECORDING_RATE_LIMITED, SCRATCH_NOW);
  struct queue_maintained maintained;
  assert_int_equal(queue_maintain(db, SCRATCH_NOW + 1, 0, &maintained), OK);
  assert_int_equal(maintained.leases_expired + maintained.due, 0);
  assert_int_equal(maintained.next_at, failed.next_retry_at < SCRATCH_NOW + RECORDING_LEASE_MS
                                           ? failed.next_retry_at
                                           : SCRATCH_NOW + RECORDING_LEASE_MS);
  assert_int_equal(queue_maintain(db, SCRATCH_NOW + 60000, 0, &maintained), OK);
  assert_int_equal(maintained.leases_expired, 1);
  assert_int_equal(maintained.due, 1);
  assert_int_equal(scratch_row(db, b, "RE1").crashes, 1);
  assert_int_equal(scratch_int(db, "select count(*) from recordings where status = 'queued'"), 2);
  db_close(db);
}

static void a_clock_that_jumped_back_leaves_no_recording_waiting(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t b = scratch_business(db, "one");
  static const char *const sids[] = {"RE1", "RE2", "RE3"};
  for (size_t i = 0; i < COUNT_OF(sids); i++) queued(db, b, sids[i], RECORDING_RANK_NEW, (int64_t)i - 9000);
  for (size_t i = 0; i < COUNT_OF(sids); i++) (void)claim(db, &usual, SCRATCH_NOW);
  (void)report(db, b, "RE2", RECORDING_FAILURE, RECORDING_RATE_LIMITED, SCRATCH_NOW);
  (void)report(db, b, "RE3", RECORDING_NOT_FOUND, RECORDING_NONE, SCRATCH_NOW);
  int64_t before = SCRATCH_NOW - 24 * 60 * 60 * 1000;
  struct queue_maintained maintained;
  assert_int_equal(queue_maintain(db, before, 0, &maintained), OK);
  assert_int_equal(maintained.leases_expired, 1);
  assert_int_equal(maintained.due, 1);
  for (size_t i = 0; i < COUNT_OF(sids); i++) assert_string_not_equal(claim(db, &usual, before), "nothing");
  db_close(db);
}

static void a_play_that_is_not_repeated_loses_its_rank(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t b = scratch_business(db, "one");
  (void)scratch_recording(db, b, "RE1", "", RECORDING_MISSING, RECORDING_RANK_REST, SCRATCH_NOW);
  struct recording_event play = {.kind = RECORDING_PLAY};
  struct recording row;
  struct recording_outcome outcome;
  struct queue_maintained maintained;
  assert_int_equal(queue_apply(db, b, STR("RE1"), &play, SCRATCH_NOW, &row, &outcome), OK);
  assert_true(outcome.enqueued);
  assert_int_equal(queue_maintain(db, SCRATCH_NOW + RECORDING_PLAY_RANK_MS, 0, &maintained), OK);
  assert_int_equal(scratch_row(db, b, "RE1").rank, RECORDING_RANK_PLAY);
  assert_int_equal(queue_maintain(db, SCRATCH_NOW + RECORDING_PLAY_RANK_MS + 1, 0, &maintained), OK);
  assert_int_equal(scratch_row(db, b, "RE1").rank, RECORDING_RANK_NEW);
  db_close(db);
}

static void a_report_under_a_lost_lease_changes_nothing(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t b = scratch_business(db, "one");
  queued(db, b, "RE1", RECORDING_RANK_NEW, 0);
  (void)claim(db, &usual, SCRATCH_NOW);
  struct recording was = scratch_row(db, b, "RE1"), row;
  struct recording_event event = {.kind = RECORDING_FAILURE, .error = RECORDING_AUTH_FAILED, .announced_bytes = -1};
  static const struct {
    struct str owner;
    int64_t token, after;
  } cases[] = {
      {{"w", 1}, 0, 0}, {{"w", 1}, 2, 0}, {{"w", 1}, 1, RECORDING_LEASE_MS}, {{"v", 1}, 1, 0}, {{"", 0}, 1, 0}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    event.owner = cases[i].owner;
    event.token = cases[i].token;
    assert_int_equal(queue_report(db, b, STR("RE1"), &event, SCRATCH_NOW + cases[i].after, &row), ERR_CONFLICT);
  }
  row = scratch_row(db, b, "RE1");
  assert_memory_equal(&was, &row, sizeof(row));
  struct account account;
  assert_int_equal(accounts_get(db, b, &account), OK);
  assert_int_equal(account.auth_failed_at, 0);
  db_close(db);
}

static void retrying_many_takes_only_failures_with_the_code_and_time(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t b = scratch_business(db, "one");
  char sid[SID_SIZE];
  for (int i = 0; i < 450; i++) {
    (void)snprintf(sid, sizeof(sid), "RE%03d", i);
    (void)scratch_recording(db, b, sid, "", RECORDING_FAILED, RECORDING_RANK_REST, SCRATCH_NOW);
  }
  assert_int_equal(
      db_run(db, "update recordings set failed_at = ?1, error_code = 'timeout' where recording_sid < 'RE010'",
             DB_INT(SCRATCH_NOW)),
      OK);
  struct queue_retried retried;
  assert_int_equal(queue_retry_all(db, b, RECORDING_NOT_AUDIO, 0, false, SCRATCH_NOW, &retried), OK);
  assert_true(retried.queued == 0 && !retried.more);
  assert_int_equal(queue_retry_all(db, b, RECORDING_NONE, SCRATCH_NOW, false, SCRATCH_NOW, &retried), OK);
  assert_true(retried.queued == 10 && !retried.more);
  assert_int_equal(queue_retry_all(db, b, RECORDING_NONE, 0, false, SCRATCH_NOW, &retried), OK);
  assert_true(retried.queued == QUEUE_RETRY_FIRST && retried.more);
  struct retries_row row;
  bool ended = false;
  while (!ended) assert_int_equal(queue_retry_next(db, SCRATCH_NOW, &row, &ended), OK);
  assert_int_equal(row.queued, 440);
  assert_int_equal(queue_retry_next(db, SCRATCH_NOW, &row, &ended), ERR_NOT_FOUND);
  assert_int_equal(scratch_int(db, "select count(*) from recordings where status = 'queued' and rank = 2"), 450);
  db_close(db);
}

static void add_failed(struct db *db, int64_t business_id, int count) {
  char sid[SID_SIZE];
  for (int i = 0; i < count; i++) {
    (void)snprintf(sid, sizeof(sid), "RE%04d", i);
    (void)scratch_recording(db, business_id, sid, "", RECORDING_FAILED, RECORDING_RANK_REST, SCRATCH_NOW);
  }
}

static void retries_of_many_take_turns_in_parts_and_are_reported_to_the_worker(void **state) {
  enum { MANY = QUEUE_RETRY_FIRST + 2 * QUEUE_RETRY_PART };
  struct db *db = scratch_ledger(*state);
  int64_t b[2] = {scratch_business(db, "one"), scratch_business(db, "two")};
  struct queue_retried retried;
  struct queue_maintained maintained;
  for (int i = 0; i < 2; i++) {
    add_failed(db, b[i], MANY);
    assert_int_equal(queue_retry_all(db, b[i], RECORDING_NONE, 0, false, SCRATCH_NOW, &retried), OK);
  }
  assert_int_equal(queue_maintain(db, SCRATCH_NOW, 0, &maintained), OK);
  assert_true(maintained.retries);
  struct retries_row row;
  bool ended;
  for (int part = 0; part < 6; part++) { /* the last one finds nothing, because the part before it was full */
    assert_int_equal(queue_retry_next(db, SCRATCH_NOW, &row, &ended), OK);
    assert_int_equal(row.business_id, b[part % 2]);
    assert_int_equal(ended, part >= 4);
  }
  assert_int_equal(row.queued, MANY);
  assert_int_equal(queue_maintain(db, SCRATCH_NOW, 0, &maintained), OK);
  assert_false(maintained.retries);
  db_close(db);
}

static void a_part_of_a_retry_passes_over_a_bounded_number_of_earlier_failures(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t b = scratch_business(db, "one");
  struct queue_retried retried;
  struct retries_row row;
  bool ended = false;
  assert_int_equal(
      db_script(
          db,
          "insert into recordings (business_id, recording_sid, first_seen_at, status, rank, error_code, failed_at)"
          " with recursive g(i) as (select 1 union all select i + 1 from g where i < 5000)"
          " select 1, printf('RE%05d', i), 1, 'failed', 2, 'timeout', iif(i = 5000, 200, 100) from g"),
      OK);
  assert_int_equal(queue_retry_all(db, b, RECORDING_TIMEOUT, 150, false, SCRATCH_NOW, &retried), OK);
  assert_true(retried.more);
  assert_int_equal(retried.queued, 0);
  int parts = 1;
  for (; !ended; parts++) assert_int_equal(queue_retry_next(db, SCRATCH_NOW, &row, &ended), OK);
  assert_int_equal(parts, 5000 / QUEUE_RETRY_SCAN + 1);
  assert_int_equal(scratch_int(db, "select count(*) from recordings where status = 'queued'"), 1);
  db_close(db);
}

static void a_repeated_retry_of_many_starts_over(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t b = scratch_business(db, "one");
  add_failed(db, b, 2 * QUEUE_RETRY_FIRST + 2 * QUEUE_RETRY_PART);
  struct queue_retried retried;
  for (int i = 0; i < 2; i++)
    assert_int_equal(queue_retry_all(db, b, RECORDING_NONE, 0, false, SCRATCH_NOW, &retried), OK);
  assert_int_equal(scratch_int(db, "select count(*) from retries"), 1);
  assert_int_equal(db_run(db, "update recordings set status = 'failed' where recording_sid = 'RE0000'"), OK);
  struct retries_row row;
  bool ended = false;
  while (!ended) assert_int_equal(queue_retry_next(db, SCRATCH_NOW, &row, &ended), OK);
  assert_int_equal(scratch_int(db, "select count(*) from recordings where status = 'failed'"), 0);
  db_close(db);
}

/* GROWN businesses, each with one recording of every kind that a claim job changes. */
enum { GROWN = 200 };
static void grow(struct db *db) {
  static const char rows[] =
      "with recursive g(i) as (select 1 union all select i + 1 from g where i < 200)"
      " insert into businesses (business_id, name, created_at, auth_failed_at, auth_trial_at)"
      "  select i, 'Acme', 1, iif(i % 4, null, 1), iif(i % 4, null, 1) from g;"
      "create temp table kinds (sid, status, rank, next_ask_at, lease_until, next_retry_at, error_code);"
      "insert into kinds values ('RElapsed', 'downloading', 1, null, 1, null, null),"
      " ('REdue', 'failed', 2, null, null, 1, 'timeout'), ('REplay', 'queued', 0, null, null, null, null),"
      " ('RElater', 'queued', 2, 1, null, null, null), ('REfar', 'queued', 1, 1 << 60, null, null, null),"
      " ('RErefused', 'failed', 1, null, null, null, 'auth_failed');"
      "insert into recordings (business_id, recording_sid, call_sid, provider_status, url, first_seen_at, enqueued_at, "
      "status,"
      " rank, next_ask_at, lease_until, next_retry_at, error_code)"
      " select b.business_id, k.sid, 'CA1', 'completed', 'u', 1, 1, k.status, k.rank, k.next_ask_at, k.lease_until,"
      "  k.next_retry_at, k.error_code from businesses b, kinds k where b.auth_failed_at is null or k.sid = "
      "'RErefused'";
  assert_int_equal(db_script(db, rows), OK);
}

static void a_claim_job_touches_few_rows_of_a_grown_queue(void **state) {
  static const struct queue_limits many = {.per_business = 1000, .total = 10000};
  struct db *db = scratch_ledger(*state);
  assert_int_equal(db_begin_immediate(db), OK);
  grow(db);
  struct queue_maintained maintained;
  int64_t most = 0;
  for (int i = 0, claimed = 1; claimed || maintained.leases_expired || maintained.due; i++) {
    struct recording row;
    int64_t before = db_touched(db);
    assert_int_equal(queue_maintain(db, SCRATCH_NOW + i, 0, &maintained), OK);
    for (claimed = 0; claimed < QUEUE_CLAIM_MAX; claimed++) {
      enum err e = queue_claim(db, &many, STR("w"), SCRATCH_NOW + i, &row);
      if (e == ERR_NOT_FOUND) break;
      assert_int_equal(e, OK);
    }
    if (db_touched(db) - before > most) most = db_touched(db) - before;
    assert_true(i < 1000);
  }
  print_message("# at most %lld rows\n", (long long)most);
  assert_true(most > DB_JOB_ROWS / 4 && most <= DB_JOB_ROWS);
  assert_int_equal(scratch_int(db, "select count(*) from recordings where lease_until is null and status = 'queued'"),
                   0);
  db_rollback(db);
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(a_claim_job_touches_few_rows_of_a_grown_queue),
      SCRATCH_TEST(retries_of_many_take_turns_in_parts_and_are_reported_to_the_worker),
      SCRATCH_TEST(a_repeated_retry_of_many_starts_over),
      SCRATCH_TEST(a_part_of_a_retry_passes_over_a_bounded_number_of_earlier_failures),
      SCRATCH_TEST(plays_go_first_then_new_ones_then_the_rest),
      SCRATCH_TEST(businesses_take_turns_within_a_rank),
      SCRATCH_TEST(files_are_checked_by_turns_and_beside_the_limits),
      SCRATCH_TEST(a_play_may_go_one_over_the_limit_of_its_business),
      SCRATCH_TEST(the_total_holds_and_the_rest_gets_three_quarters_of_it),
      SCRATCH_TEST(a_recording_that_is_not_due_yet_is_not_claimed),
      SCRATCH_TEST(an_account_with_a_streak_of_errors_is_tried_by_one_fill_at_a_time),
      SCRATCH_TEST(refused_credentials_stop_the_account_until_a_trial_succeeds),
      SCRATCH_TEST(a_stopped_account_with_nothing_queued_tries_a_failed_recording),
      SCRATCH_TEST(a_play_tries_a_stopped_account_at_most_every_10_s),
      SCRATCH_TEST(a_removed_business_is_not_filled),
      SCRATCH_TEST(no_file_of_a_removed_business_is_checked),
      SCRATCH_TEST(expired_leases_are_taken_back_and_due_retries_queued),
      SCRATCH_TEST(a_clock_that_jumped_back_leaves_no_recording_waiting),
      SCRATCH_TEST(a_play_that_is_not_repeated_loses_its_rank),
      SCRATCH_TEST(a_report_under_a_lost_lease_changes_nothing),
      SCRATCH_TEST(retrying_many_takes_only_failures_with_the_code_and_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
