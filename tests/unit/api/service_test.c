#include "service_testing.h"

#include <sched.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

/* ---- authentication, and the order of refusals ---- */

static void the_first_error_that_applies_is_told(void **state) {
  struct service *s = *state;
  service_start(s);
  service_call(s, s->business, CA1, "");
  char huge[70001];
  memset(huge, 'x', sizeof(huge) - 1);
  huge[sizeof(huge) - 1] = '\0';
  const char *json = "Content-Type: application/json\r\n", *platform_99 = "X-Business-Id: 99\r\n";
  const struct {
    const char *method, *path, *key, *headers, *body;
    int status;
    const char *code;
  } rows[] = {
      {"GET", "/api/nothing", NULL, "", NULL, 404, "not_found"},
      {"POST", "/api/nothing", NULL, "", huge, 404, "not_found"},
      {"DELETE", "/api/calls", NULL, "", NULL, 405, "method_not_allowed"},
      {"POST", "/api/calls", NULL, "", huge, 405, "method_not_allowed"},
      {"GET", "/api/calls", NULL, "", NULL, 401, "unauthorized"},
      {"GET", "/api/calls", "cr_no", "", NULL, 401, "unauthorized"},
      {"GET", "/api/calls", NULL, "Authorization: Basic eDp5\r\n", NULL, 401, "unauthorized"},
      {"GET", "/api/calls", s->admin, "Authorization: Bearer cr_no\r\n", NULL, 401, "unauthorized"},
      {"PATCH", "/api/calls/bad", NULL, "", huge, 401, "unauthorized"},
      {"PATCH", "/api/calls/bad", s->viewer, "", huge, 403, "forbidden"},
      {"POST", "/api/recordings/bad/retry", s->viewer, "", NULL, 403, "forbidden"},
      {"POST", "/api/recordings/retry", s->agent, "", NULL, 403, "forbidden"},
      {"PATCH", "/api/calls/bad", s->agent, "", huge, 413, "payload_too_large"},
      {"PATCH", "/api/calls/bad", s->agent, "", "{}", 415, "unsupported_media_type"},
      {"PATCH", "/api/calls/bad", s->agent, json, "[]", 400, "bad_request"},
      {"PATCH", "/api/calls/" CA1, s->agent, json, "[]", 400, "bad_request"},
      {"PATCH", "/api/calls/" CA2, s->agent, json, "{\"ref\":1}", 400, "bad_request"},
      {"PATCH", "/api/calls/" CA2, s->agent, json, "{\"ref\":\"1\"}", 404, "not_found"},
      {"GET", "/api/calls/" RE1, s->viewer, "", NULL, 400, "bad_request"},
      {"GET", "/api/calls/" CA2, s->viewer, "", NULL, 404, "not_found"},
      {"GET", "/api/recordings/x/status", s->viewer, "", NULL, 400, "bad_request"},
      {"GET", STREAM, s->viewer, "", NULL, 404, "not_found"},
      {"GET", "/api/calls", s->platform, "", NULL, 400, "bad_request"},
      {"GET", "/api/calls", s->platform, "X-Business-Id: x\r\n", NULL, 400, "bad_request"},
      {"GET", "/api/calls", s->platform, platform_99, NULL, 404, "not_found"},
      {"GET", "/api/calls?limit=101", s->viewer, "", NULL, 400, "bad_request"},
      {"POST", "/api/recordings/retry?code=x", s->admin, "", NULL, 400, "bad_request"},
      {"POST", "/api/recordings/retry?since=x", s->admin, "", NULL, 400, "bad_request"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct answer *a = service_ask(s, rows[i].method, rows[i].path, rows[i].key, rows[i].headers, rows[i].body);
    if (a->status != rows[i].status) print_error("row %zu: %s %s\n", i, rows[i].method, rows[i].path);
    if (a->status == 413)
      assert_int_equal(rows[i].status, 413);
    else
      expect(a, rows[i].status, rows[i].code);
    assert_int_equal(a->status == 401, strcmp(answer_header(a, "WWW-Authenticate"), "Bearer") == 0);
    assert_int_equal(a->status == 405, answer_header(a, "Allow")[0] != '\0');
  }
}

static void a_platform_key_acts_for_the_business_it_names(void **state) {
  struct service *s = *state;
  char header[64];
  service_start(s);
  service_recording(s, s->other, RE1, "", RECORDING_MISSING);
  (void)snprintf(header, sizeof(header), "X-Business-Id: %lld\r\n", (long long)s->other);
  assert_int_equal(service_ask(s, "GET", STATUS, s->platform, header, NULL)->status, 200);
  assert_int_equal(service_ask(s, "GET", STATUS, s->admin, header, NULL)->status, 404); /* ignored with another's */
  assert_int_equal(service_ask(s, "POST", "/api/recordings/retry", s->platform, header, NULL)->status, 200);
}

static void anothers_object_is_one_that_does_not_exist(void **state) {
  struct service *s = *state;
  static const char *const paths[][2] = {
      {STATUS, "/api/recordings/" RE9 "/status"},
      {STREAM, "/api/recordings/" RE9 "/stream"},
      {DOWNLOAD, "/api/recordings/" RE9 "/download"},
      {"/api/calls/" CA1, "/api/calls/" CA2},
      {"/api/calls/" CA1 "/download", "/api/calls/" CA2 "/download"},
      {"/api/recordings/" CA1 "/status", "/api/recordings/" CA2 "/status"},
  };
  service_start(s);
  service_call(s, s->business, CA1, "");
  service_recording(s, s->business, RE1, CA1, RECORDING_MISSING);
  service_ready(s, s->business, RE1, 2000);
  assert_int_equal(service_ask(s, "GET", STREAM, s->viewer, "", NULL)->status, 200); /* now it is in memory, too */
  for (size_t i = 0; i < COUNT_OF(paths); i++) {
    struct answer theirs = *service_ask(s, "GET", paths[i][0], s->stranger, "", NULL);
    const struct answer *none = service_ask(s, "GET", paths[i][1], s->stranger, "", NULL);
    expect(&theirs, 404, "not_found");
    assert_string_equal(theirs.body, none->body);
    assert_int_equal(none->status, 404);
  }
}

static void a_revoked_key_lets_nobody_in(void **state) {
  struct service *s = *state;
  service_start(s);
  assert_int_equal(service_ask(s, "GET", "/api/calls", s->viewer, "", NULL)->status, 200);
  service_revoke(s);
  assert_int_equal(service_ask(s, "GET", "/api/calls", s->viewer, "", NULL)->status, 401);
  assert_int_equal(service_ask(s, "GET", "/api/calls", s->stranger, "", NULL)->status, 200);
}

/* ---- health ---- */

static void health_needs_no_credentials(void **state) {
  struct service *s = *state;
  service_start(s);
  assert_int_equal(service_ask(s, "GET", "/healthz", NULL, "", NULL)->status, 200);
  assert_int_equal(service_ask(s, "GET", "/readyz", NULL, "", NULL)->status, 200);
  s->not_ready = "No store.";
  struct answer *a = service_ask(s, "GET", "/readyz", NULL, "", NULL);
  expect(a, 503, "unavailable");
  assert_non_null(strstr(a->body, "No store."));
  s->not_ready = NULL;
  api_drain(s->api);
  expect(service_ask(s, "GET", "/readyz", NULL, "", NULL), 503, "unavailable");
}

/* ---- playing ---- */

static void what_is_ready_is_played(void **state) {
  struct service *s = *state;
  service_start(s);
  service_call(s, s->business, CA1, "");
  service_call(s, s->business, CA2, CA1);
  service_recording(s, s->business, RE1, CA1, RECORDING_MISSING);
  service_ready(s, s->business, RE1, 2000);
  static const struct {
    const char *method, *path, *headers;
    int status;
    size_t bytes;
    const char *range, *location;
  } rows[] = {
      {"GET", STREAM, "", 200, 2000, "", ""},
      {"GET", STREAM, "Range: bytes=26-51\r\n", 206, 26, "bytes 26-51/2000", ""},
      {"GET", STREAM, "Range: bytes=2000-\r\n", 416, 0, "bytes */2000", ""},
      {"GET", STREAM, "If-None-Match: \"" RE1 "\"\r\n", 304, 0, "", ""},
      {"GET", STREAM, "If-Match: \"x\"\r\n", 412, 0, "", ""},
      {"HEAD", STREAM, "Range: bytes=26-51\r\n", 200, 0, "", ""},
      {"GET", "/api/recordings/file/" CA1, "Range: bytes=0-1\r\n", 206, 2, "bytes 0-1/2000", STREAM},
      {"GET", "/api/recordings/file/" CA1, "Range: bytes=0-1\r\n", 206, 2, "bytes 0-1/2000", STREAM},
      {"GET", "/api/recordings/" CA2 "/stream", "Range: bytes=0-1\r\n", 206, 2, "bytes 0-1/2000", STREAM},
      {"GET", "/api/calls/" CA2 "/download", "", 200, 2000, "", DOWNLOAD},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct answer *a = service_ask(s, rows[i].method, rows[i].path, s->viewer, rows[i].headers, NULL);
    assert_int_equal(a->status, rows[i].status);
    if (a->status < 400) assert_int_equal(a->body_n, rows[i].bytes);
    assert_string_equal(answer_header(a, "Content-Range"), rows[i].range);
    assert_string_equal(answer_header(a, "Content-Location"), rows[i].location);
    if (a->status >= 400) continue;
    assert_string_equal(answer_header(a, "ETag"), "\"" RE1 "\"");
    assert_string_equal(answer_header(a, "Last-Modified"), "Sat, 21 Nov 2026 08:01:02 GMT");
    assert_string_equal(answer_header(a, "Cache-Control"), "private, no-cache");
    assert_string_equal(answer_header(a, "Cache-Status"), "callreel; hit");
    assert_string_equal(answer_header(a, "Content-Type"), "audio/mpeg");
  }
  struct answer *a = service_ask(s, "GET", DOWNLOAD, s->viewer, "", NULL);
  assert_string_equal(
      answer_header(a, "Content-Disposition"),
      "attachment; filename=\"2026-11-21_0801_+15551230001.mp3\"; filename*=UTF-8''2026-11-21_0801_%2B15551230001.mp3");
}

/* The answer to a client that waited for a missing recording until its wait was over. */
static struct answer ask_until_time_is_up(struct service *s, const char *path, const char *sid, const char *headers) {
  struct answer a;
  service_recording(s, s->business, sid, "", RECORDING_MISSING);
  int fd = service_send(s, "GET", path, s->viewer, headers, NULL);
  service_until_wanted(s, s->business, sid);
  clock_test_advance_ms(11000);
  service_receive(fd, &a);
  return a;
}

static void a_play_of_what_is_not_here_wants_it_once(void **state) {
  struct service *s = *state;
  service_start(s);
  struct answer a = ask_until_time_is_up(s, STREAM, RE1, "Range: bytes=0-\r\n");
  assert_int_equal(a.status, 202);
  assert_string_equal(answer_header(&a, "Location"), STATUS);
  assert_string_equal(answer_header(&a, "Retry-After"), "2");
  assert_non_null(strstr(a.body, "\"status\":\"queued\""));
  assert_non_null(strstr(a.body, "\"message\":"));
  struct recording row = service_row(s, s->business, RE1);
  assert_int_equal(row.rank, RECORDING_RANK_PLAY);
  for (int i = 0; i < 5; i++) assert_int_equal(service_ask(s, "HEAD", STREAM, s->viewer, "", NULL)->status, 202);
  assert_int_equal(service_row(s, s->business, RE1).version, row.version);
}

static void a_look_at_the_status_wants_nothing(void **state) {
  struct service *s = *state;
  service_start(s);
  service_call(s, s->business, CA1, "");
  service_recording(s, s->business, RE1, "", RECORDING_MISSING);
  struct recording before = service_row(s, s->business, RE1);
  assert_int_equal(service_ask(s, "GET", STATUS, s->viewer, "", NULL)->status, 200);
  struct answer *a = service_ask(s, "GET", "/api/recordings/" CA1 "/status", s->viewer, "", NULL);
  assert_int_equal(a->status, 200);
  assert_non_null(strstr(a->body, "\"recording_sid\":null,\"status\":\"missing\""));
  assert_int_equal(service_row(s, s->business, RE1).version, before.version);
}

static void a_status_from_memory_is_that_of_the_catalog(void **state) {
  struct service *s = *state;
  service_start(s);
  service_call(s, s->business, CA1, "");
  service_recording(s, s->business, RE1, CA1, RECORDING_MISSING);
  service_ready(s, s->business, RE1, 2000);
  for (int i = 0; i < 3; i++) {
    struct answer first = *service_ask(s, "GET", STATUS, s->viewer, "", NULL);
    assert_string_equal(first.body, service_ask(s, "GET", STATUS, s->viewer, "", NULL)->body);
    assert_string_equal(answer_header(&first, "Content-Location"), "");
    struct answer *a = service_ask(s, "GET", "/api/recordings/" CA1 "/status", s->viewer, "", NULL);
    assert_string_equal(answer_header(a, "Content-Location"), STATUS);
    assert_string_equal(first.body, a->body);
    assert_int_equal(service_ask(s, "GET", STATUS, s->stranger, "", NULL)->status, 404);
  }
  service_lose_file(s, s->business, RE1);
  assert_int_equal(service_ask(s, "POST", "/api/recordings/" RE1 "/prepare", s->viewer, "", NULL)->status, 202);
  assert_null(strstr(service_ask(s, "GET", STATUS, s->viewer, "", NULL)->body, "\"ready\""));
}

static void a_recording_that_cannot_be_had_says_why(void **state) {
  struct service *s = *state;
  service_start(s);
  service_recording(s, s->business, RE1, "", RECORDING_EXPIRED);
  service_recording(s, s->business, RE2, "", RECORDING_MISSING);
  expect(service_ask(s, "GET", STREAM, s->viewer, "", NULL), 410, "gone");
  expect(service_ask(s, "GET", DOWNLOAD, s->viewer, "", NULL), 410, "gone");
  expect(service_ask(s, "POST", "/api/recordings/" RE1 "/prepare", s->viewer, "", NULL), 410, "gone");
  expect(service_ask(s, "POST", "/api/recordings/" RE1 "/retry", s->agent, "", NULL), 410, "gone");
  s->worker_alive = false;
  struct answer *a = service_ask(s, "GET", "/api/recordings/" RE2 "/stream", s->viewer, "", NULL);
  expect(a, 503, "no_worker");
  assert_true((int)strtol(answer_header(a, "Retry-After"), NULL, 10) > 0);
  assert_int_equal(service_row(s, s->business, RE2).status, RECORDING_QUEUED);
}

static void preparing_queues_behind_plays_and_looks_at_the_file(void **state) {
  struct service *s = *state;
  service_start(s);
  service_recording(s, s->business, RE1, "", RECORDING_MISSING);
  assert_int_equal(service_ask(s, "POST", "/api/recordings/" RE1 "/prepare", s->viewer, "", NULL)->status, 202);
  assert_int_equal(service_row(s, s->business, RE1).rank, RECORDING_RANK_NEW);
  service_ready(s, s->business, RE1, 2000);
  assert_int_equal(service_ask(s, "POST", "/api/recordings/" RE1 "/prepare", s->viewer, "", NULL)->status, 200);
  service_lose_file(s, s->business, RE1);
  assert_int_equal(service_ask(s, "GET", STATUS, s->viewer, "", NULL)->status, 200);
  assert_int_equal(service_row(s, s->business, RE1).status, RECORDING_READY); /* reading a status changes nothing */
  assert_int_equal(service_ask(s, "POST", "/api/recordings/" RE1 "/prepare", s->viewer, "", NULL)->status, 202);
  assert_int_not_equal(service_row(s, s->business, RE1).status, RECORDING_READY);
}

static void a_person_retries_three_times_in_ten_minutes(void **state) {
  struct service *s = *state;
  service_start(s);
  service_recording(s, s->business, RE1, "", RECORDING_MISSING);
  struct answer *a = service_ask(s, "POST", "/api/recordings/" RE1 "/retry", s->agent, "", NULL);
  assert_int_equal(a->status, 202);
  assert_non_null(strstr(a->body, "\"status\":\"queued\""));
  service_fail(s, s->business, RE1, "timeout", false);
  a = service_ask(s, "POST", "/api/recordings/" RE1 "/retry", s->agent, "", NULL);
  expect(a, 429, "too_many_requests");
  assert_in_range((int)strtol(answer_header(a, "Retry-After"), NULL, 10), 1, 600);
  service_ready(s, s->business, RE1, 2000);
  assert_int_equal(service_ask(s, "POST", "/api/recordings/" RE1 "/retry", s->agent, "", NULL)->status, 200);
}

static void a_failure_is_told_by_its_code(void **state) {
  struct service *s = *state;
  static const struct {
    const char *code;
    bool permanent;
    int status;
  } rows[] = {
      {"timeout", false, 503},      {"storage_full", false, 503}, {"not_found_at_provider", true, 404},
      {"absent_silent", true, 404}, {"not_audio", true, 502},     {"forbidden_url", true, 502},
  };
  service_start(s);
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    char sid[] = "RE000000000000000000000000000000a0", path[128];
    sid[sizeof(sid) - 2] = (char)('0' + i);
    service_recording(s, s->business, sid, "", RECORDING_MISSING);
    service_fail(s, s->business, sid, rows[i].code, rows[i].permanent);
    (void)snprintf(path, sizeof(path), "/api/recordings/%s/stream", sid);
    struct answer *a = service_ask(s, "GET", path, s->viewer, "Prefer: wait=10\r\n", NULL);
    expect(a, rows[i].status, rows[i].code);
    assert_int_equal(rows[i].status == 503, answer_header(a, "Retry-After")[0] != '\0');
  }
}

