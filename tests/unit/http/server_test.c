/* Requests and connections, over real sockets. */
#include "stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void an_answer_has_a_date_its_length_and_its_body(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  struct reply r = client_get(c, "/hello");
  assert_string_equal(reply_field(&r, "Content-Length"), "5");
  assert_int_equal(strlen(reply_field(&r, "Date")), strlen("Sat, 21 Nov 2026 08:00:00 GMT"));
  assert_null(reply_field(&r, "Connection"));
  assert_null(reply_field(&r, "Server"));
  assert_reply(r, 200, "hello");
  struct ending e = stage_wait_ends(&s, 1);
  assert_true(e.complete && e.sent == 5);
  client_close(c);
  stage_close(&s);
}

static void pipelined_requests_are_answered_in_their_order(void **state) {
  enum { COUNT = 1000, MOST = 64 };
  struct stage s;
  char *text = malloc(COUNT * MOST), *to = text;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  for (int i = 0; i < COUNT; i++)
    to += snprintf(to, MOST, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n%04d", i);
  client_send_n(c, text, (size_t)(to - text));
  for (int i = 0; i < COUNT; i++) {
    char number[16];
    snprintf(number, sizeof(number), "%04d", i);
    assert_reply(client_read(c), 200, number);
  }
  free(text);
  client_close(c);
  stage_close(&s);
}

static void a_request_may_come_in_any_pieces(void **state) {
  static const char *const texts[] = {
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: "
      "v\r\n\r\n",
  };
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    for (size_t split = 0; split <= strlen(texts[i]); split++) {
      client_send_n(c, texts[i], split);
      client_send(c, texts[i] + split);
      assert_reply(client_read(c), 200, "hello");
    }
    for (size_t at = 0; at < strlen(texts[i]); at++) client_send_n(c, texts[i] + at, 1);
    assert_reply(client_read(c), 200, "hello");
  }
  client_close(c);
  stage_close(&s);
}

static void a_connection_is_kept_by_version_and_connection_header(void **state) {
  static const struct {
    const char *text, *connection; /* the words of the answer */
    bool kept;
  } cases[] = {
      {"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", NULL, true},
      {"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", NULL, true},
      {"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "close", false},
      {"GET /hello HTTP/1.0\r\n\r\n", "close", false},
      {"GET /hello HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "keep-alive", true},
  };
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    int c = client_open(&s);
    client_send(c, cases[i].text);
    struct reply r = client_read(c);
    const char *connection = reply_field(&r, "Connection");
    assert_int_equal(!connection, !cases[i].connection);
    if (connection) assert_string_equal(connection, cases[i].connection);
    assert_reply(r, 200, "hello");
    if (cases[i].kept)
      assert_reply(client_get(c, "/hello"), 200, "hello");
    else
      assert_int_equal(client_wait_end(c), ENDED_CLEAN);
    client_close(c);
  }
  stage_close(&s);
}

static void head_has_the_length_of_get_and_no_body(void **state) {
  static const struct {
    const char *path, *length;
  } cases[] = {{"/hello", "5"}, {"/file", "3000000"}, {"/feed/7", "7"}, {"/feed", NULL}};
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char text[100];
    snprintf(text, sizeof(text), "HEAD %s HTTP/1.1\r\nHost: a\r\n\r\n", cases[i].path);
    client_send(c, text);
    struct reply r = client_read_head(c);
    const char *length = reply_field(&r, "Content-Length");
    assert_int_equal(r.status, 200);
    assert_int_equal(!length, !cases[i].length);
    if (length) assert_string_equal(length, cases[i].length);
    reply_done(&r);
    assert_reply(client_get(c, "/hello"), 200, "hello");
  }
  assert_int_equal(stage_closes(&s), 2);
  client_close(c);
  stage_close(&s);
}

static void some_statuses_have_neither_body_nor_length(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  for (int i = 0; i < 2; i++) {
    struct reply r = client_get(c, i ? "/unchanged" : "/empty");
    assert_int_equal(r.status, i ? 304 : 204);
    assert_null(reply_field(&r, "Content-Length"));
    reply_done(&r);
  }
  assert_reply(client_get(c, "/hello"), 200, "hello");
  client_close(c);
  stage_close(&s);
}

/* n bytes as a body of one kind or the other. */
static void send_body(int c, size_t n, bool chunked) {
  char head[200], *body = malloc(n + 1);
  for (size_t i = 0; i < n; i++) body[i] = stage_byte((int64_t)i);
  body[n] = '\0';
  snprintf(head, sizeof(head),
           chunked ? "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                   : "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
           n);
  client_send(c, head);
  for (size_t at = 0, step; at < n; at += step) {
    step = n - at < 1234 ? n - at : 1234;
    if (chunked) {
      snprintf(head, sizeof(head), "%zx\r\n", step);
      client_send(c, head);
    }
    client_send_n(c, body + at, step);
    if (chunked) client_send(c, "\r\n");
  }
  if (chunked) client_send(c, "0\r\n\r\n");
  free(body);
}

