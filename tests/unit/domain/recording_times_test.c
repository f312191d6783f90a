/* recording_times_test.c - when a recording is asked for again, and when it is given up. */
#include "recording_rows.h"

#include <stdio.h>

#include "domain/backoff.h"

static void back_off_doubles_from_30_s_to_20_min_give_or_take_a_fifth(void **state) {
  (void)state;
  static const int64_t middle_s[] = {30, 60, 120, 240, 480, 960, 1200, 1200};
  for (size_t i = 0; i < COUNT_OF(middle_s); i++) {
    int64_t n = (int64_t)i + 1, middle = middle_s[i] * 1000, least = middle * 4 / 5, most = middle * 6 / 5;
    if (most > RECORDING_BACKOFF_CAP_MS) most = RECORDING_BACKOFF_CAP_MS;
    assert_int_equal(backoff_ms(n, 0), least);
    assert_int_equal(backoff_ms(n, UINT32_MAX), most);
    assert_in_range(backoff_ms(n, UINT32_MAX / 3), least, most);
  }
  assert_int_equal(backoff_ms(INT64_MAX, UINT32_MAX), RECORDING_BACKOFF_CAP_MS);
}

static void not_yet_is_asked_after_growing_times(void **state) {
  (void)state;
  static const int64_t steps_s[] = {1, 2, 3, 5, 8, 8, 60};
  struct recording row = leased(RECORDING_QUEUED), next;
  int64_t now = NOW;
  for (size_t i = 0; i < COUNT_OF(steps_s); i++) {
    struct recording_event event = event_of(RECORDING_NOT_FOUND);
    event.token = row.lease_token;
    assert_true(recording_apply(&row, &event, now, &next).moved);
    assert_int_equal(next.next_ask_at - now, steps_s[i] * 1000);
    assert_string_equal(next.error_code, "not_yet_available");
    assert_int_equal(next.fail_count, 0);
    now = next.next_ask_at;
    event = event_of(RECORDING_CLAIM);
    assert_true(recording_apply(&next, &event, now, &row).moved);
  }
}

static void a_404_is_not_yet_for_10_min_after_the_end_and_5_min_after_the_first(void **state) {
  (void)state;
  static const struct {
    int64_t ended_ago, first_404_ago;
    bool not_yet;
  } cases[] = {{0, 0, true},
               {10 * MINUTE_MS - 1, 0, true},
               {10 * MINUTE_MS, 0, false},
               {9 * MINUTE_MS, 5 * MINUTE_MS - 1, true},
               {9 * MINUTE_MS, 5 * MINUTE_MS, false}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct recording row = plain(RECORDING_QUEUED);
    row.started_at = NOW - cases[i].ended_ago - 60000;
    row.provider_duration_s = 60;
    row.first_404_at = cases[i].first_404_ago ? NOW - cases[i].first_404_ago : 0;
    assert_int_equal(recording_not_yet(&row, NOW), cases[i].not_yet);
  }
}

static void each_crash_in_a_row_from_the_fourth_on_is_a_failure(void **state) {
  (void)state;
  struct recording row = leased(RECORDING_DOWNLOADING), next;
  row.crashes = row.fail_count = 0;
  for (int crash = 1; crash <= 6; crash++) {
    struct recording_event event = event_of(RECORDING_RELEASED);
    event.token = row.lease_token;
    assert_true(recording_apply(&row, &event, NOW, &next).moved);
    assert_int_equal(next.status, crash < 4 ? RECORDING_QUEUED : RECORDING_FAILED);
    assert_int_equal(next.fail_count, crash < 4 ? 0 : crash - 3);
    if (next.status == RECORDING_FAILED) {
      row = next;
      row.next_retry_at = NOW;
      event = event_of(RECORDING_RETRY_DUE);
      assert_true(recording_apply(&row, &event, NOW, &next).moved);
    }
    event = event_of(RECORDING_CLAIM);
    assert_true(recording_apply(&next, &event, NOW, &row).moved);
  }
}

static void a_missing_file_keeps_its_length_in_the_row(void **state) {
  (void)state;
  struct recording row = plain(RECORDING_READY), next;
  struct recording_event event = event_of(RECORDING_FILE_GONE);
  row.bytes = 4000;
  assert_true(recording_apply(&row, &event, NOW, &next).moved);
  assert_int_equal(next.bytes, 4000);
}