#ifdef CALLREEL_TEST_HOOKS
static void a_file_that_is_gone_is_noticed_within_a_second(void **state) {
  struct service *s = *state;
  service_start(s);
  service_recording(s, s->business, RE1, "", RECORDING_MISSING);
  service_ready(s, s->business, RE1, 2000);
  assert_int_equal(service_ask(s, "GET", STREAM, s->viewer, "", NULL)->status, 200);
  service_lose_file(s, s->business, RE1);
  clock_test_advance_ms(1000);
  /* the first request starts the check, and is answered from the open file */
  while (service_ask(s, "GET", STREAM, s->viewer, "", NULL)->status == 200) (void)sched_yield();
  assert_int_not_equal(service_row(s, s->business, RE1).status, RECORDING_READY);
}
#endif

/* ---- waiting ---- */

static void a_waiting_download_is_answered_when_it_is_ready(void **state) {
  struct service *s = *state;
  struct answer a;
  service_start(s);
  service_recording(s, s->business, RE1, "", RECORDING_MISSING);
  int fd = service_send(s, "GET", DOWNLOAD, s->viewer, "", NULL);
  service_until_wanted(s, s->business, RE1);
  service_ready(s, s->business, RE1, 2000);
  service_receive(fd, &a);
  assert_int_equal(a.status, 200);
  assert_int_equal(a.body_n, 2000);
}

