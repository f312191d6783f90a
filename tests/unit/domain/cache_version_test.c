#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>

#include "domain/cache_version.h"

static int setup(void **state) {
  struct cache_versions *v;
  if (cache_versions_new(&v) != OK) return -1;
  *state = v;
  return 0;
}

static int teardown(void **state) {
  cache_versions_free(*state);
  return 0;
}

static void a_mark_holds_until_its_own_thing_changes(void **state) {
  struct cache_versions *v = *state;
  struct cache_mark mark = cache_mark(v, CACHE_RECORDING, 1, STR("RE1"));
  const struct {
    enum cache_kind kind;
    int64_t owner;
    const char *id;
  } others[] = {{CACHE_RECORDING, 1, "RE2"}, {CACHE_RECORDING, 2, "RE1"}, {CACHE_CALL, 1, ""},
                {CACHE_KEY_SESSIONS, 1, ""}, {CACHE_SESSION, 0, "RE1"},   {CACHE_BUSINESS_SESSIONS, 1, ""}};
  for (size_t i = 0; i < COUNT_OF(others); i++) {
    struct cache_mark other = cache_mark(v, others[i].kind, others[i].owner, str_from(others[i].id));
    if (other.counter == mark.counter) continue; /* with this process's seed they share one */
    cache_changed(v, others[i].kind, others[i].owner, str_from(others[i].id));
    assert_false(cache_mark_holds(&other));
    assert_true(cache_mark_holds(&mark));
  }
  cache_changed(v, CACHE_RECORDING, 1, STR("RE1"));
  assert_false(cache_mark_holds(&mark));
  mark = cache_mark(v, CACHE_RECORDING, 1, STR("RE1"));
  assert_true(cache_mark_holds(&mark));
  cache_changed_all(v);
  assert_false(cache_mark_holds(&mark));
}

/* So a change invalidates hardly anything else. */
static void few_things_share_a_counter(void **state) {
  enum { THINGS = 1000 };
  struct cache_versions *v = *state;
  static struct cache_mark marks[THINGS];
  char sid[40];
  for (int i = 0; i < THINGS; i++) {
    (void)snprintf(sid, sizeof(sid), "RE%032d", i);
    marks[i] = cache_mark(v, CACHE_RECORDING, 7, str_from(sid));
  }
  int shared = 0;
  for (int i = 0; i < THINGS; i++)
    for (int j = 0; j < i; j++) shared += marks[i].counter == marks[j].counter;
  assert_in_range(shared, 0, 60); /* 7.6 of 499,500 pairs are expected */
}

static void *change_often(void *arg) {
  for (int i = 0; i < 1000; i++) cache_changed(arg, CACHE_CALL, 1, STR_NONE);
  return NULL;
}

static void changes_of_many_threads_all_count(void **state) {
  struct cache_versions *v = *state;
  pthread_t threads[4];
  uint64_t before = cache_version(v, CACHE_CALL, 1, STR_NONE);
  for (size_t i = 0; i < COUNT_OF(threads); i++)
    assert_int_equal(pthread_create(&threads[i], NULL, change_often, v), 0);
  for (size_t i = 0; i < COUNT_OF(threads); i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_int_equal(cache_version(v, CACHE_CALL, 1, STR_NONE), before + 4000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_mark_holds_until_its_own_thing_changes, setup, teardown),
      cmocka_unit_test_setup_teardown(few_things_share_a_counter, setup, teardown),
      cmocka_unit_test_setup_teardown(changes_of_many_threads_all_count, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
