/* Loops, descriptors, the beginning and the end of the server. */
#include "limits_testing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

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

static void lines_of_every_answer_have_a_limit(void **state) {
  char lines[HTTP_LINES_MAX + 2] = "X-Always: ";
  const char *problem = NULL;
  struct http_server *s = NULL;
  const struct http_app app = {0};
  const struct http_config config = {.listen = "127.0.0.1:0", .loops = 1, .lines = lines, .ret_problem = &problem};
  (void)state;
  memset(lines + strlen(lines), 'y', HTTP_LINES_MAX - strlen(lines) - 2);
  memcpy(lines + HTTP_LINES_MAX - 2, "\r\n", 3);
  assert_int_equal(http_server_new(&config, &app, &s), OK);
  s = http_server_free(s);
  memcpy(lines + HTTP_LINES_MAX - 2, "y\r\n", 4);
  assert_int_equal(http_server_new(&config, &app, &s), ERR_TOO_BIG);
  assert_null(s);
  assert_string_equal(problem, "the header lines of every answer are too long");
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
  enum { IDLE = 3 }; /* so many that each loop has one: it drains when that is closed */
  int idle[IDLE];
  for (int i = 0; i < IDLE; i++) {
    idle[i] = client_open(&s);
    assert_reply(client_get(idle[i], "/hello"), 200, "hello");
  }
  int held = client_open(&s), partial = client_open(&s);
  assert_reply(client_get(partial, "/hello"), 200, "hello");
  client_send(partial, "GET /hello HTTP/1.1\r\n");
  client_send(held, GET("/held"));
  struct http_exchange *x = stage_take_held(&s);
  struct draining d = {&s, 3600 * 1000};
  int port = http_server_port(s.server);
  assert_int_equal(pthread_create(&thread, NULL, drain, &d), 0);
  for (int i = 0; i < IDLE; i++) assert_int_equal(client_wait_end(idle[i]), ENDED_CLEAN); /* at once */
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
  for (int i = 0; i < IDLE; i++) client_close(idle[i]);
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
      cmocka_unit_test(connections_are_shared_out_among_the_loops),
      cmocka_unit_test(the_server_continues_when_descriptors_run_out),
      cmocka_unit_test(a_second_server_on_the_port_is_refused),
      cmocka_unit_test(lines_of_every_answer_have_a_limit),
      cmocka_unit_test(a_bad_listening_address_is_named),
      cmocka_unit_test(draining_answers_open_requests_and_accepts_no_new_ones),
      cmocka_unit_test(draining_cuts_answers_that_do_not_end_in_time),
      cmocka_unit_test(posts_before_the_end_are_run),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