static void a_download_waits_for_a_file_that_was_gone(void **state) {
  struct service *s = *state;
  struct answer a;
  service_start(s);
  service_recording(s, s->business, RE1, "", RECORDING_MISSING);
  service_ready(s, s->business, RE1, 2000);
  service_lose_file(s, s->business, RE1);
  int fd = service_send(s, "GET", DOWNLOAD, s->viewer, "", NULL);
  service_until_wanted(s, s->business, RE1);
  service_ready(s, s->business, RE1, 3000);
  service_receive(fd, &a);
  assert_int_equal(a.status, 200);
  assert_int_equal(a.body_n, 3000);
}

static void draining_answers_whoever_waits(void **state) {
  struct service *s = *state;
  struct answer a;
  service_start(s);
  service_recording(s, s->business, RE1, "", RECORDING_MISSING);
  int download = service_send(s, "GET", DOWNLOAD, s->viewer, "", NULL);
  int stream = service_send(s, "GET", STREAM, s->viewer, "Prefer: wait=54\r\n", NULL);
  service_until_wanted(s, s->business, RE1);
  api_drain(s->api);
  service_receive(download, &a);
  expect(&a, 503, "not_ready");
  assert_true((int)strtol(answer_header(&a, "Retry-After"), NULL, 10) > 0);
  service_receive(stream, &a);
  assert_int_equal(a.status, 202);
}

