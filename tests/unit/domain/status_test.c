#include "domain_scratch.h"

#include "domain/playback.h"
#include "domain/status.h"

#define NOW SCRATCH_NOW /* 2026-09-21T14:13:20Z */

static struct recording row_of(enum recording_status status) {
  struct recording r;
  memset(&r, 0, sizeof(r));
  r.business_id = 1;
  memcpy(r.recording_sid, "RE1", 3);
  memcpy(r.call_sid, "CA1", 3);
  r.status = status;
  r.announced_bytes = r.duration_ms = -1;
  return r;
}

static void require_status(const struct recording *row, const char *path_base, const char *json) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(10000);
  const char *text;
  assert_int_equal(status_write(&b, row, &(struct status_view){str_from(path_base), NOW, false}), OK);
  assert_int_equal(buf_terminate(&b, &text), OK);
  assert_string_equal(text, json);
}

static void a_status_object_has_every_member_in_every_state(void **state) {
  (void)state;
  struct recording queued = row_of(RECORDING_QUEUED);
  queued.next_ask_at = NOW + 2500;
  memcpy(queued.error_code, "not_yet_available", 17);
  require_status(&queued, "",
                 "{\"call_sid\":\"CA1\",\"recording_sid\":\"RE1\",\"status\":\"queued\",\"retry_after\":3,"
                 "\"progress\":{\"bytes\":0,\"total\":null},\"fail_count\":0,\"next_retry_at\":null,"
                 "\"error\":{\"code\":\"not_yet_available\",\"message\":\"The provider does not have the recording "
                 "ready yet.\"},\"bytes\":null,\"content_type\":null,\"duration\":null,\"channels\":null,"
                 "\"started_at\":null,\"expires_at\":null,\"stream_url\":\"/api/recordings/RE1/stream\"}");
  struct recording ready = row_of(RECORDING_READY);
  ready.call_sid[0] = '\0';
  ready.bytes = ready.received_bytes = ready.announced_bytes = 4000;
  ready.duration_ms = 61050;
  ready.provider_duration_s = 60;
  ready.channels = 2;
  ready.started_at = NOW + 123;
  memcpy(ready.content_type, "audio/mpeg", 10);
  require_status(&ready, "/sub",
                 "{\"call_sid\":null,\"recording_sid\":\"RE1\",\"status\":\"ready\",\"retry_after\":null,"
                 "\"progress\":{\"bytes\":4000,\"total\":4000},\"fail_count\":0,\"next_retry_at\":null,\"error\":null,"
                 "\"bytes\":4000,\"content_type\":\"audio/mpeg\",\"duration\":61.05,\"channels\":2,"
                 "\"started_at\":\"2026-09-21T14:13:20.123Z\",\"expires_at\":null,"
                 "\"stream_url\":\"/sub/api/recordings/RE1/stream\"}");
  struct recording failed = row_of(RECORDING_FAILED);
  failed.fail_count = 2;
  failed.next_retry_at = NOW;
  failed.provider_duration_s = 7;
  memcpy(failed.error_code, "timeout", 7);
  require_status(
      &failed, "",
      "{\"call_sid\":\"CA1\",\"recording_sid\":\"RE1\",\"status\":\"failed\",\"retry_after\":null,"
      "\"progress\":{\"bytes\":0,\"total\":null},\"fail_count\":2,"
      "\"next_retry_at\":\"2026-09-21T14:13:20Z\",\"error\":{\"code\":\"timeout\",\"message\":\"The provider "
      "did not answer in time.\"},\"bytes\":null,\"content_type\":null,\"duration\":7,\"channels\":null,"
      "\"started_at\":null,\"expires_at\":null,\"stream_url\":\"/api/recordings/RE1/stream\"}");
}

