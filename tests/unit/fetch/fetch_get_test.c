/* One request after the other on a thread of its own: bodies that are sent, answers, cancelling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fetch/fetch_get.h"
#include "origin.h"

struct got {
  size_t bytes;
  uint64_t sum;
  char body[256];
};

static bool keep_and_answer(void *arg, int fd, const struct origin_request *request) {
  struct got *got = arg;
  got->bytes = request->body_bytes;
  got->sum = request->body_sum;
  memcpy(got->body, request->body, sizeof(got->body));
  origin_say(fd, "HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 5\r\n\r\nhello");
  return true;
}

static void a_large_body_with_any_bytes_arrives_whole(void **state) {
  (void)state;
  enum { BYTES = 1500000 };
  struct got got = {0};
  struct origin *o = origin_new(keep_and_answer, &got);
  char url[ORIGIN_URL_SIZE], *body = malloc(BYTES);
  uint64_t sum = 0;
  assert_non_null(body);
  for (size_t i = 0; i < BYTES; i++) {
    body[i] = (char)(i * 7 % 256);
    sum += (unsigned char)body[i] * (uint64_t)(i + 1);
  }
  origin_url(o, "http", "/v1", url);
  struct fetch_getter *g;
  struct buf answer CLEANUP(buf_done) = BUF_INIT(1024);
  struct fetch_get get = {.body = &answer};
  const char *headers[] = {"Content-Type: multipart/form-data; boundary=x", "Authorization: Bearer y", NULL};
  struct fetch_request request = {
      .method = "POST", .url = url, .headers = headers, .body = str_of(body, BYTES), .trust_origin = true};
  assert_int_equal(fetch_getter_new(&g), OK);
  for (int i = 0; i < 2; i++) { /* the connection is kept */
    buf_clear(&answer);
    assert_int_equal(fetch_getter_send(g, &request, &get), OK);
    assert_int_equal(get.status, 429);
    assert_int_equal(get.end, FETCH_DONE);
    assert_true(get.is_whole && !get.no_connection && get.retry_after_ms == 7000);
    assert_true(str_eq(buf_str(&answer), STR("hello")));
    assert_int_equal(got.bytes, BYTES);
    assert_true(got.sum == sum);
  }
  assert_int_equal(origin_connections(o), 1);
  assert_true(origin_saw(o, 0, "Authorization: Bearer y"));
  assert_true(origin_saw(o, 0, "Content-Length: 1500000"));
  assert_false(origin_saw(o, 0, "Expect:"));
  fetch_getter_free(g);
  origin_free(o);
  free(body);
}

static bool hold(void *arg, int fd, const struct origin_request *request) {
  (void)arg, (void)request;
  origin_wait_for_close(fd);
  return false;
}

struct canceller {
  struct origin *origin;
  struct fetch_getter *getter;
};

static void *cancel_the_first(void *arg) {
  const struct canceller *c = arg;
  origin_wait_requests(c->origin, 1);
  fetch_getter_cancel(c->getter);
  return NULL;
}

static void a_request_is_cancelled_and_the_next_one_runs(void **state) {
  (void)state;
  struct got got = {0};
  struct origin *held = origin_new(hold, NULL), *o = origin_new(keep_and_answer, &got);
  char url[ORIGIN_URL_SIZE];
  struct fetch_getter *g;
  pthread_t thread;
  struct buf answer CLEANUP(buf_done) = BUF_INIT(1024);
  struct fetch_get get = {.body = &answer};
  struct fetch_request request = {.url = url, .trust_origin = true};
  origin_url(held, "http", "/a", url);
  assert_int_equal(fetch_getter_new(&g), OK);
  struct canceller canceller = {held, g};
  assert_int_equal(pthread_create(&thread, NULL, cancel_the_first, &canceller), 0);
  assert_int_equal(fetch_getter_send(g, &request, &get), ERR_TIMEOUT);
  pthread_join(thread, NULL);
  assert_int_equal(get.end, FETCH_STOPPED);
  origin_url(o, "http", "/b", url);
  fetch_getter_resume(g);
  assert_int_equal(fetch_getter_send(g, &request, &get), OK);
  assert_int_equal(get.status, 429);
  fetch_getter_stop(g);
  assert_int_equal(fetch_getter_send(g, &request, &get), ERR_CLOSED);
  fetch_getter_free(g);
  origin_free(held);
  origin_free(o);
}

