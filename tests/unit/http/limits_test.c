/* Limits: time, connections, descriptors, and the end of the server. */
#include "stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* Moves the clock. Only builds with test hooks can: else the test is skipped. */
static void advance_ms(int64_t ms) {
#ifdef CALLREEL_TEST_HOOKS
  clock_test_advance_ms(ms);
#else
  (void)ms;
  print_message("# skipped: the build has no test hooks\n");
  skip();
#endif
}

/* Opens a connection that was answered once and has then sent text, an incomplete request. */
static int open_partial(struct stage *s, const char *text) {
  int c = client_open(s);
  assert_reply(client_get(c, "/hello"), 200, "hello"); /* so that the server's loop knows it */
  client_send(c, text);
  return c;
}

static void a_head_that_takes_too_long_is_408(void **state) {
  struct stage s;
  (void)state;
  advance_ms(0);
  stage_open(&s, NULL);
  int c = open_partial(&s, "GET /hello HTTP/1.1\r\n"), other = client_open(&s);
  assert_reply(client_get(other, "/hello"), 200, "hello"); /* by then the first bytes of c were read */
  advance_ms(9000);
  client_send(c, "X: dribble\r\n"); /* does not count from here */
  assert_reply(client_get(other, "/hello"), 200, "hello");
  advance_ms(1500);
  assert_reply(client_read(c), 408, "408 request not received in time");
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

static void at_the_limit_the_longest_idle_connection_is_closed(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, &(struct http_config){.loops = 1, .connections = 3});
  int c[3];
  for (int i = 0; i < 3; i++) {
    c[i] = client_open(&s);
    assert_reply(client_get(c[i], "/hello"), 200, "hello");
  }
  int more = client_open(&s);
  assert_reply(client_get(more, "/hello"), 200, "hello");
  assert_int_equal(http_server_connections(s.server), 3);
  char byte;
  assert_int_equal(recv(c[0], &byte, 1, 0), 0); /* closed in good order */
  for (int i = 1; i < 3; i++) assert_reply(client_get(c[i], "/hello"), 200, "hello");
  for (int i = 0; i < 3; i++) client_close(c[i]);
  client_close(more);
  stage_close(&s);
}

static void nothing(struct http_exchange *x) {
  (void)x;
}

/* Returns when the loop of x has read all bytes sent so far: a turn handles connections before posts, and the first of two posts
 * may run in a turn that began earlier. */
static void settle(struct stage *s, struct http_exchange *x) {
  stage_do(s, x, nothing);
  stage_do(s, x, nothing);
}

/* Opens four connections, which is the limit: one that the app holds, and three with incomplete requests. The first of these
 * waits first_older_ms longer than the other two, and these wait rest_older_ms when a fifth connection arrives. The one with
 * the index `expected` must be closed for it. */
static void see_who_gives_way(const char *const texts[3], int64_t first_older_ms, int64_t rest_older_ms, int expected) {
  struct stage s;
  int c[3];
  if (first_older_ms + rest_older_ms > 0) advance_ms(0); /* or the test is skipped */
  stage_open(&s, &(struct http_config){.loops = 1, .connections = 4});
  int held = client_open(&s);
  client_send(held, GET("/held"));
  struct http_exchange *x = stage_take_held(&s);
  for (int i = 0; i < 3; i++) {
    c[i] = open_partial(&s, texts[i]);
    settle(&s, x);
    if (i == 0 && first_older_ms > 0) advance_ms(first_older_ms);
  }
  if (rest_older_ms > 0) advance_ms(rest_older_ms);
  int more = client_open(&s);
  assert_reply(client_get(more, "/over"), 200, "within");
  assert_int_equal(http_server_connections(s.server), 4);
  for (int i = 0; i < 3; i++) {
    char byte;
    ssize_t n = recv(c[i], &byte, 1, i == expected ? 0 : MSG_DONTWAIT);
    if (i == expected)
      assert_true(n >= 0); /* an answer that it was busy, or the end */
    else
      assert_true(n < 0 && errno == EAGAIN);
    client_close(c[i]);
  }
  client_close(more);
  stage_do(&s, x, http_abort);
  stage_do(&s, x, http_unref);
  client_close(held);
  stage_close(&s);
}

#define PARTIAL_HEAD "GET /hel"
#define PARTIAL_BODY "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe"

static void at_the_limit_the_longest_waiting_without_a_head_is_closed(void **state) {
  (void)state;
  see_who_gives_way((const char *const[]){PARTIAL_BODY, PARTIAL_HEAD, PARTIAL_HEAD}, 0, 5000, 1);
  see_who_gives_way((const char *const[]){PARTIAL_HEAD, "", PARTIAL_HEAD}, 5000, 0, 0);
}

