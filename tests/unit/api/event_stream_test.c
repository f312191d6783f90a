/* event_stream_test.c - event streams end with a complete body in every state: live, catching up, and while their session
 * is looked up. */
#include "service.h"

#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ledger/sessions.h"

static int setup(void **state) {
  if (service_setup(state) != 0) return -1;
  ((struct service *)*state)->conf.events_per_business = 10;
  return 0;
}

static void sign_in(struct service *s, char ret_line[128]) {
  struct answer *a = service_ask(s, "POST", "/api/session", s->viewer, "", "");
  assert_int_equal(a->status, 204);
  const char *set = answer_header(a, "Set-Cookie");
  (void)snprintf(ret_line, 128, "Cookie: %.*s\r\n", (int)strcspn(set, ";"), set);
}

/* Opens a stream with a session cookie. last_id: for Last-Event-ID; NULL: none. */
static int listen_to(struct service *s, const char *cookie, const char *last_id) {
  char lines[256], first;
  (void)snprintf(lines, sizeof(lines), "%s%s%s%s", cookie, last_id ? "Last-Event-ID: " : "", last_id ? last_id : "",
                 last_id ? "\r\n" : "");
  int fd = service_send(s, "GET", "/api/events", NULL, lines, NULL);
  assert_int_equal(recv(fd, &first, 1, MSG_PEEK), 1);
  return fd;
}

/* Static, because the reader may use it for a moment after the test has ended. */
static struct gate { sem_t reached, open; } gate;

static void hold_reader(struct db *db, void *arg) {
  struct gate *g = arg;
  (void)db;
  (void)sem_post(&g->reached);
  while (sem_wait(&g->open) != 0) continue;
  (void)sem_post(&g->reached);
}

/* Blocks the readers that the business may use (all but one) until the gate is opened. */
static void hold_readers(struct service *s, struct gate *g) {
  (void)sem_init(&g->reached, 0, 0);
  (void)sem_init(&g->open, 0, 0);
  assert_int_equal(db_readers_run(s->readers, s->business, hold_reader, g), OK);
  while (sem_wait(&g->reached) != 0) continue;
}

static void open_gate(struct gate *g) {
  (void)sem_post(&g->open);
  while (sem_wait(&g->reached) != 0) continue;
}

/* Returns when the loop has run everything that was posted before. */
static void let_the_loop_turn(struct service *s) {
  for (int i = 0; i < 3; i++) assert_int_equal(service_ask(s, "GET", "/healthz", NULL, "", NULL)->status, 200);
}

static void expect_end(int fd) {
  struct answer a;
  service_receive(fd, &a);
  assert_int_equal(a.status, 200);
  assert_true(a.body_n >= 5 && memcmp(a.body + a.body_n - 5, "0\r\n\r\n", 5) == 0); /* complete, not cut */
}

static void a_drain_ends_a_live_stream(void **state) {
  struct service *s = *state;
  char cookie[128];
  service_start(s);
  sign_in(s, cookie);
  int fd = listen_to(s, cookie, NULL);
  api_drain(s->api);
  expect_end(fd);
}

static void a_drain_ends_a_stream_that_catches_up(void **state) {
  struct service *s = *state;
  char cookie[128];
  service_start(s);
  sign_in(s, cookie);
  close(listen_to(s, cookie, NULL)); /* now the session is cached */
  hold_readers(s, &gate);
  int fd = listen_to(s, cookie, "1");
  api_session_changed(s->api, s->business, STR_NONE);
  let_the_loop_turn(s);
  api_drain(s->api);
  expect_end(fd);
  open_gate(&gate);
}

static void a_drain_ends_a_stream_whose_session_is_looked_up(void **state) {
  struct service *s = *state;
  char cookie[128];
  service_start(s);
  sign_in(s, cookie);
  int fd = listen_to(s, cookie, NULL);
  hold_readers(s, &gate);
  for (int i = 0; i < 5; i++) api_session_changed(s->api, s->business, STR_NONE);
  let_the_loop_turn(s);
  api_drain(s->api);
  expect_end(fd);
  open_gate(&gate);
}

static void a_session_that_ended_while_it_caught_up_ends_the_stream(void **state) {
  struct service *s = *state;
  char cookie[128];
  service_start(s);
  sign_in(s, cookie);
  close(listen_to(s, cookie, NULL));
  hold_readers(s, &gate);
  int fd = listen_to(s, cookie, "1");
  service_revoke(s);
  let_the_loop_turn(s);
  open_gate(&gate);
  expect_end(fd);
}

/* A client that gets a reset while it catches up continues with the events after the reset. */
static void a_reset_makes_a_catch_up_void(void **state) {
  struct service *s = *state;
  char cookie[128];
  struct answer a;
  service_start(s);
  sign_in(s, cookie);
  close(listen_to(s, cookie, NULL));
  hold_readers(s, &gate);
  int fd = listen_to(s, cookie, "1");
  api_on_changes_lost(s->api);
  let_the_loop_turn(s);
  open_gate(&gate);
  let_the_loop_turn(s);
  api_drain(s->api);
  service_receive(fd, &a);
  assert_non_null(strstr(a.body, "event: reset"));
  assert_null(strstr(a.body, "event: recording"));
}

static void another_business_that_changes_ends_no_stream(void **state) {
  struct service *s = *state;
  char cookie[128], byte;
  service_start(s);
  sign_in(s, cookie);
  int fd = listen_to(s, cookie, NULL);
  while (recv(fd, &byte, 1, MSG_DONTWAIT) == 1) continue;
  api_session_changed(s->api, s->other, STR_NONE);
  api_key_changed(s->api, s->other, 0);
  api_check_streams(s->api, s->other);
  let_the_loop_turn(s);
  service_revoke(s); /* the stream's own session */
  char rest[1024];
  ssize_t n, all = 0;
  while ((n = recv(fd, rest + all, sizeof(rest) - (size_t)all, 0)) > 0) all += n;
  assert_true(all >= 5 && memcmp(rest + all - 5, "0\r\n\r\n", 5) == 0);
  (void)close(fd);
}

#define EVENTS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, service_teardown)

int main(void) {
  (void)alarm(120); /* a test that hangs fails */
  const struct CMUnitTest tests[] = {
      EVENTS_TEST(a_drain_ends_a_live_stream),
      EVENTS_TEST(a_drain_ends_a_stream_that_catches_up),
      EVENTS_TEST(a_drain_ends_a_stream_whose_session_is_looked_up),
      EVENTS_TEST(a_session_that_ended_while_it_caught_up_ends_the_stream),
      EVENTS_TEST(a_reset_makes_a_catch_up_void),
      EVENTS_TEST(another_business_that_changes_ends_no_stream),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
