/* Limits of time, and of what is kept for peers that do not read. */
#include "limits_testing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void a_head_that_takes_too_long_is_408(void **state) {
  const struct http_config config = {.loops = 1, .lines = "X-Always: yes\r\n"};
  struct stage s;
  (void)state;
  advance_ms(0);
  stage_open(&s, &config);
  int c = open_partial(&s, "GET /hello HTTP/1.1\r\n"), other = client_open(&s);
  assert_reply(client_get(other, "/hello"), 200, "hello"); /* by then the first bytes of c were read */
  advance_ms(9000);
  client_send(c, "X: dribble\r\n"); /* does not count from here */
  assert_reply(client_get(other, "/hello"), 200, "hello");
  advance_ms(1500);
  struct reply late = client_read(c);
  assert_string_equal(reply_field(&late, "X-Always"), "yes");
  assert_reply(late, 408, "408 request not received in time");
  assert_int_equal(client_wait_end(c), ENDED_CLEAN);
  client_close(c);
  client_close(other);
  stage_close(&s);
}

static void a_body_that_takes_too_long_is_408(void **state) {
  struct stage s;
  (void)state;
  advance_ms(0);
  stage_open(&s, NULL);
  int c = open_partial(&s, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
  stage_wait_begun(&s, 2);
  int other = client_open(&s);
  assert_reply(client_get(other, "/hello"), 200, "hello");
  advance_ms(30500);
  assert_reply(client_read(c), 408, "408 request not received in time");
  assert_int_equal(client_wait_end(c), ENDED_CLEAN);
  client_close(c);
  client_close(other);
  stage_close(&s);
}

static void an_idle_connection_is_closed_without_an_answer(void **state) {
  struct stage s;
  (void)state;
  advance_ms(0);
  stage_open(&s, NULL);
  int c = open_partial(&s, "");
  advance_ms(76 * 1000);
  char byte;
  assert_int_equal(recv(c, &byte, 1, 0), 0);
  client_close(c);
  stage_close(&s);
}

/* Steps of five seconds, more than two minutes: the peer's kernel acknowledges the first bytes of an answer at once, so the
 * server may find the peer slow only in the second minute. */
enum { PACE_STEPS = 27 };

/* Waits until an exchange was cut, and returns how it ended. */
static struct ending wait_cut(struct stage *s) {
  for (size_t n = 1; n <= PACE_STEPS + 1; n++) {
    struct ending e = stage_wait_ends(s, n);
    if (!e.complete) return e;
  }
  fail_msg("no exchange was cut");
  return (struct ending){0};
}

/* A peer receives `bytes` of an answer every five seconds, and is cut or not. */
static void see_a_peer_of_pace(size_t bytes, bool is_cut) {
  struct stage s;
  stage_open(&s, NULL);
  int slow = client_open(&s), other = client_open(&s);
  client_send(slow, GET("/big/50000000"));
  struct reply r = client_read_head(slow);
  reply_done(&r);
  char *room = malloc(bytes + 1);
  for (int i = 0; i < PACE_STEPS; i++) {
    assert_reply(client_get(other, "/hello"), 200, "hello");
    for (size_t had = 0; had < bytes;) {
      ssize_t n = recv(slow, room, bytes - had, 0);
      assert_true(n > 0 || is_cut);
      if (n <= 0) break;
      had += (size_t)n;
    }
    advance_ms(5000);
  }
  free(room);
  if (is_cut) {
    struct ending e = wait_cut(&s);
    assert_true(e.sent > 0 && e.sent < 50000000);
    assert_int_equal(client_wait_end(slow), ENDED_RESET);
  } else {
    assert_reply(client_get(other, "/hello"), 200, "hello"); /* the loop has seen the time */
    assert_reply(client_get(other, "/hello"), 200, "hello");
    assert_int_equal(http_server_connections(s.server), 2);
  }
  client_close(slow);
  client_close(other);
  stage_close(&s);
}

static void a_peer_that_takes_less_than_500_bytes_a_second_over_a_minute_is_cut(void **state) {
  (void)state;
  advance_ms(0);
  see_a_peer_of_pace(0, true);
  see_a_peer_of_pace(1, true);
  see_a_peer_of_pace(200 * 1000, false);
}

static void a_peer_without_anything_to_receive_is_not_cut(void **state) {
  struct stage s;
  (void)state;
  advance_ms(0);
  stage_open(&s, NULL);
  int waiting = client_open(&s), fed = client_open(&s), other = client_open(&s);
  client_send(waiting, GET("/held"));
  struct http_exchange *x = stage_take_held(&s);
  client_send(fed, GET("/feed"));
  stage_wait_waits(&s, 1);
  for (size_t i = 0; i < 20; i++) { /* a byte in half a minute, and it takes each at once */
    advance_ms(30 * 1000);
    assert_reply(client_get(other, "/hello"), 200, "hello");
    stage_feed_bytes(&s, "a");
    stage_wait_waits(&s, i + 2);
  }
  stage_feed(&s, (struct http_piece){.kind = HTTP_PIECE_END});
  assert_reply(client_read(fed), 200, "aaaaaaaaaaaaaaaaaaaa");
  stage_do(&s, x, http_abort);
  stage_do(&s, x, http_unref);
  client_close(waiting);
  client_close(fed);
  client_close(other);
  stage_close(&s);
}

static void a_peer_that_stops_receiving_a_growing_body_is_cut(void **state) {
  enum { PIECE = 30 * 1000 * 1000 };
  struct stage s;
  (void)state;
  advance_ms(0);
  stage_open(&s, NULL);
  int fed = client_open(&s), other = client_open(&s);
  client_send(fed, GET("/feed"));
  char *bytes = calloc(1, PIECE + 1);
  assert_non_null(bytes);
  memset(bytes, 'a', PIECE);
  stage_feed(&s, (struct http_piece){.kind = HTTP_PIECE_BYTES, .bytes = str_of(bytes, PIECE)});
  struct reply r = client_read_head(fed);
  reply_done(&r);
  for (int i = 0; i < PACE_STEPS; i++) {
    assert_reply(client_get(other, "/hello"), 200, "hello");
    advance_ms(5000);
  }
  (void)wait_cut(&s);
  assert_int_equal(client_wait_end(fed), ENDED_RESET);
  free(bytes);
  client_close(fed);
  client_close(other);
  stage_close(&s);
}

/* Without a limit the kernel would hold megabytes, which are not counted. */
static void the_kernel_holds_little_of_a_large_answer_that_is_not_read(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s), other = client_open(&s);
  client_send(c, GET("/big/400000"));
  struct reply r = client_read_head(c);
  reply_done(&r);
  for (int i = 0; i < 3; i++) assert_reply(client_get(other, "/hello"), 200, "hello");
  client_close(c);
  struct ending e = stage_wait_ends(&s, 4);
  assert_false(e.complete);
  assert_true(e.sent < 300 * 1000);
  client_close(other);
  stage_close(&s);
}

