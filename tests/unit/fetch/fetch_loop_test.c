/* The fetch thread with many transfers: time limits, cancelling, ending, ticking, waiting for a place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "origin.h"
#include "probe.h"

#define HEAD200 "HTTP/1.1 200 OK\r\n"

static bool say_and_keep(void *arg, int fd, const struct origin_request *request) {
  (void)request;
  origin_say(fd, arg);
  return true;
}

static bool say_and_stall(void *arg, int fd, const struct origin_request *request) {
  (void)request;
  origin_say(fd, arg);
  origin_wait_for_close(fd);
  return false;
}

static struct origin *stalling(const char *text) {
  return origin_new(say_and_stall, (void *)(uintptr_t)text);
}

static void silence_ends_in_a_timeout(void **state) {
  (void)state;
  if (!probe_owns_time()) skip();
  const struct {
    const char *name, *scheme, *said;
    int64_t limit_ms;
    const char *why;
    int status;
  } cases[] = {
      {"connect", "https", "", 10000, "connection", 0},
      {"first byte", "http", "", 60000, "reply", 0},
      {"only an interim reply", "http", "HTTP/1.1 100 Continue\r\n\r\n", 60000, "reply", 0},
      {"only half a head", "http", HEAD200 "X: y\r\n", 60000, "reply", 0},
      {"idle", "http", HEAD200 "Content-Length: 9\r\n\r\nhello", 30000, "stopped", 200},
      {"idle from the head on", "http", HEAD200 "Content-Length: 9\r\n\r\n", 30000, "stopped", 200},
  };
  struct fetch *f = probe_fetch_new(0);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct origin *origin = stalling(cases[i].said);
    char url[ORIGIN_URL_SIZE];
    struct probe p;
    origin_url(origin, cases[i].scheme, "/a", url);
    probe_init(&p, f, url);
    probe_start(&p);
    if (cases[i].status) {
      probe_wait_reply(&p);
      if (strstr(cases[i].said, "hello")) probe_wait_data(&p);
    } else if (strcmp(cases[i].scheme, "http") == 0) {
      origin_wait_requests(origin, 1);
    } else {
      origin_wait_bytes(origin);
    }
    clock_test_advance_ms(cases[i].limit_ms);
    probe_wait_end(&p);
    if (p.result.end != FETCH_TIMEOUT) fail_msg("%s: %d %s", cases[i].name, p.result.end, p.result.detail);
    assert_non_null(strstr(p.result.detail, cases[i].why));
    assert_int_equal(p.result.status, cases[i].status);
    probe_done(&p);
    origin_free(origin);
  }
  fetch_free(f);
}

static void too_slow_ends_in_a_timeout(void **state) {
  (void)state;
  if (!probe_owns_time()) skip();
  struct fetch *f = probe_fetch_new(0);
  struct origin *origin = stalling(HEAD200 "\r\nhello");
  char url[ORIGIN_URL_SIZE];
  struct probe p;
  origin_url(origin, "http", "/a", url);
  probe_init(&p, f, url);
  p.request.idle_ms = INT64_MAX;
  p.request.slow_bytes = 500;
  p.request.slow_ms = 60000;
  probe_start(&p);
  probe_wait_data(&p);
  clock_test_advance_ms(60001);
  probe_wait_end(&p);
  assert_int_equal(p.result.end, FETCH_TIMEOUT);
  assert_non_null(strstr(p.result.detail, "slowly"));
  assert_string_equal(p.body, "hello");
  probe_done(&p);
  origin_free(origin);
  fetch_free(f);
}

static bool stalling_redirect(void *arg, int fd, const struct origin_request *request) {
  (void)arg;
  if (strncmp(request->head, "GET /2 ", 7) == 0) {
    origin_say(fd, HEAD200 "Content-Length: 5\r\n\r\nhello");
    return true;
  }
  origin_say(fd, "HTTP/1.1 302 Go\r\nLocation: /2\r\nContent-Length: 100\r\n\r\nfirst");
  origin_wait_for_close(fd);
  return false;
}

static void a_redirect_whose_body_stalls_is_followed(void **state) {
  (void)state;
  if (!probe_owns_time()) skip();
  struct fetch *f = probe_fetch_new(0);
  struct origin *origin = origin_new(stalling_redirect, NULL);
  char url[ORIGIN_URL_SIZE];
  struct probe p;
  origin_url(origin, "http", "/1", url);
  probe_init(&p, f, url);
  p.request.connect_ms = p.request.first_byte_ms = p.request.idle_ms = INT64_MAX / 2;
  probe_start(&p);
  while (!probe_has_ended(&p)) {
    clock_test_advance_ms(1000); /* when the head was read can't be seen from outside */
    sched_yield();
  }
  assert_int_equal(p.result.end, FETCH_DONE);
  assert_string_equal(p.body, "hello");
  probe_done(&p);
  origin_free(origin);
  fetch_free(f);
}

