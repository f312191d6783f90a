#include "domain_scratch.h"

/* Deliveries have the form that a provider's dialect gives them: a rank and fields. */
struct report {
  struct delivery_rank call_rank, recording_rank;
  const char *call[12]; /* name, value, …, NULL */
  const char *recording[12];
};

static void fill(struct delivery_part *part, const struct delivery_rank *rank, const char *const *texts) {
  part->rank = *rank;
  part->count = 0;
  for (size_t i = 0; texts[i]; i += 2)
    part->fields[part->count++] = (struct delivery_field){str_from(texts[i]), str_from(texts[i + 1])};
}

static struct intake_result deliver(struct db *db, int64_t business, const struct report *t, const char *call_sid,
                                    const char *recording_sid, int64_t now) {
  static struct delivery d;
  d = (struct delivery){.business_id = business, .received_ms = now};
  d.call_sid = str_from(call_sid);
  d.recording_sid = str_from(recording_sid);
  fill(&d.call, &t->call_rank, t->call);
  fill(&d.recording, &t->recording_rank, t->recording);
  struct intake_result result;
  assert_int_equal(intake_run(db, &d, now, &result), OK);
  return result;
}

#define RANK(terminal, sequence, timestamp, order) \
  { terminal, sequence, timestamp, order }
#define GOOD "https://api.example/RE1"

/* Each story has five deliveries of one call and its recording; the result must not depend on their order. */
static const struct story {
  const char *name;
  struct report reports[5];
  enum recording_status status;
  const char *error_code;
} stories[] = {
    {"a call that ends, its recording reported twice",
     {{RANK(false, 0, 1000, 0),
       RANK(false, -1, -1, 0),
       {"from", "+15550100", "to", "+15550199", "status", "initiated", "timestamp", "1790000000000"},
       {NULL}},
      {RANK(false, 1, 2000, 2),
       RANK(false, -1, -1, 0),
       {"status", "in-progress", "caller_name", "DANA", "timestamp", "1790000002000"},
       {NULL}},
      {RANK(true, 2, 9000, 3),
       RANK(false, -1, -1, 0),
       {"status", "completed", "duration", "7", "timestamp", "1790000009000"},
       {NULL}},
      {RANK(false, -1, -1, 0),
       RANK(true, -1, -1, 4),
       {NULL},
       {"call_sid", "CA1", "status", "completed", "url", GOOD, "forbidden", "0", "duration", "7"}},
      {RANK(false, -1, -1, 0),
       RANK(true, -1, -1, 4),
       {NULL},
       {"call_sid", "CA1", "status", "completed", "url", GOOD, "forbidden", "0", "duration", "7"}}},
     RECORDING_QUEUED,
     ""},
    {"in progress, then absent",
     {{RANK(false, -1, -1, 0), RANK(false, -1, 1, 0), {NULL}, {"call_sid", "CA1", "status", "in-progress"}},
      {RANK(false, -1, -1, 0),
       RANK(true, -1, 2, 5),
       {NULL},
       {"call_sid", "CA1", "status", "absent", "provider_error", "16102"}},
      {RANK(false, -1, -1, 0),
       RANK(true, -1, 2, 5),
       {NULL},
       {"call_sid", "CA1", "status", "absent", "provider_error", "16102"}},
      {RANK(false, 0, 1000, 0), RANK(false, -1, -1, 0), {"from", "+15550100", "status", "ringing"}, {NULL}},
      {RANK(true, 1, 2000, 3), RANK(false, -1, -1, 0), {"status", "completed", "x-unknown", "kept"}, {NULL}}},
     RECORDING_FAILED,
     "absent_silent"},
    {"absent although reported completed before",
     {{RANK(false, -1, -1, 0),
       RANK(true, 1, 1, 4),
       {NULL},
       {"call_sid", "CA1", "status", "completed", "url", GOOD, "forbidden", "0"}},
      {RANK(false, -1, -1, 0), RANK(true, 2, 2, 5), {NULL}, {"status", "absent"}},
      {RANK(false, -1, -1, 0), RANK(true, 3, 3, 6), {NULL}, {"status", "deleted"}},
      {RANK(false, -1, -1, 0), RANK(false, 0, 0, 0), {NULL}, {"status", "in-progress", "source", "RecordVerb"}},
      {RANK(false, 0, 1, 0), RANK(false, -1, -1, 0), {"status", "ringing"}, {NULL}}},
     RECORDING_FAILED,
     "not_found_at_provider"},
    {"a forbidden url, then a good one",
     {{RANK(false, -1, -1, 0),
       RANK(true, 1, 1, 4),
       {NULL},
       {"call_sid", "CA1", "status", "completed", "url", "https://evil.example/RE1", "forbidden", "1"}},
      {RANK(false, -1, -1, 0),
       RANK(true, 2, 1, 4),
       {NULL},
       {"call_sid", "CA1", "status", "completed", "url", GOOD, "forbidden", "0"}},
      {RANK(false, -1, -1, 0),
       RANK(true, 2, 1, 4),
       {NULL},
       {"call_sid", "CA1", "status", "completed", "url", GOOD, "forbidden", "0"}},
      {RANK(false, -1, -1, 0), RANK(false, 0, 0, 0), {NULL}, {"status", "in-progress"}},
      {RANK(true, 0, 1, 0), RANK(false, -1, -1, 0), {"status", "completed"}, {NULL}}},
     RECORDING_QUEUED,
     ""},
    {"a good url, then a forbidden one",
     {{RANK(false, -1, -1, 0),
       RANK(true, 1, 1, 4),
       {NULL},
       {"call_sid", "CA1", "status", "completed", "url", GOOD, "forbidden", "0"}},
      {RANK(false, -1, -1, 0),
       RANK(true, 2, 1, 4),
       {NULL},
       {"call_sid", "CA1", "status", "completed", "url", "https://evil.example/RE1", "forbidden", "1"}},
      {RANK(false, -1, -1, 0),
       RANK(true, 2, 1, 4),
       {NULL},
       {"call_sid", "CA1", "status", "completed", "url", "https://evil.example/RE1", "forbidden", "1"}},
      {RANK(false, -1, -1, 0), RANK(false, 0, 0, 0), {NULL}, {"status", "processing", "channels", "2"}},
      {RANK(true, 0, 1, 0), RANK(false, -1, -1, 0), {"status", "completed"}, {NULL}}},
     RECORDING_FAILED,
     "forbidden_url"},
};