static void time_that_is_up_ends_a_wait(void **state) {
  struct service *s = *state;
  service_start(s);
  service_recording(s, s->business, RE1, "", RECORDING_MISSING);
  assert_int_equal(service_ask(s, "GET", STREAM, s->viewer, "Prefer: wait=0\r\n", NULL)->status, 202);
  struct answer a = ask_until_time_is_up(s, "/api/recordings/" RE2 "/download", RE2, "Prefer: respond-async\r\n");
  expect(&a, 503, "not_ready");
  a = ask_until_time_is_up(s, "/api/recordings/" RE9 "/download", RE9, "");
  expect(&a, 503, "not_ready");
}

static void a_listener_that_leaves_gives_its_place_back(void **state) {
  struct service *s = *state;
  s->conf.listeners_per_business = 1;
  service_start(s);
  service_recording(s, s->business, RE1, "", RECORDING_MISSING);
  int fd = service_send(s, "GET", DOWNLOAD, s->viewer, "", NULL);
  service_until_wanted(s, s->business, RE1);
  struct answer *a = service_ask(s, "GET", STREAM, s->viewer, "", NULL);
  expect(a, 429, "too_many_requests");
  assert_true((int)strtol(answer_header(a, "Retry-After"), NULL, 10) > 0);
  assert_int_equal(service_ask(s, "GET", STREAM, s->stranger, "", NULL)->status, 404); /* another business's count */
  const struct linger none = {.l_onoff = 1, .l_linger = 0};
  assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)), 0);
  (void)close(fd); /* with a reset */
  while ((a = service_ask(s, "GET", STREAM, s->viewer, "", NULL))->status == 429) continue;
  assert_int_equal(a->status, 202);
}

