/* playback_request_test.c - a request that waits for a recording is answered when its time is up and when the process
 * drains, with every kind of credential, with and without a known length; and when the recording changes. */
#include "service.h"

#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/socket.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metric.h"
#include "domain/signed_url.h"
#include "ledger/sessions.h"
#include "tokens.h"

#define RE1 "RE00000000000000000000000000000001"
#define STREAM "/api/recordings/" RE1 "/stream"

enum { WHOLE = 6000, ARRIVED = 2000 };

/* ---- clients ---- */

enum credential { BY_KEY, BY_COOKIE, BY_COOKIE_TOUCHED, BY_URL, BY_JWT, CREDENTIALS };
static const char *const credential_names[] = {"key", "cookie", "cookie whose version changed", "signed URL", "JWT"};

struct client {
  enum credential by;
  char target[512];
  char lines[1024];
};

static void sign_in(struct service *s, const char *key, char *ret_line, size_t size) {
  struct answer *a = service_ask(s, "POST", "/api/session", key, "", "");
  assert_int_equal(a->status, 204);
  const char *set = answer_header(a, "Set-Cookie");
  (void)snprintf(ret_line, size, "Cookie: %.*s\r\n", (int)strcspn(set, ";"), set);
}

static void set_signed_url(struct service *s, struct client *client) {
  service_sign_url(s, RE1, 3600, client->target, sizeof(client->target));
}

static struct client client_of(struct service *s, enum credential by) {
  struct client client = {.by = by, .target = STREAM};
  char claims[128];
  switch (by) {
    case BY_KEY:
      (void)snprintf(client.lines, sizeof(client.lines), "Authorization: Bearer %s\r\n", s->viewer);
      break;
    case BY_COOKIE:
    case BY_COOKIE_TOUCHED:
      sign_in(s, s->viewer, client.lines, sizeof(client.lines));
      break;
    case BY_URL:
      set_signed_url(s, &client);
      break;
    default: {
      (void)snprintf(claims, sizeof(claims), "{\"business_id\":%lld,\"exp\":%lld}", (long long)s->business,
                     (long long)(clock_now_ms() / 1000 + 3600));
      char *token = make(WITH_SECRET, HS, claims);
      (void)snprintf(client.lines, sizeof(client.lines), "Authorization: Bearer %s\r\n", token);
      free(token);
    }
  }
  return client;
}

static int ask(struct service *s, const struct client *client, const char *more) {
  char lines[2048];
  (void)snprintf(lines, sizeof(lines), "%s%s", client->lines, more);
  return service_send(s, "GET", client->target, NULL, lines, NULL);
}

/* Makes everything void that the loops cached about sessions, although all sessions are still valid. */
static void touch_sessions(struct service *s, const struct client *client) {
  if (client->by == BY_COOKIE_TOUCHED) api_session_changed(s->api, s->business, STR_NONE);
}

/* ---- a fill ---- */

struct arriving {
  struct service *s;
  int64_t total;
  int fd;
  struct tape *tape;
};

static enum err store_arriving(struct db *db, void *arg) {
  const struct arriving *a = arg;
  struct recording row;
  TRY(recordings_get(db, a->s->business, STR(RE1), &row));
  struct recording next = row;
  next.status = RECORDING_DOWNLOADING;
  next.lease_token = row.lease_token + 1;
  next.lease_until = db_now_ms(db) + 3600 * 1000;
  next.announced_bytes = a->total;
  next.received_bytes = ARRIVED;
  next.modified_at = INT64_C(1795248062000);
  (void)snprintf(next.etag, sizeof(next.etag), "\"%s\"", RE1);
  (void)snprintf(next.content_type, sizeof(next.content_type), "audio/mpeg");
  return recordings_store(db, &row, &next);
}

/* A fill of this process: the first ARRIVED of WHOLE bytes are there. total -1: the provider did not announce the length. */
static struct arriving begin_fill(struct service *s, int64_t total) {
  struct arriving a = {.s = s, .total = total, .fd = memfd_create("part", MFD_CLOEXEC)};
  struct tape_head head = {.business_id = s->business,
                           .recording_sid = RE1,
                           .etag = "\"" RE1 "\"",
                           .content_type = "audio/mpeg",
                           .modified_at = INT64_C(1795248062000),
                           .announced_bytes = total};
  char bytes[WHOLE];
  for (size_t i = 0; i < WHOLE; i++) bytes[i] = (char)('a' + i % 26);
  assert_int_equal(write(a.fd, bytes, WHOLE), WHOLE);
  service_recording(s, s->business, RE1, "", RECORDING_MISSING);
  assert_int_equal(db_writer_call(s->writer, (struct db_job){.run = store_arriving, .arg = &a}), OK);
  assert_int_equal(tapes_open(s->tapes, &head, a.fd, ARRIVED, &a.tape), OK);
  return a;
}