/* ---- every order ---- */

enum { FACTORIAL_5 = 120 };

static void permute(int n, int order[5]) {
  int left[5] = {0, 1, 2, 3, 4};
  for (int i = 0; i < 5; i++) {
    int pick = n % (5 - i);
    n /= 5 - i;
    order[i] = left[pick];
    memmove(&left[pick], &left[pick + 1], sizeof(int) * (size_t)(4 - pick));
  }
}

/* The row without the times of receipt and the version, which do depend on the order. */
static struct recording settled(struct db *db, int64_t business) {
  struct recording r = scratch_row(db, business, "RE1");
  struct call c;
  if (!r.started_at && (calls_get(db, business, STR("CA1"), &c) != OK || !c.started_at)) r.kept_from = 0;
  r.business_id = r.version = r.first_seen_at = r.completed_at = r.enqueued_at = r.last_enqueue_at = r.next_ask_at = 0;
  if (r.failed_at) r.failed_at = 1;
  return r;
}

static void every_order_of_deliveries_leaves_the_same_rows(void **state) {
  struct db *db = scratch_ledger(*state);
  for (size_t s = 0; s < COUNT_OF(stories); s++) {
    struct recording first;
    struct call first_call;
    struct buf first_fields CLEANUP(buf_done) = BUF_INIT(65536), fields CLEANUP(buf_done) = BUF_INIT(65536);
    for (int n = 0; n < FACTORIAL_5; n++) {
      int64_t business = (int64_t)s * FACTORIAL_5 + n + 1;
      int order[5];
      permute(n, order);
      for (int i = 0; i < 5; i++) {
        const struct report *t = &stories[s].reports[order[i]];
        (void)deliver(db, business, t, "CA1", t->recording[0] ? "RE1" : "", SCRATCH_NOW + i * 1000);
      }
      struct recording row = settled(db, business);
      struct call call;
      buf_clear(&fields);
      assert_int_equal(recordings_fields(db, business, STR("RE1"), &fields), OK);
      assert_int_equal(calls_read(db, business, STR("CA1"), &call, &fields), OK);
      call.business_id = call.first_seen_at = call.document_id = 0;
      if (row.status != stories[s].status || strcmp(row.error_code, stories[s].error_code) != 0)
        fail_msg("%s: %s %s", stories[s].name, recording_status_name(row.status), row.error_code);
      if (n == 0) {
        first = row;
        first_call = call;
        assert_int_equal(buf_add(&first_fields, buf_str(&fields)), OK);
      }
      if (memcmp(&row, &first, sizeof(row)) != 0) fail_msg("%s: another row in order %d", stories[s].name, n);
      assert_memory_equal(&call, &first_call, sizeof(call));
      assert_true(str_eq(buf_str(&fields), buf_str(&first_fields)));
    }
  }
  db_close(db);
}