static void a_file_after_a_large_answer_is_sent_without_that_limit(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  for (int i = 0; i < 3; i++) {
    struct reply big = client_get(c, "/big/400000"), file = client_get(c, "/file");
    assert_true(big.whole && big.body_n == 400000);
    assert_true(file.whole && file.body_n == (size_t)s.file_size);
    reply_done(&big);
    reply_done(&file);
  }
  client_close(c);
  stage_close(&s);
}

static void a_body_that_the_app_does_not_need_is_read_and_dropped(void **state) {
  struct stage s;
  static char body[90 * 1000];
  (void)state;
  memset(body, 'x', sizeof(body));
  stage_open(&s, NULL);
  int c = client_open(&s);
  client_send(c, "POST /dropped HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n");
  client_send_n(c, body, sizeof(body));
  client_send(c, GET("/hello"));
  assert_reply(client_read(c), 200, "");
  assert_reply(client_read(c), 200, "hello");
  client_send(c, "POST /dropped HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" GET("/hello"));
  assert_reply(client_read(c), 200, "");
  assert_reply(client_read(c), 200, "hello");
  client_send(c, "POST /dropped HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n15f90\r\n");
  client_send_n(c, body, sizeof(body));
  client_send(c, "\r\n0\r\n\r\n" GET("/hello"));
  assert_reply(client_read(c), 200, "");
  assert_reply(client_read(c), 200, "hello");
  client_send(c, "POST /dropped HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n");
  assert_reply(client_read(c), 413, "413 body too large");
  client_close(c);
  stage_close(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_head_that_takes_too_long_is_408),
      cmocka_unit_test(a_body_that_takes_too_long_is_408),
      cmocka_unit_test(an_idle_connection_is_closed_without_an_answer),
      cmocka_unit_test(a_peer_that_takes_less_than_500_bytes_a_second_over_a_minute_is_cut),
      cmocka_unit_test(a_peer_without_anything_to_receive_is_not_cut),
      cmocka_unit_test(a_peer_that_stops_receiving_a_growing_body_is_cut),
      cmocka_unit_test(the_kernel_holds_little_of_a_large_answer_that_is_not_read),
      cmocka_unit_test(a_file_after_a_large_answer_is_sent_without_that_limit),
      cmocka_unit_test(a_body_that_the_app_does_not_need_is_read_and_dropped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