static void end_fill(struct arriving *a) {
  tape_extend(a->tape, WHOLE);
  tape_finish(a->tape);
  tape_unref(a->tape);
  (void)close(a->fd);
}

/* Returns when the first byte of the answer has come, so its status is decided. */
static void until_answered(int fd) {
  char first;
  assert_int_equal(recv(fd, &first, 1, MSG_PEEK), 1);
}

static void until_waiting(int64_t count) {
  while (metric_read(METRIC_PLAYS_WAITING, 0, 0) != count) (void)sched_yield();
}

/* ---- draining and time-outs ---- */

#define LATER_PART "Range: bytes=4000-\r\nPrefer: wait=50\r\n"

enum ending { DRAINED, TIMED_OUT };

static void end_wait(struct service *s, enum ending ending) {
  if (ending == DRAINED) api_drain(s->api);
#ifdef CALLREEL_TEST_HOOKS
  if (ending == TIMED_OUT) clock_test_advance_ms(51 * 1000);
#endif
}

/* Without a length a later range can't be answered before the end: the wait ends with the whole, from its first byte. */
static void without_a_length(struct service *s, enum credential by, enum ending ending) {
  struct answer got;
  service_start(s);
  struct client client = client_of(s, by);
  struct arriving a = begin_fill(s, -1);
  int fd = ask(s, &client, LATER_PART);
  until_waiting(1);
  touch_sessions(s, &client);
  end_wait(s, ending);
  until_answered(fd);
  end_fill(&a);
  service_receive(fd, &got);
  if (got.status != 200) print_error("%s\n", credential_names[by]);
  assert_int_equal(got.status, 200);
  assert_string_equal(answer_header(&got, "Transfer-Encoding"), "chunked");
}

/* With a length it is answered at once, and continues while the drain lasts. */
static void with_a_length(struct service *s, enum credential by, enum ending ending) {
  struct answer got;
  service_start(s);
  struct client client = client_of(s, by);
  struct arriving a = begin_fill(s, WHOLE);
  int fd = ask(s, &client, LATER_PART);
  until_answered(fd);
  touch_sessions(s, &client);
  end_wait(s, ending);
  end_fill(&a);
  service_receive(fd, &got);
  if (got.status != 206) print_error("%s\n", credential_names[by]);
  assert_int_equal(got.status, 206);
  assert_int_equal(got.body_n, WHOLE - 4000);
}

/* No byte has arrived: 202, because the recording may still come. */
static void before_it_began(struct service *s, enum credential by, enum ending ending) {
  struct answer got;
  service_start(s);
  service_recording(s, s->business, RE1, "", RECORDING_MISSING);
  struct client client = client_of(s, by);
  int fd = ask(s, &client, LATER_PART);
  until_waiting(1);
  touch_sessions(s, &client);
  end_wait(s, ending);
  service_receive(fd, &got);
  if (got.status != 202) print_error("%s\n", credential_names[by]);
  assert_int_equal(got.status, 202);
}

static void each_credential(struct service *s, void (*run)(struct service *s, enum credential by, enum ending ending),
                            enum ending ending) {
  for (enum credential by = 0; by < CREDENTIALS; by++) {
    void *fresh;
    assert_int_equal(service_setup(&fresh), 0);
    struct service *own = fresh;
    own->conf.jwt_secret = s->conf.jwt_secret;
    run(own, by, ending);
    assert_int_equal(service_teardown(&fresh), 0);
  }
}

static int setup(void **state) {
  if (service_setup(state) != 0) return -1;
  ((struct service *)*state)->conf.jwt_secret = (char *)(uintptr_t)SECRET;
  return 0;
}

static void draining_answers_a_request_that_waits_for_an_end(void **state) {
  each_credential(*state, without_a_length, DRAINED);
}

static void draining_lets_an_answer_with_a_length_go_on(void **state) {
  each_credential(*state, with_a_length, DRAINED);
}

static void draining_answers_a_request_that_waits_for_a_beginning(void **state) {
  each_credential(*state, before_it_began, DRAINED);
}

/* ---- holding a thread ---- */

struct gate {
  sem_t reached, open;
};

static void hold_reader(struct db *db, void *arg) {
  struct gate *g = arg;
  (void)db;
  (void)sem_post(&g->reached);
  while (sem_wait(&g->open) != 0) continue;
}

/* Blocks the readers that the business may use (all but one) until the gate is opened. */
static void hold_readers(struct service *s, struct gate *g) {
  (void)sem_init(&g->reached, 0, 0);
  (void)sem_init(&g->open, 0, 0);
  assert_int_equal(db_readers_run(s->readers, s->business, hold_reader, g), OK);
  while (sem_wait(&g->reached) != 0) continue;
}

#ifdef CALLREEL_TEST_HOOKS
static void a_timeout_answers_a_request_that_waits_for_an_end(void **state) {
  each_credential(*state, without_a_length, TIMED_OUT);
}