static void a_call_without_a_recording_is_missing(void **state) {
  (void)state;
  struct buf b CLEANUP(buf_done) = BUF_INIT(10000);
  assert_int_equal(status_write_none(&b, STR("CA1")), OK);
  assert_true(
      str_eq(buf_str(&b), STR("{\"call_sid\":\"CA1\",\"recording_sid\":null,\"status\":\"missing\",\"retry_after\":"
                              "null,\"progress\":{\"bytes\":0,\"total\":null},\"fail_count\":0,\"next_retry_at\":null,"
                              "\"error\":null,\"bytes\":null,\"content_type\":null,\"duration\":null,\"channels\":"
                              "null,\"started_at\":null,\"expires_at\":null,\"stream_url\":null}")));
}

static void retry_after_is_one_to_eight_seconds(void **state) {
  (void)state;
  static const struct {
    enum recording_status status;
    int64_t ask_in_ms;
    int seconds;
  } cases[] = {{RECORDING_QUEUED, -1, 2},         {RECORDING_QUEUED, 2001, 3}, {RECORDING_QUEUED, 99000, 8},
               {RECORDING_DOWNLOADING, 99000, 1}, {RECORDING_READY, 0, 0},     {RECORDING_FAILED, 0, 0},
               {RECORDING_EXPIRED, 0, 0},         {RECORDING_MISSING, 0, 0}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct recording row = row_of(cases[i].status);
    row.next_ask_at = NOW + cases[i].ask_in_ms;
    assert_int_equal(recording_retry_after_s(&row, NOW), cases[i].seconds);
  }
}

static void a_queued_recording_shows_storage_full_when_no_worker_has_room(void **state) {
  (void)state;
  static const struct {
    enum recording_status status;
    enum recording_error own;
    int64_t ask_in_ms, lease_until;
    enum recording_error expected;
  } cases[] = {{RECORDING_QUEUED, RECORDING_NONE, -1, 0, RECORDING_STORAGE_FULL},
               {RECORDING_QUEUED, RECORDING_NONE, 5000, 0, RECORDING_STORAGE_FULL},
               {RECORDING_QUEUED, RECORDING_NOT_YET_AVAILABLE, -1, 0, RECORDING_STORAGE_FULL},
               {RECORDING_QUEUED, RECORDING_NOT_YET_AVAILABLE, 5000, 0, RECORDING_NOT_YET_AVAILABLE},
               {RECORDING_QUEUED, RECORDING_NONE, -1, NOW + 9000, RECORDING_NONE},
               {RECORDING_DOWNLOADING, RECORDING_NONE, -1, NOW + 9000, RECORDING_NONE},
               {RECORDING_FAILED, RECORDING_TIMEOUT, -1, 0, RECORDING_TIMEOUT},
               {RECORDING_READY, RECORDING_NONE, -1, 0, RECORDING_NONE},
               {RECORDING_MISSING, RECORDING_NONE, -1, 0, RECORDING_NONE}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct recording row = row_of(cases[i].status);
    row.next_ask_at = NOW + cases[i].ask_in_ms;
    row.lease_until = cases[i].lease_until;
    (void)snprintf(row.error_code, sizeof(row.error_code), "%s", recording_error_code(cases[i].own));
    assert_string_equal(recording_error_code(recording_reason(&row, RECORDING_STORAGE_FULL, NOW)),
                        recording_error_code(cases[i].expected));
    assert_int_equal(recording_reason(&row, RECORDING_NONE, NOW), cases[i].own);
  }
}

static void a_recording_in_progress_has_a_longer_retry_after(void **state) {
  (void)state;
  struct recording row = row_of(RECORDING_QUEUED);
  (void)snprintf(row.provider_status, sizeof(row.provider_status), "in-progress");
  row.next_ask_at = NOW;
  assert_int_equal(recording_retry_after_s(&row, NOW), 8);
  row.status = RECORDING_MISSING;
  assert_int_equal(recording_retry_after_s(&row, NOW), 0);
}