static void bodies_arrive_whole_up_to_their_limit(void **state) {
  static const size_t sizes[] = {0, 1, 3900, 4096, 5000, 65536, 100 * 1000};
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  for (size_t i = 0; i < 2 * COUNT_OF(sizes); i++) {
    size_t n = sizes[i / 2];
    send_body(c, n, i % 2);
    struct reply r = client_read(c);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.body_n, n);
    for (size_t at = 0; at < n; at++) assert_int_equal(r.body[at], stage_byte((int64_t)at));
    reply_done(&r);
  }
  client_close(c);
  for (int chunked = 0; chunked < 2; chunked++) {
    c = client_open(&s);
    send_body(c, 100 * 1000 + 1, chunked);
    assert_reply(client_read(c), 413, "413 body too large");
    client_close(c);
  }
  stage_close(&s);
}

static void a_malformed_request_is_refused_and_the_connection_closed(void **state) {
  static const struct {
    const char *text, *body;
    int status;
  } cases[] = {
      {"GET / HTTP/1.1\n\n", "400 line without CR LF", 400},
      {"GET / HTTP/1.1\r\n\r\n", "400 no Host", 400},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 HTTP version not supported", 505},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "501 unknown Transfer-Encoding", 501},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "400 malformed chunk size", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n", "417 unknown expectation", 417},
      {"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 999999\r\n\r\n", "413 body too large",
       413},
  };
  const struct http_config config = {.loops = 1, .lines = "X-Always: yes\r\n"};
  struct stage s;
  (void)state;
  stage_open(&s, &config);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    int c = client_open(&s);
    client_send(c, cases[i].text);
    client_send(c, "what comes behind is not read as a request\r\n\r\n");
    struct reply r = client_read(c);
    assert_string_equal(reply_field(&r, "Connection"), "close");
    assert_string_equal(reply_field(&r, "Content-Type"), "text/plain");
    assert_string_equal(reply_field(&r, "X-Always"), "yes");
    assert_reply(r, cases[i].status, cases[i].body);
    assert_int_equal(client_wait_end(c), ENDED_CLEAN);
    client_close(c);
  }
  stage_close(&s);
}

static void a_head_may_be_large_and_not_larger(void **state) {
  static const struct {
    size_t n;
    bool in_target;
    int status;
  } cases[] = {{3 * 1024, false, 404},
               {30 * 1024, false, 404},
               {33 * 1024, false, 431},
               {30 * 1024, true, 404},
               {33 * 1024, true, 431}};
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    int c = client_open(&s);
    char *filling = malloc(cases[i].n);
    memset(filling, 'a', cases[i].n);
    client_send(c, cases[i].in_target ? "GET /" : "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    client_send_n(c, filling, cases[i].n);
    client_send(c, cases[i].in_target ? " HTTP/1.1\r\nHost: a\r\n\r\n" : "\r\n\r\n");
    struct reply r = client_read(c);
    assert_int_equal(r.status, cases[i].status);
    reply_done(&r);
    free(filling);
    client_close(c);
  }
  stage_close(&s);
}