static void a_timeout_answers_a_request_that_waits_for_a_beginning(void **state) {
  each_credential(*state, before_it_began, TIMED_OUT);
}

/* ---- a change that comes while the session is looked up ---- */

static void a_change_may_come_during_a_timeout(void **state) {
  struct service *s = *state;
  struct answer got;
  struct gate gate;
  service_start(s);
  struct client client = client_of(s, BY_COOKIE_TOUCHED);
  struct arriving a = begin_fill(s, -1);
  int fd = ask(s, &client, LATER_PART);
  until_waiting(1);
  hold_readers(s, &gate);
  touch_sessions(s, &client);
  clock_test_advance_ms(51 * 1000);
  for (int i = 0; i < 5; i++) { /* each request takes at least one turn of the loop */
    assert_int_equal(service_ask(s, "GET", "/healthz", NULL, "", NULL)->status, 200);
    events_notify(s->events, s->business, STR(RE1));
  }
  (void)sem_post(&gate.open);
  until_answered(fd);
  end_fill(&a);
  service_receive(fd, &got);
  assert_int_equal(got.status, 200);
}
#endif

/* ---- a change that comes after the row was read and before the watch began ---- */

static void hold_loop(void *arg) {
  hold_reader(NULL, arg);
}

/* Another listener has just asked for it, so the request need not write. */
static enum err store_just_played(struct db *db, void *arg) {
  const struct service *s = arg;
  struct recording row;
  TRY(recordings_get(db, s->business, STR(RE1), &row));
  struct recording next = row;
  next.wanted_at = db_now_ms(db);
  return recordings_store(db, &row, &next);
}

static enum err store_not_audio(struct db *db, void *arg) {
  const struct service *s = arg;
  struct recording row;
  TRY(recordings_get(db, s->business, STR(RE1), &row));
  struct recording next = row;
  next.status = RECORDING_FAILED;
  next.permanent = true;
  next.lease_until = 0;
  (void)snprintf(next.error_code, sizeof(next.error_code), "not_audio");
  return recordings_store(db, &row, &next);
}

static void a_change_before_the_watch_is_not_missed(void **state) {
  struct service *s = *state;
  struct answer got;
  struct gate reader, next_reader, loop;
  service_start(s);
  struct client client = client_of(s, BY_KEY);
  struct arriving a = begin_fill(s, -1);
  assert_int_equal(db_writer_call(s->writer, (struct db_job){.run = store_just_played, .arg = s}), OK);
  hold_readers(s, &reader);
  int fd = ask(s, &client, LATER_PART);
  for (int i = 0; i < 5; i++) /* each request takes at least one turn of the loop */
    assert_int_equal(service_ask(s, "GET", "/healthz", NULL, "", NULL)->status, 200);
  (void)sem_init(&loop.reached, 0, 0);
  (void)sem_init(&loop.open, 0, 0);
  assert_int_equal(http_loop_post(s->server, 0, hold_loop, &loop), OK);
  while (sem_wait(&loop.reached) != 0) continue;
  (void)sem_post(&reader.open);
  hold_readers(s, &next_reader); /* the request's row was read */
  (void)sem_post(&next_reader.open);
  assert_int_equal(db_writer_call(s->writer, (struct db_job){.run = store_not_audio, .arg = s}), OK);
  tape_fail(a.tape);
  tape_unref(a.tape);
  (void)close(a.fd);
  (void)sem_post(&loop.open);
  service_receive(fd, &got);
  assert_int_equal(got.status, 502);
}

static void a_session_that_ended_gets_nothing_at_a_drain(void **state) {
  struct service *s = *state;
  struct answer got;
  service_start(s);
  struct client client = client_of(s, BY_COOKIE);
  struct arriving a = begin_fill(s, -1);
  int fd = ask(s, &client, LATER_PART);
  until_waiting(1);
  service_revoke(s);
  api_drain(s->api);
  service_receive(fd, &got);
  assert_int_equal(got.status, 401);
  end_fill(&a);
}

#define PLAY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, service_teardown)

int main(void) {
  (void)alarm(120); /* a test that hangs fails */
  const struct CMUnitTest tests[] = {
      PLAY_TEST(draining_answers_a_request_that_waits_for_an_end),
      PLAY_TEST(draining_lets_an_answer_with_a_length_go_on),
      PLAY_TEST(draining_answers_a_request_that_waits_for_a_beginning),
#ifdef CALLREEL_TEST_HOOKS
      PLAY_TEST(a_timeout_answers_a_request_that_waits_for_an_end),
      PLAY_TEST(a_timeout_answers_a_request_that_waits_for_a_beginning),
      PLAY_TEST(a_change_may_come_during_a_timeout),
#endif
      PLAY_TEST(a_change_before_the_watch_is_not_missed),
      PLAY_TEST(a_session_that_ended_gets_nothing_at_a_drain),
  };
  return cmocka_run_group_tests(tests, make_keys, free_keys);
}