/* The row keeps the length to check files that are found later; clients must not see it. */
static void bytes_are_shown_only_if_there_is_a_file(void **state) {
  (void)state;
  struct buf b CLEANUP(buf_done) = BUF_INIT(4096);
  struct recording row = row_of(RECORDING_MISSING);
  row.bytes = 4000;
  assert_int_equal(status_write(&b, &row, &(struct status_view){STR_NONE, NOW, false}), OK);
  assert_true(str_contains(buf_str(&b), STR("\"bytes\":null,\"content_type\"")));
}

static void the_customer_number_is_not_one_of_the_business(void **state) {
  (void)state;
  static const struct {
    const char *direction, *from, *to, *child_to, *customer;
  } cases[] = {
      {"inbound", "+15550100", "+15550999", NULL, "+15550100"},
      {"inbound", "anonymous", "+15550999", "+15550111", ""},
      {"inbound", "Restricted", "+15550999", NULL, ""},
      {"inbound", "Unavailable", "+15550999", NULL, ""},
      {"inbound", "sip:anonymous@anonymous.invalid", "+15550999", NULL, ""},
      {"inbound", "+266696687", "+15550999", NULL, ""},
      {"inbound", "+86282452253", "+15550999", NULL, ""},
      {"inbound", "+2666966871", "+15550999", NULL, "+2666966871"},
      {"inbound", "266696687", "+15550999", NULL, "266696687"},
      {"inbound", "client:anonymous", "+15550999", NULL, "client:anonymous"},
      {"outbound", "+15550999", "client:dana", "Anonymous", ""},
      {"outbound", "+15550999", "+15550100", "+15550111", "+15550100"},
      {"outbound", "+15550999", "client:dana", "+15550111", "+15550111"},
      {"outbound", "+15550999", "sip:1@example.com", "+15550111", "+15550111"},
      {"outbound", "client:dana", "+1 (555) 0999", "+15550111", "+15550111"},
      {"outbound", "+15550999", "client:dana", NULL, ""},
      {"", "+15550100", "+15550999", NULL, ""},
  };
  static const struct str own[] = {{"+15550998", 9}, {"+15550999", 9}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    static struct call top, child;
    (void)snprintf(top.direction, sizeof(top.direction), "%s", cases[i].direction);
    (void)snprintf(top.from_number, sizeof(top.from_number), "%s", cases[i].from);
    (void)snprintf(top.to_number, sizeof(top.to_number), "%s", cases[i].to);
    (void)snprintf(child.to_number, sizeof(child.to_number), "%s", cases[i].child_to ? cases[i].child_to : "");
    struct str got = status_customer_number(&top, cases[i].child_to ? &child : NULL, own, COUNT_OF(own));
    if (!str_eq(got, str_from(cases[i].customer))) fail_msg("case %zu: %.*s", i, STR_ARG(got));
  }
}

static void a_call_shows_its_top_legs_direction_and_null_for_unknown_values(void **state) {
  (void)state;
  static struct call top, call;
  memcpy(top.direction, "inbound", 7);
  memcpy(call.call_sid, "CA2", 3);
  memcpy(call.parent_call_sid, "CA1", 3);
  memcpy(call.caller_name, "a\"b", 3);
  memcpy(call.metadata, "{\"k\":[1]}", 9);
  call.duration_s = -1;
  struct recording row = row_of(RECORDING_READY);
  const struct recording *rows[] = {&row};
  struct str leg = STR("CA1");
  struct status_call s = {.call = &call, .top = &top, .recordings = rows, .legs = &leg, .leg_count = 1};
  struct buf b CLEANUP(buf_done) = BUF_INIT(10000);
  const char *text;
  assert_int_equal(status_write_call(&b, &s, &(struct status_view){STR(""), NOW, false}), OK);
  assert_int_equal(buf_terminate(&b, &text), OK);
  assert_string_equal(
      text,
      "{\"call_sid\":\"CA2\",\"parent_call_sid\":\"CA1\",\"direction\":\"inbound\","
      "\"provider_direction\":null,\"from\":null,\"to\":null,\"customer_number\":null,\"own_number\":null,\"agent\":"
      "null,"
      "\"caller_name\":\"a\\\"b\",\"customer_name\":null,\"ref\":null,\"tags\":[],\"metadata\":{\"k\":[1]},"
      "\"status\":null,\"started_at\":null,\"ended_at\":null,\"duration\":null,"
      "\"has_recording\":false,\"has_transcript\":false,\"recordings\":[],\"legs\":[\"CA1\"]}");
}

