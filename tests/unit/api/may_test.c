#include "service.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metric.h"
#include "domain/signed_url.h"
#include "ledger/sessions.h"

#define RE1 "RE00000000000000000000000000000001"
#define RE2 "RE00000000000000000000000000000002"
#define STREAM "/api/recordings/" RE1 "/stream"

static void cookie_of(const struct answer *a, char ret_line[128]) {
  const char *set = answer_header(a, "Set-Cookie");
  size_t n = strcspn(set, ";");
  assert_int_equal(n, sizeof("callreel=") - 1 + SESSION_TOKEN_SIZE - 1);
  (void)snprintf(ret_line, 128, "Cookie: %.*s\r\n", (int)n, set);
}

static void sign_in(struct service *s, const char *key, char ret_line[128]) {
  struct answer *a = service_ask(s, "POST", "/api/session", key, "", "");
  assert_int_equal(a->status, 204);
  cookie_of(a, ret_line);
}

static void a_session_is_known_on_every_loop_and_ends_with_its_key(void **state) {
  struct service *s = *state;
  char cookie[128];
  s->loops = 4;
  service_start(s);
  sign_in(s, s->viewer, cookie);
  for (int i = 0; i < 40; i++) assert_int_equal(service_ask(s, "GET", "/api/calls", NULL, cookie, NULL)->status, 200);
  service_revoke(s);
  for (int i = 0; i < 40; i++) assert_int_equal(service_ask(s, "GET", "/api/calls", NULL, cookie, NULL)->status, 401);
}

struct made_key {
  struct service *s;
  int64_t business, key_id;
};

static enum err make_key(struct db *db, void *arg) {
  struct made_key *k = arg;
  char text[KEY_TEXT_SIZE];
  return keys_create(db, k->business, STR("viewer"), STR(""), text, &k->key_id);
}

/* Does what the changes thread and the main thread do. */
static void make_a_key(struct service *s, int64_t business) {
  struct made_key k = {.s = s, .business = business};
  assert_int_equal(db_writer_call(s->writer, (struct db_job){.run = make_key, .arg = &k}), OK);
  api_key_changed(s->api, business, k.key_id);
  service_load_access(s);
}

/* A lookup or two may happen: a session and a changed key can share one of the counters by which a loop knows what changed
 * (the hash has a random seed). */
static void a_key_that_is_made_has_no_session_looked_up_anew(void **state) {
  enum { KEYS = 20, BY_CHANCE = 2 };
  struct service *s = *state;
  char mine[128], theirs[128];
  service_start(s);
  sign_in(s, s->viewer, mine);
  sign_in(s, s->stranger, theirs);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(service_ask(s, "GET", "/api/session", NULL, mine, NULL)->status, 200);
    assert_int_equal(service_ask(s, "GET", "/api/session", NULL, theirs, NULL)->status, 200);
  }
  int64_t before = metric_read(METRIC_SESSION_LOOKUPS, 0, 0);
  for (int i = 0; i < KEYS; i++) {
    make_a_key(s, i % 2 ? s->business : s->other);
    assert_int_equal(service_ask(s, "GET", "/api/session", NULL, mine, NULL)->status, 200);
    assert_int_equal(service_ask(s, "GET", "/api/session", NULL, theirs, NULL)->status, 200);
  }
  assert_in_range(metric_read(METRIC_SESSION_LOOKUPS, 0, 0), before, before + BY_CHANCE);
  before = metric_read(METRIC_SESSION_LOOKUPS, 0, 0);
  service_revoke(s); /* all keys of one business; the other's sessions stay cached */
  assert_int_equal(service_ask(s, "GET", "/api/session", NULL, theirs, NULL)->status, 200);
  assert_in_range(metric_read(METRIC_SESSION_LOOKUPS, 0, 0), before, before + BY_CHANCE);
  before = metric_read(METRIC_SESSION_LOOKUPS, 0, 0);
  assert_int_equal(service_ask(s, "GET", "/api/session", NULL, mine, NULL)->status, 401);
  assert_int_equal(metric_read(METRIC_SESSION_LOOKUPS, 0, 0), before + 1);
}

