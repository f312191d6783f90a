#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "domain/events.h"

static void count(void *arg) {
  atomic_fetch_add((atomic_int *)arg, 1);
}

static void a_watch_is_called_for_its_own_recording_only(void **state) {
  (void)state;
  struct events *e;
  struct events_watch *w[3];
  atomic_int calls[3] = {0, 0, 0};
  assert_int_equal(events_new(&e), OK);
  assert_int_equal(events_watch(e, 1, STR("RE1"), count, &calls[0], &w[0]), OK);
  assert_int_equal(events_watch(e, 1, STR("RE1"), count, &calls[1], &w[1]), OK);
  assert_int_equal(events_watch(e, 2, STR("RE1"), count, &calls[2], &w[2]), OK);
  events_notify(e, 1, STR("RE1"));
  events_notify(e, 1, STR("RE2"));
  events_unwatch(w[0]);
  events_notify(e, 1, STR("RE1"));
  events_notify_all(e);
  assert_int_equal(calls[0], 1);
  assert_int_equal(calls[1], 3);
  assert_int_equal(calls[2], 1);
  events_unwatch(NULL);
  events_unwatch(w[1]);
  events_free(e); /* ends the watches that are left */
}

static void a_sid_that_is_too_long_is_refused(void **state) {
  (void)state;
  struct events *e;
  struct events_watch *w = NULL;
  assert_int_equal(events_new(&e), OK);
  assert_int_equal(events_watch(e, 1, STR("RE0123456789012345678901234567890123456789"), count, NULL, &w), ERR_TOO_BIG);
  assert_null(w);
  events_free(e);
}

/* ---- with threads ---- */

enum { ROUNDS = 2000 };

static void *tell_often(void *arg) {
  for (int i = 0; i < ROUNDS; i++) events_notify(arg, 1, STR("RE1"));
  return NULL;
}

struct watched {
  atomic_bool alive;
};

static void must_be_alive(void *arg) {
  assert_true(atomic_load(&((struct watched *)arg)->alive));
}

static void on_change_does_not_run_once_unwatch_returned(void **state) {
  (void)state;
  struct events *e;
  pthread_t teller;
  assert_int_equal(events_new(&e), OK);
  assert_int_equal(pthread_create(&teller, NULL, tell_often, e), 0);
  for (int i = 0; i < ROUNDS; i++) {
    struct watched watched;
    struct events_watch *w;
    atomic_init(&watched.alive, true);
    assert_int_equal(events_watch(e, 1, STR("RE1"), must_be_alive, &watched, &w), OK);
    events_unwatch(w);
    atomic_store(&watched.alive, false);
  }
  pthread_join(teller, NULL);
  events_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_watch_is_called_for_its_own_recording_only),
      cmocka_unit_test(a_sid_that_is_too_long_is_refused),
      cmocka_unit_test(on_change_does_not_run_once_unwatch_returned),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