static void cancel_other(struct probe *p) {
  if (p->other->transfer) fetch_cancel(p->other->transfer);
}

static void an_error_of_a_callback_stops_the_transfer(void **state) {
  (void)state;
  struct fetch *f = probe_fetch_new(0);
  struct origin *origin = stalling(HEAD200 "Content-Length: 9\r\n\r\nhello");
  for (int i = 0; i < 2; i++) {
    char url[ORIGIN_URL_SIZE];
    struct probe p;
    origin_url(origin, "http", "/a", url);
    probe_init(&p, f, url);
    p.reply_answer = i == 0 ? ERR_DENIED : OK;
    p.data_answer = i == 1 ? ERR_FULL : OK;
    probe_run(&p);
    assert_int_equal(p.result.end, FETCH_STOPPED);
    assert_int_equal(p.result.status, 200);
    assert_int_equal(p.datas, i);
    probe_done(&p);
  }
  fetch_free(f);
  origin_free(origin);
}

static void cancelling_from_any_callback_ends_at_once(void **state) {
  (void)state;
  struct fetch *f = probe_fetch_new(0);
  struct origin *origin = stalling(HEAD200 "Content-Length: 9\r\n\r\nhello");
  for (int i = 0; i < 4; i++) {
    char url[ORIGIN_URL_SIZE];
    struct probe p, other;
    origin_url(origin, "http", "/a", url);
    probe_init(&p, f, url);
    probe_init(&other, f, url);
    p.other = i < 2 ? &p : &other; /* itself, or a neighbour */
    if (i % 2 == 0) {
      p.during_reply = cancel_other;
    } else {
      p.during_data = cancel_other;
    }
    if (i >= 2) {
      p.data_answer = ERR_DENIED;
      probe_start(&other);
      probe_wait_data(&other);
    }
    probe_run(&p);
    assert_int_equal(p.result.end, FETCH_STOPPED);
    assert_int_equal(p.ends, 1);
    assert_int_equal(p.datas, i == 0 ? 0 : 1);
    if (i >= 2) {
      probe_wait_end(&other);
      assert_int_equal(other.result.end, FETCH_STOPPED);
      assert_int_equal(other.ends, 1);
    }
    probe_done(&p);
    probe_done(&other);
  }
  fetch_free(f);
  origin_free(origin);
}

static void start_other(struct probe *p) {
  probe_start_here(p->other);
}

static void on_end_may_start_the_next_transfer(void **state) {
  (void)state;
  struct fetch *f = probe_fetch_new(1);
  struct origin *origin = origin_new(say_and_keep, (void *)(uintptr_t)HEAD200 "Content-Length: 5\r\n\r\nhello");
  char url[ORIGIN_URL_SIZE];
  struct probe p[3];
  origin_url(origin, "http", "/a", url);
  for (int i = 0; i < 3; i++) probe_init(&p[i], f, url);
  p[0].during_end = start_other; /* after the reply */
  p[0].other = &p[1];
  p[1].during_data = start_other; /* within curl's callback */
  p[1].other = &p[2];
  probe_start(&p[0]);
  for (int i = 0; i < 3; i++) probe_wait_end(&p[i]);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(p[i].result.end, FETCH_DONE);
    probe_done(&p[i]);
  }
  assert_int_equal(origin_connections(origin), 1);
  fetch_free(f);
  origin_free(origin);
}

static void start_and_cancel(void *arg) {
  struct probe *p = arg;
  probe_start_here(p);
  fetch_cancel(p->transfer);
  p->started = p->ends == 1 ? OK : ERR_IO; /* before fetch_cancel returned */
}

static void a_transfer_that_has_not_begun_can_be_cancelled(void **state) {
  (void)state;
  struct fetch *f = probe_fetch_new(0);
  struct probe p;
  probe_init(&p, f, "http://127.0.0.1:1/");
  probe_on_thread(f, start_and_cancel, &p);
  assert_int_equal(p.started, OK);
  assert_int_equal(p.result.end, FETCH_STOPPED);
  assert_int_equal(p.result.status, 0);
  probe_done(&p);
  fetch_free(f);
}

