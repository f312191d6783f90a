/* Webhooks to the whole service. */
#include "service_testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"

static struct answer *hook(struct service *s, const char *path, const char *signed_url, const char *body,
                           const char *signed_parameters, const char *headers) {
  char signature[64], all[512];
  service_sign(signed_url, signed_parameters, signature);
  (void)snprintf(all, sizeof(all), FORM "X-Twilio-Signature: %s\r\n%s", signature, headers);
  return service_ask(s, "POST", path, NULL, all, body);
}

#define CALL_BODY "AccountSid=" SERVICE_ACCOUNT "&CallSid=" CA1 "&CallStatus=ringing"
#define CALL_SIGNED "AccountSid" SERVICE_ACCOUNT "CallSid" CA1 "CallStatusringing"

static void a_webhook_is_answered_once_it_is_kept(void **state) {
  struct service *s = *state;
  s->conf.public_base_url = (char *)(uintptr_t) "https://host.test/sub/";
  service_start(s);
  static const struct {
    const char *path, *url;
    int status;
  } rows[] = {
      {"/webhooks/twilio/1/call", "https://host.test/sub/webhooks/twilio/1/call", 204},
      {"/sub/webhooks/twilio/1/call", "https://host.test/sub/webhooks/twilio/1/call", 204},
      {"/webhooks/twilio/1/call", "https://host.test/webhooks/twilio/1/call", 204},
      {"/webhooks/twilio/1/call?reply=twiml", "https://host.test/sub/webhooks/twilio/1/call?reply=twiml", 200},
      {"/webhooks/twilio/1/call?a=%20b", "https://host.test/sub/webhooks/twilio/1/call?a=%20b", 204},
      {"/webhooks/twilio/1/call?a", "https://host.test/sub/webhooks/twilio/1/call", 403},
      {"/webhooks/twilio/1/call", "http://host.test/sub/webhooks/twilio/1/call", 403},
      {"/webhooks/twilio/1/call", "http://example.test/webhooks/twilio/1/call", 403},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct answer *a = hook(s, rows[i].path, rows[i].url, CALL_BODY, CALL_SIGNED, "");
    assert_int_equal(a->status, rows[i].status);
    if (a->status == 200) assert_non_null(strstr(a->body, "<Response/>"));
    if (a->status == 204) assert_int_equal(a->body_n, 0);
  }
  assert_int_equal(service_ask(s, "GET", "/api/calls/" CA1, s->viewer, "", NULL)->status, 200);
}

static void without_a_public_url_the_requests_own_is_signed(void **state) {
  struct service *s = *state;
  s->conf.trusted_proxies = (char *)(uintptr_t) "127.0.0.0/8";
  service_start(s);
  const char *https = "X-Forwarded-Proto: https\r\n";
  assert_int_equal(
      hook(s, "/webhooks/twilio/1/call", "http://example.test/webhooks/twilio/1/call", CALL_BODY, CALL_SIGNED, "")
          ->status,
      204);
  assert_int_equal(
      hook(s, "/webhooks/twilio/1/call", "https://example.test/webhooks/twilio/1/call", CALL_BODY, CALL_SIGNED, https)
          ->status,
      204);
  assert_int_equal(
      hook(s, "/webhooks/twilio/1/call", "http://example.test/webhooks/twilio/1/call", CALL_BODY, CALL_SIGNED, https)
          ->status,
      403);
}

static void a_webhooks_first_error_is_told(void **state) {
  struct service *s = *state;
  service_start(s);
  char huge[70001];
  memset(huge, 'x', sizeof(huge) - 1);
  huge[sizeof(huge) - 1] = '\0';
  static const char *signed_ = FORM "X-Twilio-Signature: AAAA\r\n";
  const struct {
    const char *path, *headers, *body;
    int status;
    const char *code;
  } rows[] = {
      {"/webhooks/twilio/9/call", "", huge, 413, NULL},
      {"/webhooks/twilio/9/call", "Content-Type: application/json\r\n", "{}", 415, "unsupported_media_type"},
      {"/webhooks/twilio/9/call", "", "a=b", 415, "unsupported_media_type"},
      {"/webhooks/twilio/9/call", FORM, "a=b", 401, "unauthorized"},
      {"/webhooks/twilio/9/call", signed_, "a=%zz", 404, "not_found"},
      {"/webhooks/twilio/01/call", signed_, "a=b", 404, "not_found"},
      {"/webhooks/twilio/x/call", signed_, "a=b", 404, "not_found"},
      {"/webhooks/twilio/1/call", signed_, "a=%zz", 403, "forbidden"},
      {"/webhooks/twilio/1/call", signed_, "a=b", 403, "forbidden"},
      {"/webhooks/twilio/2/call", signed_, "a=b", 403, "forbidden"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    expect(service_ask(s, "POST", rows[i].path, NULL, rows[i].headers, rows[i].body), rows[i].status, rows[i].code);
  const char *url = "http://example.test/webhooks/twilio/1/call";
  expect(hook(s, "/webhooks/twilio/1/call", url, "AccountSid=AC9&CallSid=x", "AccountSidAC9CallSidx", ""), 403,
         "forbidden");
  struct answer *a = hook(s, "/webhooks/twilio/1/call", url, "AccountSid=" SERVICE_ACCOUNT "&CallSid=x",
                          "AccountSid" SERVICE_ACCOUNT "CallSidx", "");
  expect(a, 400, "bad_request");
  assert_non_null(strstr(a->body, "CallSid"));
}

#ifdef CALLREEL_TEST_HOOKS
static void a_webhook_that_is_not_kept_in_time_is_refused(void **state) {
  struct service *s = *state;
  struct db *db;
  struct answer a;
  char signature[64], headers[512];
  service_start(s);
  assert_int_equal(db_open(&(struct db_open){.url = s->url}, NULL, &db), OK);
  assert_int_equal(db_begin_immediate(db), OK);
  service_sign("http://example.test/webhooks/twilio/1/call", CALL_SIGNED, signature);
  (void)snprintf(headers, sizeof(headers), FORM "X-Twilio-Signature: %s\r\n", signature);
  int fd = service_send(s, "POST", "/webhooks/twilio/1/call", NULL, headers, CALL_BODY);
  (void)service_ask(s, "GET", "/healthz", NULL, "", NULL); /* the loop has taken the webhook before */
  clock_test_advance_ms(6000);
  service_receive(fd, &a);
  assert_int_equal(a.status, 503);
  assert_true((int)strtol(answer_header(&a, "Retry-After"), NULL, 10) > 0);
  db_rollback(db);
  db_close(db);
}
#endif

int main(void) {
  (void)alarm(120); /* a test that hangs fails */
  const struct CMUnitTest tests[] = {
      SERVICE_TEST(a_webhook_is_answered_once_it_is_kept),
      SERVICE_TEST(without_a_public_url_the_requests_own_is_signed),
      SERVICE_TEST(a_webhooks_first_error_is_told),
#ifdef CALLREEL_TEST_HOOKS
      SERVICE_TEST(a_webhook_that_is_not_kept_in_time_is_refused),
#endif
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