static void a_key_revoked_while_it_waits_gets_no_audio(void **state) {
  struct service *s = *state;
  struct answer a;
  service_start(s);
  service_recording(s, s->business, RE1, "", RECORDING_MISSING);
  int fd = service_send(s, "GET", DOWNLOAD, s->viewer, "", NULL);
  service_until_wanted(s, s->business, RE1);
  service_revoke(s);
  assert_int_equal(service_ask(s, "GET", STREAM, s->viewer, "", NULL)->status, 401); /* the loop knows */
  service_ready(s, s->business, RE1, 2000);
  service_receive(fd, &a);
  expect(&a, 401, "unauthorized");
}

static void whoever_waits_at_the_end_is_let_go(void **state) {
  struct service *s = *state;
  service_start(s);
  service_recording(s, s->business, RE1, "", RECORDING_MISSING);
  int fds[8];
  for (size_t i = 0; i < COUNT_OF(fds); i++) fds[i] = service_send(s, "GET", DOWNLOAD, s->viewer, "", NULL);
  service_until_wanted(s, s->business, RE1);
  service_stop(s);
  for (size_t i = 0; i < COUNT_OF(fds); i++) (void)close(fds[i]);
}

/* ---- many at once ---- */

enum { CLIENTS = 4, REQUESTS = 40 };

