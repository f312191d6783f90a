/* Keys and businesses that are in the database, while the access snapshot does not have them yet. */
#include "service.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metric.h"
#include "ledger/businesses.h"
#include "ledger/sessions.h"

enum { A_DAY_MS = 24 * 3600 * 1000 };

struct made {
  struct service *s;
  int64_t business, key_id, lookups; /* lookups: before the first request */
  char key[KEY_TEXT_SIZE], cookie[128];
};

static int64_t lookups(void) {
  return metric_read(METRIC_ACCESS_LOOKUPS, 0, 0);
}

static enum err make_business(struct db *db, void *arg) {
  static const uint8_t secrets_key[SECRET_KEY_SIZE]; /* it has no secrets */
  struct made *m = arg;
  struct str name = STR("New");
  const struct business_edit edit = {.name = &name};
  TRY(businesses_add(db, secrets_key, 0, &edit, &m->business));
  struct session session = {.business_id = m->business, .role = "viewer", .made_by = "command"};
  char token[SESSION_TOKEN_SIZE];
  session.expires_at = db_now_ms(db) + A_DAY_MS;
  TRY(sessions_create(db, &session, token));
  (void)snprintf(m->cookie, sizeof(m->cookie), "Cookie: callreel=%s\r\n", token);
  return OK;
}

static enum err make_key(struct db *db, void *arg) {
  struct made *m = arg;
  return keys_create(db, m->business, STR("agent"), STR(""), m->key, &m->key_id);
}

static enum err make_platform_key(struct db *db, void *arg) {
  struct made *m = arg;
  const struct key_wish wish = {.role = STR("platform"), .expires_at = db_now_ms(db) + A_DAY_MS};
  return keys_make(db, &wish, m->key, &m->key_id);
}

static enum err revoke_key(struct db *db, void *arg) {
  return keys_revoke(db, ((struct made *)arg)->key_id);
}

static void write_made(struct made *m, enum err (*run)(struct db *db, void *arg)) {
  assert_int_equal(db_writer_call(m->s->writer, (struct db_job){.run = run, .arg = m}), OK);
}

static struct made start(void **state) {
  struct made m = {.s = *state};
  m.s->loops = 2;
  service_start(m.s);
  m.business = m.s->business;
  m.lookups = lookups();
  return m;
}

/* Returns when so many requests were looked up. */
static void until_looked_up(const struct made *m, int64_t count) {
  while (lookups() < m->lookups + count) (void)sched_yield();
}

static int status_of(int fd) {
  static struct answer a;
  service_receive(fd, &a);
  return a.status;
}

static void a_key_that_was_just_made_signs_in(void **state) {
  struct made m = start(state);
  write_made(&m, make_key);
  int sign_in = service_send(m.s, "POST", "/api/session", m.key, "", "");
  int list = service_send(m.s, "GET", "/api/calls", m.key, "", NULL);
  until_looked_up(&m, 2);
  service_load_access(m.s);
  assert_int_equal(status_of(sign_in), 204);
  assert_int_equal(status_of(list), 200);
  assert_int_equal(service_ask(m.s, "GET", "/api/calls", m.key, "", NULL)->status, 200);
  assert_int_equal(lookups(), m.lookups + 2);
}

static void a_key_that_was_just_made_reads_the_metrics(void **state) {
  struct made m = start(state);
  write_made(&m, make_platform_key);
  int fd = service_send(m.s, "GET", "/metrics", m.key, "", NULL);
  until_looked_up(&m, 1);
  service_load_access(m.s);
  assert_int_equal(status_of(fd), 200);
  assert_int_equal(service_ask(m.s, "GET", "/metrics", m.key, "", NULL)->status, 200);
  assert_int_equal(lookups(), m.lookups + 1);
  m.key[KEY_TEXT_SIZE - 2] ^= 1;
  assert_int_equal(service_ask(m.s, "GET", "/metrics", m.key, "", NULL)->status, 404);
  assert_int_equal(lookups(), m.lookups + 2);
  m.key[KEY_TEXT_SIZE - 2] ^= 1;
  clock_test_advance_ms(A_DAY_MS); /* it has expired */
  assert_int_equal(service_ask(m.s, "GET", "/metrics", m.key, "", NULL)->status, 404);
}

static void a_key_that_was_just_made_signs_in_by_the_form(void **state) {
  const char *form = "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\n";
  struct made m = start(state);
  char body[KEY_TEXT_SIZE + 8];
  write_made(&m, make_key);
  (void)snprintf(body, sizeof(body), "key=%s", m.key);
  int fd = service_send(m.s, "POST", "/signin", NULL, form, body);
  until_looked_up(&m, 1);
  service_load_access(m.s);
  assert_int_equal(status_of(fd), 303);
  body[sizeof("key=") + 10] ^= 1;
  assert_int_equal(service_ask(m.s, "POST", "/signin", NULL, form, body)->status, 401);
  assert_int_equal(lookups(), m.lookups + 2);
}

static void a_business_that_was_just_made_is_known(void **state) {
  struct made m = start(state);
  char line[64];
  write_made(&m, make_business);
  (void)snprintf(line, sizeof(line), "X-Business-Id: %lld\r\n", (long long)m.business);
  int by_platform = service_send(m.s, "GET", "/api/calls", m.s->platform, line, NULL);
  int by_session = service_send(m.s, "GET", "/api/calls", NULL, m.cookie, NULL);
  until_looked_up(&m, 2);
  service_load_access(m.s);
  assert_int_equal(status_of(by_platform), 200);
  assert_int_equal(status_of(by_session), 200);
}