/* The row after a fill that reported n bytes ended by an event; for its validators. */
static struct recording after_arrival(enum recording_event_kind end, int64_t n) {
  struct recording row = leased(RECORDING_DOWNLOADING), next;
  struct recording_event event = event_of(end);
  event.token = row.lease_token;
  row.received_bytes = n;
  row.announced_bytes = 4000;
  (void)snprintf(row.etag, sizeof(row.etag), "\"known\"");
  if (end == RECORDING_LEASE_EXPIRED) row.lease_until = NOW;
  assert_true(recording_apply(&row, &event, NOW, &next).moved);
  assert_int_equal(next.received_bytes, 0);
  return next;
}

static void validators_outlive_a_dead_worker_only(void **state) {
  (void)state;
  const enum recording_event_kind dies[] = {RECORDING_LEASE_EXPIRED, RECORDING_RELEASED};
  for (size_t i = 0; i < COUNT_OF(dies); i++) {
    struct recording row = after_arrival(dies[i], 1200), next;
    struct recording_event event = event_of(RECORDING_CLAIM);
    assert_string_equal(row.etag, "\"known\"");
    assert_true(recording_apply(&row, &event, NOW, &next).moved);
    assert_string_equal(next.etag, "\"known\"");
    assert_int_equal(next.announced_bytes, 4000);
    row = after_arrival(dies[i], 0); /* no listener got a byte of this fill, so its validators are cleared */
    assert_string_equal(row.etag, "");
    assert_int_equal(row.announced_bytes, -1);
  }
  assert_string_equal(after_arrival(RECORDING_NEW_TOKEN, 1200).etag, "");
}

static struct recording after_failure(const struct recording *row, enum recording_error error) {
  struct recording_event event = event_of(RECORDING_FAILURE);
  event.error = error;
  struct recording next;
  assert_true(recording_apply(row, &event, NOW, &next).moved);
  return next;
}

static void each_error_is_permanent_when_its_class_says_so(void **state) {
  (void)state;
  for (int e = RECORDING_NONE + 1; e < RECORDING_ERROR_COUNT_; e++) {
    enum recording_error_class class = recording_error_class((enum recording_error)e);
    if (class == RECORDING_CLASS_WAIT) continue;
    for (int64_t n = 1; n <= 12; n++) {
      struct recording row = leased(RECORDING_DOWNLOADING);
      row.fail_count = n - 1;
      struct recording next = after_failure(&row, (enum recording_error)e);
      bool permanent = class == RECORDING_CLASS_FINAL || (class == RECORDING_CLASS_EIGHTH && n >= 8);
      assert_int_equal(next.permanent, permanent);
      assert_int_equal(next.next_retry_at != 0, !permanent && class != RECORDING_CLASS_ACCOUNT);
      assert_int_equal(next.fail_count, n);
    }
  }
}

static void not_found_is_permanent_at_once_when_older_than_a_day(void **state) {
  (void)state;
  for (int older = 0; older < 2; older++) {
    struct recording row = leased(RECORDING_QUEUED), next;
    row.completed_at = row.first_seen_at = NOW - DAY_MS - older;
    struct recording_event event = event_of(RECORDING_NOT_FOUND);
    assert_true(recording_apply(&row, &event, NOW, &next).moved);
    assert_string_equal(next.error_code, "not_found_at_provider");
    assert_int_equal(next.permanent, older);
  }
}

static void a_retry_after_of_the_provider_counts_up_to_the_cap(void **state) {
  (void)state;
  static const struct { int64_t asked_s, waits_s; } cases[] = {{100, 100}, {86400, 1200}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct recording row = leased(RECORDING_QUEUED), next;
    struct recording_event event = event_of(RECORDING_FAILURE);
    event.error = RECORDING_RATE_LIMITED;
    event.retry_after_ms = cases[i].asked_s * 1000;
    assert_true(recording_apply(&row, &event, NOW, &next).moved);
    assert_int_equal(next.next_retry_at - NOW, cases[i].waits_s * 1000);
  }
}

static void the_fourth_crash_in_a_row_is_a_failure(void **state) {
  (void)state;
  struct recording row = plain(RECORDING_QUEUED), next;
  int64_t now = NOW;
  for (int crash = 1; crash <= 4; crash++) {
    struct recording_event event = event_of(RECORDING_CLAIM);
    assert_true(recording_apply(&row, &event, now, &next).moved);
    now = next.lease_until;
    event = event_of(RECORDING_LEASE_EXPIRED);
    assert_true(recording_apply(&next, &event, now, &row).moved);
    assert_int_equal(row.status, crash < 4 ? RECORDING_QUEUED : RECORDING_FAILED);
    assert_int_equal(row.fail_count, crash < 4 ? 0 : 1);
  }
}