static void a_repeated_delivery_writes_nothing(void **state) {
  struct db *db = scratch_ledger(*state);
  for (size_t i = 0; i < 5; i++) {
    const struct report *t = &stories[0].reports[i];
    (void)deliver(db, 1, t, "CA1", t->recording[0] ? "RE1" : "", SCRATCH_NOW);
  }
  int64_t changes = scratch_int(db, "select count(*) from changes");
  for (size_t i = 0; i < 5; i++) {
    const struct report *t = &stories[0].reports[i];
    struct intake_result r = deliver(db, 1, t, "CA1", t->recording[0] ? "RE1" : "", SCRATCH_NOW + 60000);
    assert_false(r.enqueued || r.call_changed || r.recording_changed);
  }
  assert_int_equal(scratch_int(db, "select count(*) from changes"), changes);
  db_close(db);
}

static void a_repeated_completed_does_not_queue_a_recording_that_failed_since(void **state) {
  struct db *db = scratch_ledger(*state);
  (void)scratch_business(db, "one");
  const struct report *completed = &stories[0].reports[3];
  assert_true(deliver(db, 1, completed, "CA1", "RE1", SCRATCH_NOW).enqueued);
  struct recording row;
  assert_int_equal(queue_claim(db, &(struct queue_limits){3, 32}, STR("w"), SCRATCH_NOW, &row), OK);
  struct recording_event event = {.kind = RECORDING_FAILURE,
                                  .owner = STR("w"),
                                  .token = row.lease_token,
                                  .error = RECORDING_TOO_LARGE,
                                  .announced_bytes = -1};
  assert_int_equal(queue_report(db, 1, STR("RE1"), &event, SCRATCH_NOW, &row), OK);
  assert_false(deliver(db, 1, completed, "CA1", "RE1", SCRATCH_NOW + 1000).enqueued);
  assert_int_equal(scratch_row(db, 1, "RE1").status, RECORDING_FAILED);
  db_close(db);
}

static void a_recording_in_progress_is_missing_with_not_yet_available(void **state) {
  struct db *db = scratch_ledger(*state);
  static const struct report report = {
      RANK(false, -1, -1, 0), RANK(false, -1, -1, 0), {NULL}, {"call_sid", "CA1", "status", "in-progress"}};
  assert_false(deliver(db, 1, &report, "CA1", "RE1", SCRATCH_NOW).enqueued);
  struct recording row = scratch_row(db, 1, "RE1");
  assert_int_equal(row.status, RECORDING_MISSING);
  assert_string_equal(row.error_code, "not_yet_available");
  assert_int_equal(scratch_int(db, "select count(*) from calls"), 1);
  db_close(db);
}

/* It can't be fetched until a delivery has its URL. */
static void a_completed_recording_without_a_url_fails_until_one_arrives(void **state) {
  struct db *db = scratch_ledger(*state);
  static const struct report reports[] = {
      {RANK(false, -1, -1, 0), RANK(true, 1, 1, 4), {NULL}, {"call_sid", "CA1", "status", "completed"}},
      {RANK(false, -1, -1, 0),
       RANK(true, 1, 1, 4),
       {NULL},
       {"call_sid", "CA1", "status", "completed", "url", GOOD, "forbidden", "0"}}};
  (void)scratch_business(db, "one");
  assert_false(deliver(db, 1, &reports[0], "CA1", "RE1", SCRATCH_NOW).enqueued);
  struct recording row = scratch_row(db, 1, "RE1");
  assert_int_equal(row.status, RECORDING_FAILED);
  assert_string_equal(row.error_code, "forbidden_url");
  assert_true(deliver(db, 1, &reports[1], "CA1", "RE1", SCRATCH_NOW).enqueued);
  assert_int_equal(scratch_row(db, 1, "RE1").status, RECORDING_QUEUED);
  db_close(db);
}

static void known_fields_of_any_length_a_delivery_has_are_stored_whole(void **state) {
  (void)state;
  struct db *db = scratch_ledger(*state);
  static char longest[DELIVERY_TEXT_MAX + 1];
  memset(longest, 'x', DELIVERY_TEXT_MAX);
  const struct report report = {
      .call = {CALL_FIELD_FROM, longest, CALL_FIELD_TO, longest, CALL_FIELD_CALLER_NAME, longest, CALL_FIELD_STATUS,
               longest, CALL_FIELD_PROVIDER_DIRECTION, longest},
      .recording = {RECORDING_FIELD_STATUS, longest, RECORDING_FIELD_SOURCE, longest},
  };
  assert_false(deliver(db, 1, &report, "CA1", "RE1", SCRATCH_NOW).enqueued);
  static struct call call;
  assert_int_equal(calls_get(db, 1, STR("CA1"), &call), OK);
  assert_string_equal(call.from_number, longest);
  assert_string_equal(call.to_number, longest);
  assert_string_equal(call.caller_name, longest);
  assert_string_equal(call.status, longest);
  assert_string_equal(call.provider_direction, longest);
  struct recording row = scratch_row(db, 1, "RE1");
  assert_string_equal(row.provider_status, longest);
  assert_string_equal(row.source, longest);
  assert_int_equal(row.status, RECORDING_MISSING);
  db_close(db);
}