static bool answer_when_told(void *arg, int fd, const struct origin_request *request) {
  atomic_int *told = arg;
  (void)request;
  atomic_fetch_add(told, 1);
  origin_say(fd, HEAD200 "Content-Length: 5\r\n\r\nhello");
  return true;
}

static void at_most_max_connections_are_open(void **state) {
  (void)state;
  enum { MANY = 20 };
  atomic_int told = 0;
  struct fetch *f = probe_fetch_new(3);
  struct origin *origin = origin_new(answer_when_told, &told);
  char url[ORIGIN_URL_SIZE];
  static struct probe p[MANY];
  origin_url(origin, "http", "/a", url);
  for (int i = 0; i < MANY; i++) {
    probe_init(&p[i], f, url);
    probe_start(&p[i]);
  }
  for (int i = 0; i < MANY; i++) {
    probe_wait_end(&p[i]);
    assert_int_equal(p[i].result.end, FETCH_DONE);
    probe_done(&p[i]);
  }
  assert_int_equal(atomic_load(&told), MANY);
  assert_in_range(origin_most_at_once(origin), 1, 3);
  fetch_free(f);
  origin_free(origin);
}

static void waiting_for_a_place_does_not_count_as_connecting(void **state) {
  (void)state;
  if (!probe_owns_time()) skip();
  struct fetch *f = probe_fetch_new(1);
  struct origin *slow = stalling(HEAD200 "Content-Length: 9\r\n\r\nhello");
  struct origin *quick = origin_new(say_and_keep, (void *)(uintptr_t)HEAD200 "Content-Length: 5\r\n\r\nhello");
  char slow_url[ORIGIN_URL_SIZE], quick_url[ORIGIN_URL_SIZE];
  struct probe first, second;
  origin_url(slow, "http", "/a", slow_url);
  origin_url(quick, "http", "/a", quick_url);
  probe_init(&first, f, slow_url);
  probe_init(&second, f, quick_url);
  second.request.connect_ms = 1000;
  probe_start(&first);
  probe_wait_data(&first);
  probe_start(&second);
  clock_test_advance_ms(30000);
  probe_wait_end(&first);
  probe_wait_end(&second);
  assert_int_equal(first.result.end, FETCH_TIMEOUT);
  assert_int_equal(second.result.end, FETCH_DONE);
  probe_done(&first);
  probe_done(&second);
  fetch_free(f);
  origin_free(slow);
  origin_free(quick);
}

static void count(void *arg) {
  atomic_fetch_add((atomic_int *)arg, 1);
}

static void freeing_stops_transfers_and_runs_posts(void **state) {
  (void)state;
  enum { MANY = 5, POSTS = 100 };
  struct fetch *f = probe_fetch_new(3);
  struct origin *origin = stalling(HEAD200 "Content-Length: 9\r\n\r\nhello");
  char url[ORIGIN_URL_SIZE];
  static struct probe p[MANY];
  atomic_int ran = 0;
  origin_url(origin, "http", "/a", url);
  for (int i = 0; i < MANY; i++) {
    probe_init(&p[i], f, url);
    probe_start(&p[i]);
  }
  probe_wait_data(&p[0]);
  probe_on_thread(f, count, &(atomic_int){0}); /* all were started */
  for (int i = 0; i < POSTS; i++) assert_int_equal(fetch_post(f, count, &ran), OK);
  assert_null(fetch_free(f));
  assert_int_equal(atomic_load(&ran), POSTS);
  for (int i = 0; i < MANY; i++) {
    assert_int_equal(p[i].started, OK);
    assert_int_equal(p[i].ends, 1);
    assert_int_equal(p[i].result.end, FETCH_STOPPED);
    probe_done(&p[i]);
  }
  origin_free(origin);
  assert_null(fetch_free(NULL));
}

struct late {
  struct probe *p;
  enum err start, post;
  atomic_int ran;
};

static void try_again(struct probe *p) {
  struct late *late = (void *)p->other;
  struct fetch_transfer *t;
  late->start = fetch_start(p->fetch, &p->request, &t);
  late->post = fetch_post(p->fetch, count, &late->ran);
}