static void continue_is_sent_before_a_body_that_is_accepted(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  client_send(c, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  struct reply r = client_read(c);
  assert_int_equal(r.status, 100);
  reply_done(&r);
  client_send(c, "hello");
  assert_reply(client_read(c), 200, "hello");
  client_send(c, "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  r = client_read(c);
  assert_string_equal(reply_field(&r, "Connection"), "close");
  assert_reply(r, 200, "early");
  client_close(c);
  stage_close(&s);
}

static void a_body_that_nobody_reads_is_dropped_or_ends_the_connection(void **state) {
  static const struct {
    const char *text, *rest;
    bool kept;
  } cases[] = {
      {"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "hello", true},
      {"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe", "llo", true},
      {"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "", true},
      {"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\nhello", "", false},
      {"POST /early HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "", false},
  };
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    int c = client_open(&s);
    client_send(c, cases[i].text);
    struct reply r = client_read(c);
    assert_int_equal(!reply_field(&r, "Connection"), cases[i].kept);
    assert_reply(r, 200, "early");
    client_send(c, cases[i].rest);
    if (cases[i].kept)
      assert_reply(client_get(c, "/hello"), 200, "hello");
    else
      assert_int_equal(client_wait_end(c), ENDED_CLEAN);
    client_close(c);
  }
  stage_close(&s);
}

static void respond_hello(struct http_exchange *x) {
  struct http_body body = {.kind = HTTP_BODY_BYTES, .bytes = STR("held")};
  http_respond(x, 200, NULL, &body);
  http_unref(x);
}

static void a_peer_that_shut_its_side_still_gets_its_answer(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  client_send(c, GET("/hello") GET("/hello"));
  shutdown(c, SHUT_WR);
  assert_reply(client_read(c), 200, "hello");
  assert_reply(client_read(c), 200, "hello");
  assert_int_equal(client_wait_end(c), ENDED_CLEAN);
  client_close(c);
  c = client_open(&s);
  client_send(c, GET("/held"));
  shutdown(c, SHUT_WR);
  stage_do(&s, stage_take_held(&s), respond_hello);
  assert_reply(client_read(c), 200, "held");
  assert_int_equal(client_wait_end(c), ENDED_CLEAN);
  client_close(c);
  stage_close(&s);
}

static void check_gone_and_respond(struct http_exchange *x) {
  assert_true(http_gone(x));
  assert_true(str_eq(http_header_get(http_request(x), STR("x-mark")), STR("still here")));
  assert_true(str_eq(http_request(x)->body, STR("body")));
  respond_hello(x);
}

static void a_reset_ends_a_held_exchange_but_not_its_memory(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  client_send(c, "POST /held HTTP/1.1\r\nHost: a\r\nX-Mark: still here\r\nContent-Length: 4\r\n\r\nbody");
  struct http_exchange *x = stage_take_held(&s);
  client_reset(c);
  struct ending e = stage_wait_ends(&s, 1);
  assert_true(!e.complete && e.sent == 0);
  c = client_open(&s); /* another uses what was freed */
  assert_reply(client_get(c, "/hello"), 200, "hello");
  stage_do(&s, x, check_gone_and_respond);
  client_close(c);
  stage_close(&s);
}

static void release(struct http_exchange *x) {
  assert_true(str_eq(http_request(x)->path, STR("/held")));
  http_unref(x);
}

static void respond_and_keep(struct http_exchange *x) {
  http_ref(x);
  respond_hello(x);
}

static void a_request_outlives_its_answer_while_it_is_referred_to(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  client_send(c, GET("/held") GET("/hello"));
  struct http_exchange *x = stage_take_held(&s);
  stage_do(&s, x, respond_and_keep);
  assert_reply(client_read(c), 200, "held");
  assert_reply(client_read(c), 200, "hello");
  stage_do(&s, x, release);
  client_close(c);
  stage_close(&s);
}

static void abort_gives_a_reset(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  client_send(c, GET("/abort"));
  assert_int_equal(client_wait_end(c), ENDED_RESET);
  assert_false(stage_wait_ends(&s, 1).complete);
  client_close(c);
  c = client_open(&s);
  client_send(c, GET("/held"));
  struct http_exchange *x = stage_take_held(&s);
  stage_do(&s, x, http_abort);
  assert_int_equal(client_wait_end(c), ENDED_RESET);
  stage_do(&s, x, release);
  client_close(c);
  stage_close(&s);
}

static void an_answer_may_come_from_a_timer(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  assert_reply(client_get(c, "/timer"), 200, "timer");
  assert_reply(client_get(c, "/hello"), 200, "hello");
  client_close(c);
  stage_close(&s);
}

static const char *fired;

static void fire(struct http_exchange *x, void *arg) {
  fired = arg;
  respond_hello(x);
}

static void set_timers(struct http_exchange *x) {
  http_timer(x, 0, fire, (void *)(uintptr_t) "replaced");
  http_timer(x, 1000 * 1000, fire, (void *)(uintptr_t) "too late");
  http_timer(x, -1, fire, NULL);
  http_timer(x, 1, fire, (void *)(uintptr_t) "last");
}

static void a_timer_is_replaced_by_the_next(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  client_send(c, GET("/held"));
  stage_do(&s, stage_take_held(&s), set_timers);
  assert_reply(client_read(c), 200, "held");
  assert_string_equal(fired, "last");
  client_close(c);
  stage_close(&s);
}

static void a_request_that_the_app_forgets_is_500(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  assert_reply(client_get(c, "/forgotten"), 500, "");
  client_close(c);
  stage_close(&s);
}

static void a_field_with_a_line_end_makes_the_answer_a_500(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  struct reply r = client_get(c, "/bad-field");
  assert_null(reply_field(&r, "Injected"));
  assert_reply(r, 500, "");
  client_close(c);
  stage_close(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_answer_has_a_date_its_length_and_its_body),
      cmocka_unit_test(pipelined_requests_are_answered_in_their_order),
      cmocka_unit_test(a_request_may_come_in_any_pieces),
      cmocka_unit_test(a_connection_is_kept_by_version_and_connection_header),
      cmocka_unit_test(head_has_the_length_of_get_and_no_body),
      cmocka_unit_test(some_statuses_have_neither_body_nor_length),
      cmocka_unit_test(bodies_arrive_whole_up_to_their_limit),
      cmocka_unit_test(a_malformed_request_is_refused_and_the_connection_closed),
      cmocka_unit_test(a_head_may_be_large_and_not_larger),
      cmocka_unit_test(continue_is_sent_before_a_body_that_is_accepted),
      cmocka_unit_test(a_body_that_nobody_reads_is_dropped_or_ends_the_connection),
      cmocka_unit_test(a_peer_that_shut_its_side_still_gets_its_answer),
      cmocka_unit_test(a_reset_ends_a_held_exchange_but_not_its_memory),
      cmocka_unit_test(a_request_outlives_its_answer_while_it_is_referred_to),
      cmocka_unit_test(abort_gives_a_reset),
      cmocka_unit_test(an_answer_may_come_from_a_timer),
      cmocka_unit_test(a_timer_is_replaced_by_the_next),
      cmocka_unit_test(a_request_that_the_app_forgets_is_500),
      cmocka_unit_test(a_field_with_a_line_end_makes_the_answer_a_500),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