static void if_all_heads_are_received_the_longest_waiting_body_is_closed(void **state) {
  (void)state;
  see_who_gives_way((const char *const[]){PARTIAL_BODY, PARTIAL_BODY, PARTIAL_BODY}, 0, 0, 0);
}

/* A fresh connection, whose request is still on its way, is closed after slow ones, even if these have sent their heads. */
static void if_none_has_waited_a_second_the_longest_waiting_is_closed(void **state) {
  (void)state;
  see_who_gives_way((const char *const[]){PARTIAL_BODY, "", PARTIAL_HEAD}, 500, 0, 0);
  see_who_gives_way((const char *const[]){PARTIAL_HEAD, PARTIAL_BODY, ""}, 500, 0, 0);
}

static void a_fresh_connection_is_not_closed_for_the_next_one(void **state) {
  (void)state;
  see_who_gives_way((const char *const[]){PARTIAL_BODY, PARTIAL_HEAD, PARTIAL_HEAD}, 5000, 0, 0);
}

static struct {
  struct stage *stage;
  int sender, newcomer;
} race;

/* Runs on the loop, which therefore finds the newcomer and the rest of the older request in the same turn. */
static void connect_and_then_send_the_rest(struct http_exchange *x) {
  int unacknowledged = 1;
  (void)x;
  race.newcomer = client_open(race.stage);
  client_send(race.sender, "llo");
  while (unacknowledged > 0) assert_int_equal(ioctl(race.sender, SIOCOUTQ, &unacknowledged), 0);
}

static void a_connection_with_unread_bytes_is_not_closed_for_the_next_one(void **state) {
  struct stage s;
  int c[3];
  (void)state;
  advance_ms(0);
  stage_open(&s, &(struct http_config){.loops = 1, .connections = 4});
  int held = client_open(&s);
  client_send(held, GET("/held"));
  struct http_exchange *x = stage_take_held(&s);
  for (int i = 0; i < 3; i++) {
    c[i] = open_partial(&s, PARTIAL_BODY);
    settle(&s, x);
    advance_ms(2000);
  }
  race.stage = &s;
  race.sender = c[0];
  stage_do(&s, x, connect_and_then_send_the_rest);
  assert_reply(client_read(c[0]), 200, "hello");
  assert_reply(client_read(c[1]), 503, "503 too many connections");
  assert_reply(client_get(race.newcomer, "/over"), 200, "within");
  for (int i = 0; i < 3; i++) client_close(c[i]);
  client_close(race.newcomer);
  stage_do(&s, x, http_abort);
  stage_do(&s, x, http_unref);
  client_close(held);
  stage_close(&s);
}

