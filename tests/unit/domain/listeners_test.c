#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "base/str.h"
#include "domain/listeners.h"

static const struct listener_limits limits = {.all = 100, .by_url = 25, .by_one_url = 10};

/* Adds up to most listeners; returns how many got a place. places: their places. */
static size_t fill(struct listeners *l, uint64_t url, size_t most, struct listener_place **places) {
  size_t n = 0;
  while (n < most && listeners_enter(l, &limits, url, &places[n]) == OK) n++;
  return n;
}

static void leave(struct listener_place **places, size_t n) {
  for (size_t i = 0; i < n; i++) listeners_leave(places[i]);
}

static void each_kind_has_its_limit(void **state) {
  (void)state;
  struct listeners *l;
  struct listener_place *one[200], *two[200], *three[200], *plain[200];
  assert_int_equal(listeners_new(&l), OK);
  assert_int_equal(fill(l, 1, 200, one), 10);   /* of one URL */
  assert_int_equal(fill(l, 2, 200, two), 10);   /* another has its own */
  assert_int_equal(fill(l, 3, 200, three), 5);  /* all URLs together */
  assert_int_equal(fill(l, 0, 200, plain), 75); /* and the rest are others */
  leave(two, 10);
  assert_int_equal(fill(l, 3, 200, three + 5), 5);
  leave(one, 10);
  leave(three, 10);
  leave(plain, 75);
  assert_int_equal(fill(l, 0, 200, plain), 100);
  assert_int_equal(fill(l, 1, 200, one), 0);
  leave(plain, 100);
  assert_int_equal(fill(l, 1, 200, one), 10);
  leave(one, 10);
  listeners_unref(l);
}

static void a_listener_outlives_the_business(void **state) {
  (void)state;
  struct listeners *l;
  struct listener_place *places[2];
  assert_int_equal(listeners_new(&l), OK);
  assert_int_equal(fill(l, 0, 1, places) + fill(l, 7, 1, places + 1), 2);
  listeners_unref(listeners_ref(l));
  listeners_unref(l);
  leave(places, 2);
}

static void *come_and_go(void *arg) {
  for (uint64_t i = 0; i < 2000; i++) {
    struct listener_place *place;
    if (listeners_enter(arg, &limits, i % 3, &place) == OK) listeners_leave(place);
  }
  return NULL;
}

static void threads_lose_no_place(void **state) {
  (void)state;
  struct listeners *l;
  pthread_t threads[4];
  struct listener_place *places[200];
  assert_int_equal(listeners_new(&l), OK);
  for (size_t i = 0; i < COUNT_OF(threads); i++) assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, l), 0);
  for (size_t i = 0; i < COUNT_OF(threads); i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_int_equal(fill(l, 0, 200, places), 100);
  leave(places, 100);
  listeners_unref(l);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_kind_has_its_limit),
      cmocka_unit_test(a_listener_outlives_the_business),
      cmocka_unit_test(threads_lose_no_place),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