static void a_person_retries_three_times_in_ten_minutes(void **state) {
  (void)state;
  struct recording row = plain(RECORDING_FAILED), next;
  struct recording_event event = event_of(RECORDING_PERSON_RETRY);
  for (int n = 0; n < 4; n++) {
    struct recording_outcome outcome = recording_apply(&row, &event, NOW + n * 1000, &next);
    assert_int_equal(outcome.moved, n < 3);
    if (n == 3) assert_int_equal(outcome.skip, RECORDING_SKIP_TOO_OFTEN);
    row = next;
    row.status = RECORDING_FAILED;
  }
  assert_true(recording_apply(&row, &event, NOW + RECORDING_RETRY_WINDOW_MS, &next).moved);
}

static void formats_are_tried_on_404_from_the_third_ask(void **state) {
  (void)state;
  for (int64_t before = 0; before < 4; before++) {
    struct recording row = {.not_found_count = before};
    assert_int_equal(recording_tries_formats_on_404(&row, 3), before >= 2);
  }
}

static void the_first_five_minutes_of_404_see_at_most_20_requests(void **state) {
  (void)state;
  for (size_t formats = 1; formats <= 8; formats++) {
    struct recording row = {.not_found_count = 0};
    size_t requests = 0;
    for (int64_t at_ms = 0; at_ms < 5 * 60 * 1000; at_ms += backoff_not_yet_ms(row.not_found_count)) {
      requests += recording_tries_formats_on_404(&row, formats) ? formats : 1;
      row.not_found_count++;
    }
    assert_in_range(requests, 8, 20);
    assert_true(recording_tries_formats_on_404(&row, formats));
  }
}

static void a_completed_webhook_clears_count_and_back_off(void **state) {
  (void)state;
  struct recording row = plain(RECORDING_FAILED), next;
  row.fail_count = 9;
  row.permanent = true;
  row.not_found_count = 4;
  row.first_404_at = row.failed_at = row.last_enqueue_at = NOW - 1;
  struct recording_event event = event_of(RECORDING_COMPLETED);
  assert_true(recording_apply(&row, &event, NOW, &next).enqueued);
  assert_int_equal(next.fail_count, 0);
  assert_int_equal(next.not_found_count, 0);
  assert_int_equal(next.first_404_at, 0);
  assert_int_equal(next.rank, RECORDING_RANK_NEW);
}

static void a_stem_starts_with_business_year_and_month(void **state) {
  (void)state;
  char stem[RECORDING_NAME_SIZE];
  struct recording row = plain(RECORDING_QUEUED);
  row.first_seen_at = INT64_C(1767225599999); /* the last moment of 2025 */
  assert_int_equal(recording_stem(&row, 0, stem), OK);
  assert_string_equal(stem, "1/2025/12/CA1.RE1");
  assert_int_equal(recording_stem(&row, row.first_seen_at + 1, stem), OK);
  assert_string_equal(stem, "1/2026/01/CA1.RE1");
  row.call_sid[0] = '\0';
  assert_int_equal(recording_stem(&row, 0, stem), OK);
  assert_string_equal(stem, "1/2025/12/RE1");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(back_off_doubles_from_30_s_to_20_min_give_or_take_a_fifth),
      cmocka_unit_test(not_yet_is_asked_after_growing_times),
      cmocka_unit_test(a_404_is_not_yet_for_10_min_after_the_end_and_5_min_after_the_first),
      cmocka_unit_test(each_crash_in_a_row_from_the_fourth_on_is_a_failure),
      cmocka_unit_test(a_missing_file_keeps_its_length_in_the_row),
      cmocka_unit_test(validators_outlive_a_dead_worker_only),
      cmocka_unit_test(each_error_is_permanent_when_its_class_says_so),
      cmocka_unit_test(not_found_is_permanent_at_once_when_older_than_a_day),
      cmocka_unit_test(a_retry_after_of_the_provider_counts_up_to_the_cap),
      cmocka_unit_test(the_fourth_crash_in_a_row_is_a_failure),
      cmocka_unit_test(a_person_retries_three_times_in_ten_minutes),
      cmocka_unit_test(formats_are_tried_on_404_from_the_third_ask),
      cmocka_unit_test(the_first_five_minutes_of_404_see_at_most_20_requests),
      cmocka_unit_test(a_completed_webhook_clears_count_and_back_off),
      cmocka_unit_test(a_stem_starts_with_business_year_and_month),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