/* Opens connections that send much of a request and no more, and one that sends a large request to its end. */
static void see_memory_given_up(const char *head, size_t bytes) {
  enum { COUNT = 60 };
  struct stage s;
  int c[COUNT], open = 0;
  char *much = malloc(bytes + 1);
  memset(much, 'x', bytes);
  stage_open(&s, &(struct http_config){.loops = 1, .connections = 1000, .held_max = 1024 * 1024});
  int whole = client_open(&s);
  for (int i = 0; i < COUNT; i++) {
    c[i] = client_open(&s);
    client_send(c[i], head);
    client_send_n(c[i], much, bytes);
    assert_reply(client_get(whole, "/hello"), 200, "hello");
  }
  free(much);
  char *body = calloc(1, 90 * 1000 + 1);
  memset(body, 'y', 90 * 1000);
  client_send(whole, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n");
  client_send_n(whole, body, 90 * 1000);
  assert_reply(client_read(whole), 200, body);
  free(body);
  for (int i = 0; i < COUNT; i++) {
    char byte;
    if (recv(c[i], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN) open++;
    client_close(c[i]);
  }
  assert_true(open > 5 && open <= (int)(1024 * 1024 / bytes));
  client_close(whole);
  stage_close(&s);
}

static void the_memory_of_incomplete_requests_is_limited(void **state) {
  (void)state;
  see_memory_given_up("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n", 80 * 1000);
  see_memory_given_up("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n15f90\r\n", 80 * 1000);
  see_memory_given_up("GET /hello HTTP/1.1\r\nHost: a\r\nX-A: ", 25 * 1000);
}

/* Opens three connections that do not read their answers: none of these may be closed for another. */
static void open_busy(struct stage *s, int c[3]) {
  for (int i = 0; i < 3; i++) {
    c[i] = client_open(s);
    client_send(c[i], GET("/big/50000000"));
    struct reply r = client_read_head(c[i]);
    reply_done(&r);
  }
}

static void beyond_the_limit_an_extra_connection_gets_one_answer(void **state) {
  struct stage s;
  int c[3];
  (void)state;
  stage_open(&s, &(struct http_config){.loops = 1, .connections = 3});
  open_busy(&s, c);
  for (int i = 0; i < 100; i++) {
    int more = client_open(&s);
    client_send(more, GET("/over"));
    struct reply r = client_read(more);
    assert_string_equal(reply_field(&r, "Connection"), "close");
    assert_reply(r, 200, "over");
    assert_int_equal(client_wait_end(more), ENDED_CLEAN);
    client_close(more);
  }
  assert_int_equal(http_server_connections(s.server), 3);
  for (int i = 0; i < 3; i++) client_close(c[i]);
  stage_close(&s);
}

static void beyond_the_limit_slow_extra_connections_are_closed(void **state) {
  enum { SLOW = 500 };
  struct stage s;
  int c[3], slow[SLOW];
  (void)state;
  stage_open(&s, &(struct http_config){.loops = 1, .connections = 3});
  open_busy(&s, c);
  for (int i = 0; i < SLOW; i++) {
    slow[i] = client_open(&s);
    client_send(slow[i], i % 2 ? PARTIAL_HEAD : PARTIAL_BODY);
  }
  for (int i = 0; i < 20; i++) {
    int more = client_open(&s);
    assert_reply(client_get(more, "/over"), 200, "over");
    client_close(more);
  }
  for (int i = 0; i < SLOW; i++) client_close(slow[i]);
  for (int i = 0; i < 3; i++) client_close(c[i]);
  stage_close(&s);
}

static void an_extra_connection_becomes_ordinary_once_there_is_room(void **state) {
  struct stage s;
  int c[3];
  (void)state;
  stage_open(&s, &(struct http_config){.loops = 1, .connections = 3});
  open_busy(&s, c);
  int more = client_open(&s);
  client_send(more, "GET /ov");
  client_close(c[0]);
  stage_wait_ends(&s, 1);
  client_send(more, "er HTTP/1.1\r\nHost: a\r\n\r\n");
  assert_reply(client_read(more), 200, "within");
  assert_reply(client_get(more, "/hello"), 200, "hello"); /* it is kept */
  client_close(more);
  for (int i = 1; i < 3; i++) client_close(c[i]);
  stage_close(&s);
}

static void a_connection_of_another_loop_gives_way_too(void **state) {
  enum { SLOW = 8 };
  struct stage s;
  int slow[SLOW];
  (void)state;
  stage_open(&s, &(struct http_config){.loops = 2, .connections = SLOW});
  for (int i = 0; i < SLOW; i++) slow[i] = open_partial(&s, PARTIAL_HEAD);
  for (int i = 0; i < 3 * SLOW; i++) { /* kept open, so that each takes the place of one that is slow */
    int more = client_open(&s);
    assert_reply(client_get(more, "/over"), 200, "within");
    if (i >= SLOW)
      client_close(more);
    else {
      client_close(slow[i]);
      slow[i] = more;
    }
  }
  for (int i = 0; i < SLOW; i++) client_close(slow[i]);
  stage_close(&s);
}

static void note_crowded(struct http_exchange *x) {
  struct http_body body = {.kind = HTTP_BODY_BYTES, .bytes = http_crowded(x) ? STR("crowded") : STR("room")};
  http_respond(x, 200, NULL, &body);
  http_unref(x);
}

static void above_nine_tenths_of_the_limit_the_server_is_crowded(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, &(struct http_config){.loops = 1, .connections = 10});
  int c[10];
  for (int i = 0; i < 10; i++) {
    c[i] = client_open(&s);
    client_send(c[i], GET("/held"));
    stage_do(&s, stage_take_held(&s), note_crowded);
    assert_reply(client_read(c[i]), 200, i < 9 ? "room" : "crowded");
  }
  for (int i = 0; i < 10; i++) client_close(c[i]);
  stage_close(&s);
}

static void a_thousand_slow_connections_do_not_hold_up_a_fast_one(void **state) {
  enum { COUNT = 1000 };
  struct stage s;
  int slow[COUNT];
  (void)state;
  stage_open(&s, NULL);
  for (int i = 0; i < COUNT; i++) {
    slow[i] = client_open(&s);
    client_send(slow[i], i % 2 ? "GET /hel" : GET("/big/300000"));
  }
  int fast = client_open(&s);
  for (int i = 0; i < 200; i++) {
    assert_reply(client_get(fast, "/hello"), 200, "hello");
    client_send(slow[2 * i + 1], "l");
  }
  for (int i = 1; i < COUNT; i += 2) {
    client_send(slow[i], i / 2 < 200 ? "o HTTP/1.1\r\nHost: a\r\n\r\n" : "lo HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_reply(client_read(slow[i]), 200, "hello");
  }
  for (int i = 0; i < COUNT; i++) client_close(slow[i]);
  client_close(fast);
  stage_close(&s);
}

static void connections_are_shared_out_among_the_loops(void **state) {
  enum { COUNT = 60 };
  struct stage s;
  int c[COUNT];
  (void)state;
  stage_open(&s, &(struct http_config){.loops = 3, .connections = 1000});
  for (int i = 0; i < COUNT; i++) {
    c[i] = client_open(&s);
    assert_reply(client_get(c[i], "/hello"), 200, "hello");
    struct reply r = client_get(c[i], "/file");
    assert_true(r.whole);
    reply_done(&r);
  }
  for (int i = 0; i < 3; i++) assert_non_null(s.files[i]); /* each loop served some */
  for (int i = 0; i < COUNT; i++) client_close(c[i]);
  stage_close(&s);
}

static void the_server_continues_when_descriptors_run_out(void **state) {
  struct stage s;
  struct rlimit before, few;
  int eaten[4096], count = 0, c, waiting;
  (void)state;
  stage_open(&s, NULL);
  c = client_open(&s);
  assert_reply(client_get(c, "/hello"), 200, "hello");
  waiting = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  few = (struct rlimit){.rlim_cur = 200, .rlim_max = before.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
  while ((eaten[count] = open("/dev/null", O_RDONLY)) >= 0) count++;
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_port = htons((uint16_t)http_server_port(s.server)),
                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  assert_int_equal(connect(waiting, (struct sockaddr *)&a, sizeof(a)), 0);
  assert_reply(client_read(waiting), 503, "503 too many connections");
  assert_reply(client_get(c, "/hello"), 200, "hello");
  while (count > 0) close(eaten[--count]);
  int another = client_open(&s);
  assert_reply(client_get(another, "/hello"), 200, "hello");
  setrlimit(RLIMIT_NOFILE, &before);
  client_close(another);
  client_close(waiting);
  client_close(c);
  stage_close(&s);
}

static void a_second_server_on_the_port_is_refused(void **state) {
  struct stage s;
  char at[40];
  const char *problem = NULL;
  struct http_server *second = NULL;
  const struct http_app app = {0};
  (void)state;
  stage_open(&s, NULL);
  snprintf(at, sizeof(at), "127.0.0.1:%d", http_server_port(s.server));
  const struct http_config config = {.listen = at, .loops = 1, .ret_problem = &problem};
  assert_int_not_equal(http_server_new(&config, &app, &second), OK);
  assert_null(second);
  assert_string_equal(problem, "the listening address is in use");
  stage_close(&s);
}

static void a_bad_listening_address_is_named(void **state) {
  static const char *const bad[] = {
      "", ":80", "127.0.0.1", "127.0.0.1:", "::1:80", "127.0.0.1:x", "no.such.host.invalid:1"};
  const struct http_app app = {0};
  (void)state;
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    const char *problem = NULL;
    struct http_server *s = NULL;
    const struct http_config config = {.listen = bad[i], .loops = 1, .ret_problem = &problem};
    assert_int_not_equal(http_server_new(&config, &app, &s), OK);
    assert_non_null(problem);
    assert_null(s);
  }
}

struct draining {
  struct stage *stage;
  int64_t timeout_ms;
};

static void *drain(void *arg) {
  struct draining *d = arg;
  http_server_drain(d->stage->server, d->timeout_ms);
  return NULL;
}

static void respond_held(struct http_exchange *x) {
  struct http_body body = {.kind = HTTP_BODY_BYTES, .bytes = STR("held")};
  http_respond(x, 200, NULL, &body);
  http_unref(x);
}

static void draining_answers_open_requests_and_accepts_no_new_ones(void **state) {
  struct stage s;
  pthread_t thread;
  (void)state;
  stage_open(&s, &(struct http_config){.loops = 2, .connections = 100});
  int idle = client_open(&s), held = client_open(&s), partial = client_open(&s);
  assert_reply(client_get(idle, "/hello"), 200, "hello");
  assert_reply(client_get(partial, "/hello"), 200, "hello");
  client_send(partial, "GET /hello HTTP/1.1\r\n");
  client_send(held, GET("/held"));
  struct http_exchange *x = stage_take_held(&s);
  struct draining d = {&s, 3600 * 1000};
  int port = http_server_port(s.server);
  assert_int_equal(pthread_create(&thread, NULL, drain, &d), 0);
  assert_int_equal(client_wait_end(idle), ENDED_CLEAN); /* at once */
  stage_do(&s, x, respond_held);
  struct reply r = client_read(held);
  assert_string_equal(reply_field(&r, "Connection"), "close");
  assert_reply(r, 200, "held");
  assert_int_equal(client_wait_end(held), ENDED_CLEAN);
  client_close(held);
  client_send(partial, "Host: a\r\n\r\n");
  r = client_read(partial);
  assert_string_equal(reply_field(&r, "Connection"), "close");
  assert_reply(r, 200, "hello");
  client_close(partial);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(http_server_connections(s.server), 0);
  struct sockaddr_in a = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int late = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(connect(late, (struct sockaddr *)&a, sizeof(a)), -1);
  assert_int_equal(errno, ECONNREFUSED);
  close(late);
  client_close(idle);
  stage_close(&s);
}

static void draining_cuts_answers_that_do_not_end_in_time(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int held = client_open(&s), fed = client_open(&s);
  client_send(held, GET("/held"));
  client_send(fed, GET("/feed"));
  struct http_exchange *x = stage_take_held(&s);
  stage_wait_waits(&s, 1);
  http_server_drain(s.server, 0);
  assert_false(stage_wait_ends(&s, 2).complete);
  assert_int_equal(http_server_connections(s.server), 0);
  assert_int_equal(client_wait_end(held), ENDED_RESET);
  assert_int_equal(client_wait_end(fed), ENDED_RESET);
  stage_do(&s, x, http_unref);
  client_close(held);
  client_close(fed);
  stage_close(&s);
}

static void note_post(void *arg) {
  struct stage *s = arg;
  pthread_mutex_lock(&s->lock);
  s->actions++;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

static void posts_before_the_end_are_run(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, &(struct http_config){.loops = 2, .connections = 10});
  assert_int_equal(http_server_loops(s.server), 2);
  for (int i = 0; i < 1000; i++) assert_int_equal(http_loop_post(s.server, (unsigned)i % 2, note_post, &s), OK);
  assert_int_equal(http_loop_post(s.server, 2, note_post, &s), ERR_INVALID);
  s.server = http_server_free(s.server);
  assert_int_equal(s.actions, 1000);
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
      cmocka_unit_test(at_the_limit_the_longest_idle_connection_is_closed),
      cmocka_unit_test(at_the_limit_the_longest_waiting_without_a_head_is_closed),
      cmocka_unit_test(if_all_heads_are_received_the_longest_waiting_body_is_closed),
      cmocka_unit_test(if_none_has_waited_a_second_the_longest_waiting_is_closed),
      cmocka_unit_test(a_fresh_connection_is_not_closed_for_the_next_one),
      cmocka_unit_test(a_connection_with_unread_bytes_is_not_closed_for_the_next_one),
      cmocka_unit_test(the_memory_of_incomplete_requests_is_limited),
      cmocka_unit_test(beyond_the_limit_an_extra_connection_gets_one_answer),
      cmocka_unit_test(beyond_the_limit_slow_extra_connections_are_closed),
      cmocka_unit_test(an_extra_connection_becomes_ordinary_once_there_is_room),
      cmocka_unit_test(a_connection_of_another_loop_gives_way_too),
      cmocka_unit_test(above_nine_tenths_of_the_limit_the_server_is_crowded),
      cmocka_unit_test(a_thousand_slow_connections_do_not_hold_up_a_fast_one),
      cmocka_unit_test(connections_are_shared_out_among_the_loops),
      cmocka_unit_test(the_server_continues_when_descriptors_run_out),
      cmocka_unit_test(a_second_server_on_the_port_is_refused),
      cmocka_unit_test(a_bad_listening_address_is_named),
      cmocka_unit_test(draining_answers_open_requests_and_accepts_no_new_ones),
      cmocka_unit_test(draining_cuts_answers_that_do_not_end_in_time),
      cmocka_unit_test(posts_before_the_end_are_run),
  };
  cmocka_set_message_output(CM_OUTPUT_TAP);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