static void no_transfer_begins_after_the_end(void **state) {
  (void)state;
  struct fetch *f = probe_fetch_new(0);
  struct origin *origin = stalling(HEAD200 "Content-Length: 9\r\n\r\nhello");
  char url[ORIGIN_URL_SIZE];
  struct probe p;
  struct late late = {.p = &p};
  origin_url(origin, "http", "/a", url);
  probe_init(&p, f, url);
  p.during_end = try_again;
  p.other = (void *)&late;
  probe_start(&p);
  probe_wait_data(&p);
  fetch_free(f);
  assert_int_equal(late.start, ERR_CLOSED);
  assert_int_equal(late.post, ERR_CLOSED);
  assert_int_equal(atomic_load(&late.ran), 0);
  probe_done(&p);
  origin_free(origin);
}

struct ticker {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int ticks;
  int64_t wait_ms;
};

static int64_t tick(void *arg) {
  struct ticker *ticker = arg;
  pthread_mutex_lock(&ticker->mutex);
  ticker->ticks++;
  pthread_cond_broadcast(&ticker->changed);
  int64_t wait_ms = ticker->wait_ms;
  pthread_mutex_unlock(&ticker->mutex);
  return wait_ms;
}

static void wait_ticks(struct ticker *ticker, int n) {
  pthread_mutex_lock(&ticker->mutex);
  while (ticker->ticks < n) pthread_cond_wait(&ticker->changed, &ticker->mutex);
  pthread_mutex_unlock(&ticker->mutex);
}

static int ticks_of(struct ticker *ticker) {
  pthread_mutex_lock(&ticker->mutex);
  int n = ticker->ticks;
  pthread_mutex_unlock(&ticker->mutex);
  return n;
}

static void it_ticks_when_woken_posted_and_due(void **state) {
  (void)state;
  struct ticker ticker = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 50000};
  const struct fetch_config config = {.name = "fetch", .arg = &ticker, .tick = tick};
  struct fetch *f;
  atomic_int ran = 0;
  bool owns_time = probe_owns_time();
  assert_int_equal(fetch_new(&config, &f), OK);
  wait_ticks(&ticker, 1);
  int before = ticks_of(&ticker);
  fetch_wake(f);
  wait_ticks(&ticker, before + 1);
  before = ticks_of(&ticker);
  assert_int_equal(fetch_post(f, count, &ran), OK);
  wait_ticks(&ticker, before + 1);
  assert_int_equal(atomic_load(&ran), 1);
  if (owns_time) {
    before = ticks_of(&ticker);
    clock_test_advance_ms(50000);
    wait_ticks(&ticker, before + 1);
  }
  pthread_mutex_lock(&ticker.mutex);
  ticker.wait_ms = -1; /* at once, again and again */
  pthread_mutex_unlock(&ticker.mutex);
  before = ticks_of(&ticker);
  fetch_wake(f);
  wait_ticks(&ticker, before + 5);
  fetch_free(f);
}

struct poster {
  struct fetch *f;
  atomic_int *ran;
};

static void *post_many(void *arg) {
  struct poster *poster = arg;
  for (int i = 0; i < 1000; i++) {
    if (fetch_post(poster->f, count, poster->ran) != OK) break;
  }
  return NULL;
}

static void posts_of_many_threads_all_run(void **state) {
  (void)state;
  atomic_int ran = 0;
  struct fetch *f = probe_fetch_new(0);
  struct poster poster = {f, &ran};
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, post_many, &poster), 0);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  fetch_free(f);
  assert_int_equal(atomic_load(&ran), 4000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(silence_ends_in_a_timeout),
      cmocka_unit_test(too_slow_ends_in_a_timeout),
      cmocka_unit_test(a_redirect_whose_body_stalls_is_followed),
      cmocka_unit_test(an_error_of_a_callback_stops_the_transfer),
      cmocka_unit_test(cancelling_from_any_callback_ends_at_once),
      cmocka_unit_test(on_end_may_start_the_next_transfer),
      cmocka_unit_test(a_transfer_that_has_not_begun_can_be_cancelled),
      cmocka_unit_test(at_most_max_connections_are_open),
      cmocka_unit_test(waiting_for_a_place_does_not_count_as_connecting),
      cmocka_unit_test(freeing_stops_transfers_and_runs_posts),
      cmocka_unit_test(no_transfer_begins_after_the_end),
      cmocka_unit_test(it_ticks_when_woken_posted_and_due),
      cmocka_unit_test(posts_of_many_threads_all_run),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