/* A thread that cancels can't know whether a request runs at that moment. */
static void a_cancellation_between_two_requests_ends_the_next_one(void **state) {
  (void)state;
  struct got got = {0};
  struct origin *o = origin_new(keep_and_answer, &got);
  char url[ORIGIN_URL_SIZE];
  struct fetch_getter *g;
  struct buf answer CLEANUP(buf_done) = BUF_INIT(1024);
  struct fetch_get get = {.body = &answer};
  struct fetch_request request = {.url = url, .trust_origin = true};
  origin_url(o, "http", "/a", url);
  assert_int_equal(fetch_getter_new(&g), OK);
  assert_int_equal(fetch_getter_send(g, &request, &get), OK);
  fetch_getter_cancel(g);
  for (int i = 0; i < 2; i++) assert_int_equal(fetch_getter_send(g, &request, &get), ERR_TIMEOUT);
  assert_int_equal(origin_requests(o), 1);
  fetch_getter_resume(g);
  assert_int_equal(fetch_getter_send(g, &request, &get), OK);
  assert_int_equal(origin_requests(o), 2);
  fetch_getter_free(g);
  origin_free(o);
}

static void nobody_there_is_told_from_a_bad_answer(void **state) {
  (void)state;
  struct origin *o = origin_new(hold, NULL);
  char url[ORIGIN_URL_SIZE];
  struct fetch_getter *g;
  struct buf answer CLEANUP(buf_done) = BUF_INIT(1024);
  struct fetch_get get = {.body = &answer};
  origin_url(o, "http", "/a", url);
  origin_free(o);
  struct fetch_request request = {.url = url, .trust_origin = true};
  assert_int_equal(fetch_getter_new(&g), OK);
  assert_int_equal(fetch_getter_send(g, &request, &get), OK);
  assert_true(get.end == FETCH_REFUSED && get.no_connection && get.status == 0);
  request.url = "gopher://a/";
  assert_int_equal(fetch_getter_send(g, &request, &get), OK);
  assert_true(get.end == FETCH_REFUSED && !get.no_connection && get.detail[0]);
  fetch_getter_free(g);
}

static void retry_after_is_seconds_or_a_date(void **state) {
  (void)state;
  char date[DATE_TEXT_SIZE];
  date_format_http(clock_now_ms() + 60000, date);
  assert_int_equal(fetch_retry_after_ms(STR("120")), 120000);
  assert_in_range(fetch_retry_after_ms(str_from(date)), 50000, 60000);
  date_format_http(clock_now_ms() + INT64_C(86400000) * 3, date);
  assert_int_equal(fetch_retry_after_ms(str_from(date)), 86400000);
  assert_int_equal(fetch_retry_after_ms(STR("Sat, 21 Nov 2020 08:00:00 GMT")), 0);
  assert_int_equal(fetch_retry_after_ms(STR(" 7\t")), 7000);
  assert_int_equal(fetch_retry_after_ms(STR("86401")), 86400000);
  assert_int_equal(fetch_retry_after_ms(STR("99999999999999999999999999")), 86400000);
  assert_int_equal(fetch_retry_after_ms(STR("Fri, 31 Dec 9999 23:59:59 GMT")), 86400000);
  assert_int_equal(fetch_retry_after_ms(STR("-1")), 0);
  assert_int_equal(fetch_retry_after_ms(STR("7 s")), 0);
  assert_int_equal(fetch_retry_after_ms(STR("soon")), 0);
  assert_int_equal(fetch_retry_after_ms(STR("")), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_large_body_with_any_bytes_arrives_whole),
      cmocka_unit_test(a_request_is_cancelled_and_the_next_one_runs),
      cmocka_unit_test(a_cancellation_between_two_requests_ends_the_next_one),
      cmocka_unit_test(nobody_there_is_told_from_a_bad_answer),
      cmocka_unit_test(retry_after_is_seconds_or_a_date),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