static void *play_often(void *arg) {
  struct service *s = arg;
  static const char *const paths[] = {STREAM, STATUS, DOWNLOAD, "/api/recordings/" CA1 "/stream", "/api/calls"};
  struct answer *a = malloc(sizeof(*a));
  intptr_t failed = !a;
  for (size_t i = 0; a && i < REQUESTS; i++) {
    service_receive(service_send(s, "GET", paths[i % COUNT_OF(paths)], s->viewer, "", NULL), a);
    failed += a->status != 200;
  }
  free(a);
  return (void *)failed;
}

static void loops_play_while_the_catalog_changes(void **state) {
  struct service *s = *state;
  pthread_t clients[CLIENTS];
  s->loops = 3;
  service_start(s);
  service_call(s, s->business, CA1, "");
  service_recording(s, s->business, RE1, CA1, RECORDING_MISSING);
  service_ready(s, s->business, RE1, 2000);
  for (size_t i = 0; i < CLIENTS; i++) assert_int_equal(pthread_create(&clients[i], NULL, play_often, s), 0);
  for (int i = 0; i < 20; i++) {
    service_load_access(s);
    service_tell_row(s, s->business, RE1);
    service_tell_row(s, s->business, CA1);
    if (i % 2) api_on_changes_lost(s->api);
    events_notify_all(s->events);
  }
  for (size_t i = 0; i < CLIENTS; i++) {
    void *failed;
    assert_int_equal(pthread_join(clients[i], &failed), 0);
    assert_null(failed);
  }
}

