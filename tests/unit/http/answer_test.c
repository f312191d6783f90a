/* Bodies: files, sources, and what happens when they can't be sent whole. */
#include "stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static const struct http_piece end_piece = {.kind = HTTP_PIECE_END}, broken_piece = {.kind = HTTP_PIECE_BROKEN};

static void assert_bytes(struct reply *r, int64_t from, int64_t n) {
  assert_true(r->whole);
  assert_int_equal(r->body_n, n);
  for (int64_t i = 0; i < n; i++)
    if (r->body[i] != stage_byte(from + i)) fail_msg("byte %lld of %lld differs", (long long)i, (long long)n);
  reply_done(r);
}

static void get_ranges(struct stage *s, int c) {
  static const struct {
    int64_t first, last;
  } ranges[] = {{0, 0},     {0, 1},       {10, 4105},       {10, 4106},         {100, 65635}, {1, 98305},
                {1, 98304}, {0, 524287},  {12345, 1500000}, {2999999, 2999999}, {5, 63},      {60, 64},
                {63, 63},   {0, 2999999}, {4096, 8191},     {2000000, 2999999}};
  for (size_t i = 0; i < COUNT_OF(ranges); i++) {
    char text[200];
    snprintf(text, sizeof(text), "GET /file HTTP/1.1\r\nHost: a\r\nRange: bytes=%lld-%lld\r\n\r\n",
             (long long)ranges[i].first, (long long)ranges[i].last);
    client_send(c, text);
    struct reply r = client_read(c);
    assert_int_equal(r.status, 206);
    int64_t n = ranges[i].last - ranges[i].first + 1;
    assert_bytes(&r, ranges[i].first, n);
    struct ending e = stage_wait_ends(s, s->begun);
    assert_true(e.complete && e.sent == n);
  }
}

static void a_file_is_sent_in_any_range(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  get_ranges(&s, c);
  struct reply r = client_get(c, "/file");
  assert_bytes(&r, 0, s.file_size);
  client_close(c);
  stage_close(&s);
}

static void a_file_that_is_not_in_memory_is_read_before_it_is_sent(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  assert_int_equal(fsync(s.file), 0); /* only clean pages can be dropped */
  s.drop_pages = true;
  int c = client_open(&s);
  get_ranges(&s, c);
  client_close(c);
  stage_close(&s);
}

static void listeners_far_apart_in_a_cold_file_all_get_their_bytes(void **state) {
  enum { LISTENERS = 6 };
  struct stage s;
  int c[LISTENERS];
  (void)state;
  stage_open(&s, NULL);
  assert_int_equal(fsync(s.file), 0);
  s.drop_pages = true;
  for (int i = 0; i < LISTENERS; i++) c[i] = client_open(&s);
  for (int i = 0; i < LISTENERS; i++) {
    char text[200];
    snprintf(text, sizeof(text), "GET /file HTTP/1.1\r\nHost: a\r\nRange: bytes=%d-%d\r\n\r\n", i * 450000,
             i * 450000 + 699999);
    client_send(c[i], text);
  }
  for (int i = 0; i < LISTENERS; i++) {
    struct reply r = client_read(c[i]);
    assert_int_equal(r.status, 206);
    assert_bytes(&r, i * 450000, 700000);
    client_close(c[i]);
  }
  stage_close(&s);
}

static void stand_still(void *arg) {
  (void)pthread_barrier_wait(arg); /* it stands */
  (void)pthread_barrier_wait(arg); /* it continues */
}