static void what_nobody_made_is_refused_after_one_lookup(void **state) {
  struct made m = start(state);
  char never[KEY_TEXT_SIZE];
  (void)snprintf(never, sizeof(never), "cr_%043d", 7);
  assert_int_equal(service_ask(m.s, "GET", "/api/calls", never, "", NULL)->status, 401);
  assert_int_equal(service_ask(m.s, "POST", "/api/session", never, "", "")->status, 401);
  assert_int_equal(service_ask(m.s, "GET", "/api/calls", m.s->platform, "X-Business-Id: 999\r\n", NULL)->status, 404);
  assert_int_equal(lookups(), m.lookups + 3);
  assert_int_equal(service_ask(m.s, "GET", "/api/calls", "cr_no", "", NULL)->status, 401);
  assert_int_equal(lookups(), m.lookups + 3); /* no key looks like that */
}

static int send_webhook(const struct made *m, int64_t business) {
  char path[64];
  (void)snprintf(path, sizeof(path), "/webhooks/twilio/%lld/call", (long long)business);
  return service_send(m->s, "POST", path, NULL,
                      "Content-Type: application/x-www-form-urlencoded\r\nX-Twilio-Signature: AAAA\r\n", "CallSid=CA1");
}

/* The signature is wrong: it is checked only for a business that is known. */
static void a_webhook_for_a_business_that_was_just_made_is_checked(void **state) {
  struct made m = start(state);
  write_made(&m, make_business);
  int fd = send_webhook(&m, m.business);
  until_looked_up(&m, 1);
  service_load_access(m.s);
  assert_int_equal(status_of(fd), 403);
  assert_int_equal(status_of(send_webhook(&m, m.business)), 403);
  assert_int_equal(status_of(send_webhook(&m, m.business + 8)), 404);
  assert_int_equal(lookups(), m.lookups + 2);
}

static void webhooks_for_nobody_are_looked_up_twenty_times_a_second(void **state) {
  enum { WEBHOOKS = 200, A_SECOND = 20 };
  struct made m = start(state);
  int64_t began_us = clock_mono_us();
  for (int i = 0; i < WEBHOOKS; i++) assert_int_equal(status_of(send_webhook(&m, m.business + 8 + i % 2)), 404);
  int64_t most = A_SECOND + A_SECOND * (clock_mono_us() - began_us) / 1000000 + 1;
  assert_in_range(lookups() - m.lookups, 1, most);
  int64_t before = lookups();
  assert_int_equal(status_of(send_webhook(&m, 999)), 404); /* far from all ids that were given */
  assert_int_equal(lookups(), before);
}

static void a_revoked_key_is_refused(void **state) {
  struct made m = start(state);
  write_made(&m, make_key);
  write_made(&m, revoke_key);
  assert_int_equal(service_ask(m.s, "GET", "/api/calls", m.key, "", NULL)->status, 401);
}

/* It is not a wrong key, so the answer is not 401. */
static void a_key_that_no_snapshot_has_in_time_is_asked_to_come_again(void **state) {
  struct made m = start(state);
  write_made(&m, make_key);
  int fd = service_send(m.s, "GET", "/api/calls", m.key, "", NULL);
  until_looked_up(&m, 1);
  clock_test_advance_ms(3000);
  api_set_access(m.s->api, m.s->access); /* the one that it has: the loop looks again */
  struct answer *a = calloc(1, sizeof(*a));
  assert_non_null(a);
  service_receive(fd, a);
  assert_int_equal(a->status, 503);
  assert_string_not_equal(answer_header(a, "Retry-After"), "");
  free(a);
}

static void clients_may_leave_while_they_wait(void **state) {
  enum { CLIENTS = 5 };
  struct made m = start(state);
  int fds[CLIENTS];
  write_made(&m, make_key);
  for (int i = 0; i < CLIENTS; i++) fds[i] = service_send(m.s, "GET", "/api/calls", m.key, "", NULL);
  until_looked_up(&m, CLIENTS);
  for (int i = 0; i < CLIENTS; i += 2) (void)close(fds[i]);
  service_load_access(m.s);
  for (int i = 1; i < CLIENTS; i += 2) assert_int_equal(status_of(fds[i]), 200);
}

static void the_service_may_end_while_a_client_waits(void **state) {
  struct made m = start(state);
  write_made(&m, make_key);
  int fd = service_send(m.s, "GET", "/api/calls", m.key, "", NULL);
  until_looked_up(&m, 1);
  service_stop(m.s);
  (void)close(fd);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, service_setup, service_teardown)
  const struct CMUnitTest tests[] = {
      T(a_key_that_was_just_made_signs_in),
      T(a_key_that_was_just_made_reads_the_metrics),
      T(a_key_that_was_just_made_signs_in_by_the_form),
      T(a_business_that_was_just_made_is_known),
      T(what_nobody_made_is_refused_after_one_lookup),
      T(a_webhook_for_a_business_that_was_just_made_is_checked),
      T(webhooks_for_nobody_are_looked_up_twenty_times_a_second),
      T(a_revoked_key_is_refused),
      T(a_key_that_no_snapshot_has_in_time_is_asked_to_come_again),
      T(clients_may_leave_while_they_wait),
      T(the_service_may_end_while_a_client_waits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