static void each_state_has_its_playback(void **state) {
  (void)state;
  static const struct {
    enum recording_status status;
    const char *error;
    bool permanent, worker, stopped;
    int64_t retry_in_ms;
    enum playback_kind kind;
    int64_t after_s;
  } cases[] = {
      {RECORDING_READY, "", false, false, false, 0, PLAYBACK_FILE, 0},
      {RECORDING_EXPIRED, "", false, true, false, 0, PLAYBACK_GONE, 0},
      {RECORDING_MISSING, "not_yet_available", false, true, false, 0, PLAYBACK_WAIT, 8},
      {RECORDING_QUEUED, "", false, true, false, 0, PLAYBACK_WAIT, 2},
      {RECORDING_DOWNLOADING, "", false, true, false, 0, PLAYBACK_WAIT, 1},
      {RECORDING_QUEUED, "", false, false, false, 0, PLAYBACK_NO_WORKER, 10},
      {RECORDING_QUEUED, "", false, true, true, 0, PLAYBACK_TRIAL, 10}, /* its rank is that of a play */
      {RECORDING_FAILED, "timeout", false, true, false, 1500, PLAYBACK_BACKOFF, 2},
      {RECORDING_FAILED, "auth_failed", false, true, true, 0, PLAYBACK_BACKOFF, 10},
      {RECORDING_FAILED, "not_found_at_provider", true, true, false, 0, PLAYBACK_NOT_FOUND, 0},
      {RECORDING_FAILED, "absent_silent", true, true, false, 0, PLAYBACK_NOT_FOUND, 0},
      {RECORDING_FAILED, "absent_too_short", true, true, false, 0, PLAYBACK_NOT_FOUND, 0},
      {RECORDING_FAILED, "too_large", true, true, false, 0, PLAYBACK_BROKEN, 0},
      {RECORDING_FAILED, "forbidden_url", true, true, false, 0, PLAYBACK_BROKEN, 0},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct recording row = row_of(cases[i].status);
    (void)snprintf(row.error_code, sizeof(row.error_code), "%s", cases[i].error);
    row.permanent = cases[i].permanent;
    row.next_retry_at = cases[i].retry_in_ms ? NOW + cases[i].retry_in_ms : 0;
    struct playback p = playback_decide(&row, cases[i].worker, cases[i].stopped, NOW);
    if (p.kind != cases[i].kind || p.retry_after_s != cases[i].after_s)
      fail_msg("case %zu: kind %d after %lld s", i, (int)p.kind, (long long)p.retry_after_s);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_status_object_has_every_member_in_every_state),
      cmocka_unit_test(a_call_without_a_recording_is_missing),
      cmocka_unit_test(retry_after_is_one_to_eight_seconds),
      cmocka_unit_test(a_queued_recording_shows_storage_full_when_no_worker_has_room),
      cmocka_unit_test(a_recording_in_progress_has_a_longer_retry_after),
      cmocka_unit_test(bytes_are_shown_only_if_there_is_a_file),
      cmocka_unit_test(the_customer_number_is_not_one_of_the_business),
      cmocka_unit_test(a_call_shows_its_top_legs_direction_and_null_for_unknown_values),
      cmocka_unit_test(each_state_has_its_playback),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