static void a_session_ends_everywhere_when_it_says_so(void **state) {
  struct service *s = *state;
  char cookie[128];
  s->loops = 4;
  service_start(s);
  sign_in(s, s->agent, cookie);
  for (int i = 0; i < 40; i++) assert_int_equal(service_ask(s, "GET", "/api/session", NULL, cookie, NULL)->status, 200);
  assert_int_equal(service_ask(s, "DELETE", "/api/session", NULL, cookie, NULL)->status, 204);
  for (int i = 0; i < 40; i++) assert_int_equal(service_ask(s, "GET", "/api/session", NULL, cookie, NULL)->status, 401);
  assert_int_equal(service_ask(s, "GET", "/api/session", s->agent, "", NULL)->status, 200);
}

static void the_first_credential_that_is_present_decides_alone(void **state) {
  struct service *s = *state;
  char cookie[128], lines[512];
  char target[512];
  service_start(s);
  service_recording(s, s->business, RE1, "", RECORDING_MISSING);
  service_ready(s, s->business, RE1, 2000);
  sign_in(s, s->viewer, cookie);
  service_sign_url(s, RE1, 60, target, sizeof(target));
  const struct {
    const char *path, *key;
    bool cookie;
    int status;
  } rows[] = {
      {STREAM, NULL, true, 200},
      {target, NULL, false, 200},
      {target, s->viewer, false, 200},
      {target, "cr_no", true, 401},
      {target, s->stranger, true, 404},
      {STREAM "?sig=x", NULL, true, 401},
      {STREAM "?sig=x", s->viewer, true, 200},
      {STREAM, "cr_no", true, 401},
      {STREAM, NULL, false, 401},
      {"/api/calls?sig=x", NULL, true, 200},
      {"/api/calls?sig=x", NULL, false, 401},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    (void)snprintf(lines, sizeof(lines), "%s", rows[i].cookie ? cookie : "");
    int status = service_ask(s, "GET", rows[i].path, rows[i].key, lines, NULL)->status;
    if (status != rows[i].status) print_error("row %zu\n", i);
    assert_int_equal(status, rows[i].status);
  }
}

struct storm {
  struct service *s;
  char cookie[128];
  pthread_barrier_t *gate;
};

static void *ask_often(void *arg) {
  struct storm *storm = arg;
  (void)pthread_barrier_wait(storm->gate);
  for (int i = 0; i < 30; i++) {
    struct answer a;
    service_receive(service_send(storm->s, "GET", "/api/session", NULL, storm->cookie, NULL), &a);
    assert_true(a.status == 200 || a.status == 401);
  }
  return NULL;
}

static void sessions_may_end_while_they_are_asked_for(void **state) {
  struct service *s = *state;
  struct storm storms[4];
  pthread_t threads[4];
  pthread_barrier_t gate;
  s->loops = 4;
  service_start(s);
  assert_int_equal(pthread_barrier_init(&gate, NULL, 5), 0);
  for (size_t i = 0; i < 4; i++) {
    storms[i] = (struct storm){.s = s, .gate = &gate};
    sign_in(s, s->viewer, storms[i].cookie);
    assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &storms[i]), 0);
  }
  (void)pthread_barrier_wait(&gate);
  for (int i = 0; i < 20; i++) api_session_changed(s->api, s->business, STR_NONE);
  service_revoke(s);
  for (size_t i = 0; i < 4; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_int_equal(service_ask(s, "GET", "/api/session", NULL, storms[0].cookie, NULL)->status, 401);
  assert_int_equal(pthread_barrier_destroy(&gate), 0);
}

static void a_refusal_by_the_engine_can_be_read_by_pages_that_may_call(void **state) {
  struct service *s = *state;
  char huge[70001];
  memset(huge, 'x', sizeof(huge) - 1);
  huge[sizeof(huge) - 1] = '\0';
  s->conf.cors_origins = (char *)(uintptr_t) "https://crm.example";
  service_start(s);
  struct answer *a = service_ask(s, "PATCH", "/api/calls/x", s->agent, "Origin: https://crm.example\r\n", huge);
  assert_int_equal(a->status, 413);
  assert_string_equal(answer_header(a, "Access-Control-Allow-Origin"), "https://crm.example");
  assert_string_equal(answer_header(a, "Vary"), "Origin");
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, service_setup, service_teardown)
  const struct CMUnitTest tests[] = {
      T(a_session_is_known_on_every_loop_and_ends_with_its_key),
      T(a_key_that_is_made_has_no_session_looked_up_anew),
      T(a_session_is_known_on_every_loop_and_ends_with_its_key),
      T(a_session_ends_everywhere_when_it_says_so),
      T(the_first_credential_that_is_present_decides_alone),
      T(sessions_may_end_while_they_are_asked_for),
      T(a_refusal_by_the_engine_can_be_read_by_pages_that_may_call),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