static void a_small_answer_is_sent_before_large_ones(void **state) {
  enum { LARGE = 8 };
  struct stage s;
  int c[LARGE + 1];
  pthread_barrier_t gate;
  (void)state;
  stage_open(&s, NULL);
  pthread_barrier_init(&gate, NULL, 2);
  for (int i = 0; i <= LARGE; i++) {
    c[i] = client_open(&s);
    assert_reply(client_get(c[i], "/hello"), 200, "hello");
  }
  size_t before = s.begun;
  assert_int_equal(http_loop_post(s.server, 0, stand_still, &gate), OK);
  (void)pthread_barrier_wait(&gate);
  for (int i = 0; i < LARGE; i++) client_send(c[i], "GET /file HTTP/1.1\r\nHost: a\r\nRange: bytes=0-299999\r\n\r\n");
  client_send(c[LARGE], "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  (void)pthread_barrier_wait(&gate);
  assert_int_equal(stage_wait_ends(&s, before + 1).sent, 5);
  for (int i = 0; i <= LARGE; i++) {
    struct reply r = client_read(c[i]);
    if (i < LARGE)
      assert_bytes(&r, 0, 300000);
    else
      assert_reply(r, 200, "hello");
    client_close(c[i]);
  }
  pthread_barrier_destroy(&gate);
  stage_close(&s);
}

static void a_file_shorter_than_announced_cuts_the_connection(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  struct reply r = client_get(c, "/short-file");
  assert_int_equal(r.status, 200);
  assert_false(r.whole);
  reply_done(&r);
  assert_false(stage_wait_ends(&s, 1).complete);
  client_close(c);
  stage_close(&s);
}

static void a_large_answer_waits_for_a_slow_reader(void **state) {
  enum { SIZE = 20 * 1000 * 1000 };
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int slow = client_open(&s), fast = client_open(&s);
  client_send(slow, GET("/big/20000000"));
  struct reply r = client_read_head(slow);
  reply_done(&r);
  assert_reply(client_get(fast, "/hello"), 200, "hello"); /* it is not held up */
  char *body = malloc(SIZE);
  for (ssize_t got = 0, n; got < SIZE; got += n) {
    n = recv(slow, body + got, (size_t)(SIZE - got), 0);
    assert_true(n > 0);
  }
  for (int64_t i = 0; i < SIZE; i += 997) assert_int_equal(body[i], stage_byte(i));
  free(body);
  struct ending e = stage_wait_ends(&s, 2);
  assert_true(e.complete && e.sent == SIZE);
  client_close(slow);
  client_close(fast);
  stage_close(&s);
}

static void a_source_is_sent_as_it_gives_pieces(void **state) {
  static const struct {
    const char *request;
    bool chunked, kept;
  } cases[] = {
      {GET("/feed"), true, true},
      {GET("/feed/17"), false, true},
      {"GET /feed HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false, false},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct stage s;
    stage_open(&s, NULL);
    int c = client_open(&s);
    client_send(c, cases[i].request);
    stage_wait_waits(&s, 1);
    stage_feed_bytes(&s, "one ");
    stage_wait_waits(&s, 2);
    stage_feed_bytes(&s, "two ");
    stage_feed(&s, (struct http_piece){.kind = HTTP_PIECE_FILE, .fd = s.file, .offset = 2, .length = 5});
    stage_feed_bytes(&s, "last");
    stage_feed(&s, end_piece);
    struct reply r = client_read(c);
    assert_int_equal(!!reply_field(&r, "Transfer-Encoding"), cases[i].chunked);
    assert_int_equal(!reply_field(&r, "Connection"), cases[i].kept);
    char wanted[40] = "one two .....last";
    for (int k = 0; k < 5; k++) wanted[8 + k] = stage_byte(2 + k);
    assert_reply(r, 200, wanted);
    struct ending e = stage_wait_ends(&s, 1);
    assert_true(e.complete && e.sent == 17);
    assert_int_equal(stage_closes(&s), 1);
    if (cases[i].kept)
      assert_reply(client_get(c, "/hello"), 200, "hello");
    else
      assert_int_equal(client_wait_end(c), ENDED_CLEAN);
    client_close(c);
    stage_close(&s);
  }
}

static void the_head_is_sent_before_the_source_has_bytes(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  client_send(c, GET("/feed"));
  struct reply r = client_read_head(c);
  assert_int_equal(r.status, 200);
  reply_done(&r);
  stage_feed(&s, end_piece);
  stage_wait_ends(&s, 1);
  client_close(c);
  stage_close(&s);
}

static void a_broken_source_never_ends_a_body_cleanly(void **state) {
  static const struct {
    const char *request;
    const char *bytes;
    bool end; /* it says END, else BROKEN */
  } cases[] = {
      {GET("/feed"), "some", false},
      {GET("/feed/10"), "some", false},
      {GET("/feed/10"), "some", true},
      {GET("/feed/3"), "some", true},
      {"GET /feed HTTP/1.0\r\n\r\n", "some", false},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct stage s;
    stage_open(&s, NULL);
    int c = client_open(&s);
    client_send(c, cases[i].request);
    stage_wait_waits(&s, 1);
    stage_feed_bytes(&s, cases[i].bytes);
    stage_feed(&s, cases[i].end ? end_piece : broken_piece);
    struct reply r = client_read(c);
    assert_false(r.whole);
    reply_done(&r);
    assert_false(stage_wait_ends(&s, 1).complete);
    assert_int_equal(stage_closes(&s), 1);
    client_close(c);
    stage_close(&s);
  }
}

static void a_reset_is_seen_while_a_source_waits(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  client_send(c, GET("/feed"));
  stage_wait_waits(&s, 1);
  client_reset(c);
  assert_false(stage_wait_ends(&s, 1).complete);
  assert_int_equal(stage_closes(&s), 1);
  stage_close(&s);
}

static void a_peer_that_shut_its_side_gets_the_rest_of_the_source(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  client_send(c, GET("/feed"));
  stage_wait_waits(&s, 1);
  shutdown(c, SHUT_WR);
  stage_feed_bytes(&s, "late");
  stage_feed(&s, end_piece);
  assert_reply(client_read(c), 200, "late");
  assert_int_equal(client_wait_end(c), ENDED_CLEAN);
  client_close(c);
  stage_close(&s);
}

static void respond_twice(struct http_exchange *x) {
  struct http_body body = {.kind = HTTP_BODY_BYTES, .bytes = STR("first")};
  http_respond(x, 200, NULL, &body);
  body.bytes = STR("second");
  http_respond(x, 200, NULL, &body);
  http_unref(x);
}

static void only_the_first_answer_counts(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  client_send(c, GET("/held"));
  stage_do(&s, stage_take_held(&s), respond_twice);
  assert_reply(client_read(c), 200, "first");
  assert_reply(client_get(c, "/hello"), 200, "hello");
  client_close(c);
  stage_close(&s);
}

static void close_after_answering(struct http_exchange *x) {
  http_close_after(x);
  struct http_body body = {.kind = HTTP_BODY_BYTES, .bytes = STR("bye")};
  http_respond(x, 200, NULL, &body);
  http_unref(x);
}

static void the_app_can_close_the_connection_after_an_answer(void **state) {
  struct stage s;
  (void)state;
  stage_open(&s, NULL);
  int c = client_open(&s);
  client_send(c, GET("/held") GET("/hello"));
  stage_do(&s, stage_take_held(&s), close_after_answering);
  struct reply r = client_read(c);
  assert_string_equal(reply_field(&r, "Connection"), "close");
  assert_reply(r, 200, "bye");
  assert_int_equal(client_wait_end(c), ENDED_CLEAN);
  client_close(c);
  stage_close(&s);
}

static void sources_of_many_listeners_end_once_each(void **state) {
  enum { COUNT = 50 };
  struct stage s;
  (void)state;
  stage_open(&s, &(struct http_config){.loops = 2, .connections = 1000});
  for (int i = 0; i < COUNT; i++) { /* resets and wakes meet in every order */
    int c = client_open(&s);
    client_send(c, GET("/feed"));
    stage_wait_waits(&s, (size_t)i + 1);
    if (i % 2) stage_feed(&s, broken_piece);
    client_reset(c);
    stage_wait_ends(&s, (size_t)i + 1);
    pthread_mutex_lock(&s.lock);
    s.piece_first = s.piece_end = 0; /* bytes that nobody requested any more */
    pthread_mutex_unlock(&s.lock);
  }
  assert_int_equal(stage_closes(&s), COUNT);
  stage_close(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_file_is_sent_in_any_range),
      cmocka_unit_test(a_file_that_is_not_in_memory_is_read_before_it_is_sent),
      cmocka_unit_test(listeners_far_apart_in_a_cold_file_all_get_their_bytes),
      cmocka_unit_test(a_small_answer_is_sent_before_large_ones),
      cmocka_unit_test(a_file_shorter_than_announced_cuts_the_connection),
      cmocka_unit_test(a_large_answer_waits_for_a_slow_reader),
      cmocka_unit_test(a_source_is_sent_as_it_gives_pieces),
      cmocka_unit_test(the_head_is_sent_before_the_source_has_bytes),
      cmocka_unit_test(a_broken_source_never_ends_a_body_cleanly),
      cmocka_unit_test(a_reset_is_seen_while_a_source_waits),
      cmocka_unit_test(a_peer_that_shut_its_side_gets_the_rest_of_the_source),
      cmocka_unit_test(only_the_first_answer_counts),
      cmocka_unit_test(the_app_can_close_the_connection_after_an_answer),
      cmocka_unit_test(sources_of_many_listeners_end_once_each),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
