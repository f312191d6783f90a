/* Limits of connections and of the memory of incomplete requests. */
#include "../sizes.h"
#include "limits_testing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

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
  enum { SLOW = TEST_SIZE(500, 100) };
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
  enum { COUNT = TEST_SIZE(1000, 200), QUICK = COUNT / 5 };
  struct stage s;
  int slow[COUNT];
  (void)state;
  stage_open(&s, &(struct http_config){.loops = 1, .connections = 2000, .head_ms = 3600 * 1000});
  for (int i = 0; i < COUNT; i++) {
    slow[i] = client_open(&s);
    client_send(slow[i], i % 2 ? "GET /hel" : GET("/big/300000"));
  }
  int fast = client_open(&s);
  for (int i = 0; i < QUICK; i++) {
    assert_reply(client_get(fast, "/hello"), 200, "hello");
    client_send(slow[2 * i + 1], "l");
  }
  for (int i = 1; i < COUNT; i += 2) {
    client_send(slow[i], i / 2 < QUICK ? "o HTTP/1.1\r\nHost: a\r\n\r\n" : "lo HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_reply(client_read(slow[i]), 200, "hello");
  }
  for (int i = 0; i < COUNT; i++) client_close(slow[i]);
  client_close(fast);
  stage_close(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
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
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