int main(void) {
  (void)alarm(120); /* a test that hangs fails */
  const struct CMUnitTest tests[] = {
      SERVICE_TEST(the_first_error_that_applies_is_told),
      SERVICE_TEST(a_platform_key_acts_for_the_business_it_names),
      SERVICE_TEST(anothers_object_is_one_that_does_not_exist),
      SERVICE_TEST(a_revoked_key_lets_nobody_in),
      SERVICE_TEST(health_needs_no_credentials),
      SERVICE_TEST(what_is_ready_is_played),
      SERVICE_TEST(a_play_of_what_is_not_here_wants_it_once),
      SERVICE_TEST(a_look_at_the_status_wants_nothing),
      SERVICE_TEST(a_status_from_memory_is_that_of_the_catalog),
      SERVICE_TEST(a_recording_that_cannot_be_had_says_why),
      SERVICE_TEST(preparing_queues_behind_plays_and_looks_at_the_file),
      SERVICE_TEST(a_person_retries_three_times_in_ten_minutes),
      SERVICE_TEST(a_failure_is_told_by_its_code),
#ifdef CALLREEL_TEST_HOOKS
      SERVICE_TEST(a_file_that_is_gone_is_noticed_within_a_second),
#endif
      SERVICE_TEST(a_waiting_download_is_answered_when_it_is_ready),
      SERVICE_TEST(a_download_waits_for_a_file_that_was_gone),
      SERVICE_TEST(draining_answers_whoever_waits),
      SERVICE_TEST(time_that_is_up_ends_a_wait),
      SERVICE_TEST(a_listener_that_leaves_gives_its_place_back),
      SERVICE_TEST(a_key_revoked_while_it_waits_gets_no_audio),
      SERVICE_TEST(whoever_waits_at_the_end_is_let_go),
      SERVICE_TEST(loops_play_while_the_catalog_changes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