/* Compares the rows of each table for both businesses, but not how often they were written, or places in lists meanwhile. */
static void assert_same_of_both_businesses(struct db *db) {
  static const char *const same[] = {
      "select call_sid, status, stem, name, bytes, total, got, content_type, etag, sha256, modified_at, duration_ms, "
      "channels,"
      " ready_at, kept_from, first_seen_at, started_at, completed_at, rank, enqueued_at, next_ask_at, lease_token, "
      "fail_count,"
      " error_code, fields from recordings",
      "select call_sid, top_sid, sort_at, first_seen_at, unrecorded, fields from calls",
      "select recording_sid, bytes from waveforms",
      "select status, code, n, bytes, for_good from (select * from recording_counts where n > 0)"};
  for (size_t i = 0; i < COUNT_OF(same); i++) {
    char sql[2048];
    (void)snprintf(sql, sizeof(sql),
                   "select (select count(*) from (%s where business_id = 1 except %s where business_id = 2))"
                   " + (select count(*) from (%s where business_id = 2 except %s where business_id = 1))"
                   " + 100 * (select count(*) = 0 from (%s where business_id = 1))",
                   same[i], same[i], same[i], same[i], same[i]);
    if (scratch_int(db, sql) != 0) fail_msg("differs: %s", same[i]);
  }
}

static const struct recording_event found_file = {
    .kind = RECORDING_FOUND,
    .stem = {"1/2026/01/CA1.RE1", 17},
    .file = {.name = {"1/2026/01/CA1.RE1.mp3", 21},
             .bytes = 5000,
             .content_type = {"audio/mpeg", 10},
             .etag = {"\"e\"", 3},
             .modified_at = 1000,
             .duration_ms = 2000,
             .channels = 1,
             .sha256 = {"0123456789012345678901234567890123456789012345678901234567890123", 64},
             .peaks = {"peaks", 5}}};

static struct intake_result deliver_found(struct db *db, int64_t business, const struct recording_event *found) {
  static const struct report report = {.recording = {"call_sid", "CA1", "started_at", "1790000000000"}};
  static struct delivery d;
  d = (struct delivery){.business_id = business, .received_ms = SCRATCH_NOW, .is_backfill = true, .found = found};
  d.call_sid = STR("CA1");
  d.recording_sid = STR("RE1");
  fill(&d.recording, &report.recording_rank, report.recording);
  struct intake_result result;
  assert_int_equal(intake_run(db, &d, SCRATCH_NOW, &result), OK);
  return result;
}

static void a_new_recording_with_a_file_has_the_rows_of_one_that_got_it_later(void **state) {
  struct db *db = scratch_ledger(*state);
  struct recording row;
  struct recording_outcome outcome;
  (void)scratch_business(db, "one");
  (void)scratch_business(db, "two");
  assert_true(deliver_found(db, 1, &found_file).is_ready);
  assert_false(deliver_found(db, 2, NULL).is_ready);
  assert_int_equal(queue_apply(db, 2, STR("RE1"), &found_file, SCRATCH_NOW, &row, &outcome), OK);
  assert_true(outcome.moved);
  assert_int_equal(scratch_row(db, 1, "RE1").status, RECORDING_READY);
  assert_same_of_both_businesses(db);
  assert_int_equal(scratch_int(db, "select count(*) from changes where business_id = 1 and kind = 'recording'"), 1);
  db_close(db);
}

static void a_file_does_not_make_a_known_recording_ready_by_a_delivery(void **state) {
  struct db *db = scratch_ledger(*state);
  (void)scratch_business(db, "one");
  assert_false(deliver_found(db, 1, NULL).is_ready);
  assert_false(deliver_found(db, 1, &found_file).is_ready);
  assert_int_equal(scratch_row(db, 1, "RE1").status, RECORDING_MISSING);
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(every_order_of_deliveries_leaves_the_same_rows),
      SCRATCH_TEST(a_repeated_delivery_writes_nothing),
      SCRATCH_TEST(a_repeated_completed_does_not_queue_a_recording_that_failed_since),
      SCRATCH_TEST(a_recording_in_progress_is_missing_with_not_yet_available),
      SCRATCH_TEST(a_completed_recording_without_a_url_fails_until_one_arrives),
      SCRATCH_TEST(known_fields_of_any_length_a_delivery_has_are_stored_whole),
      SCRATCH_TEST(a_new_recording_with_a_file_has_the_rows_of_one_that_got_it_later),
      SCRATCH_TEST(a_file_does_not_make_a_known_recording_ready_by_a_delivery),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
