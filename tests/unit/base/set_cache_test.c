#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/set_cache.h"

static struct set_cache *cache_new(size_t sets, size_t ways) {
  const struct set_cache_sizes sizes = {.sets = sets, .ways = ways, .key_max = 13, .value_size = sizeof(int64_t)};
  struct set_cache *c;
  assert_int_equal(set_cache_new(&sizes, &c), OK);
  return c;
}

static void cache_put(struct set_cache *c, const char *key, int64_t value) {
  int64_t *place = set_cache_put(c, str_from(key));
  assert_non_null(place);
  *place = value;
}

/* 0: not cached. */
static int64_t cache_get(struct set_cache *c, const char *key) {
  const int64_t *value = set_cache_find(c, str_from(key));
  return value ? *value : 0;
}

static void a_value_is_found_by_its_whole_key(void **state) {
  (void)state;
  struct set_cache *c = cache_new(1, 4);
  cache_put(c, "abcdefghijklm", 7);
  assert_int_equal(cache_get(c, "abcdefghijklm"), 7);
  assert_int_equal(cache_get(c, "abcdefghijkl"), 0);
  assert_int_equal(cache_get(c, "abcdefghijklM"), 0);
  assert_int_equal(cache_get(c, "Abcdefghijklm"), 0);
  set_cache_free(c);
}

static void a_key_that_is_put_again_has_one_place_and_its_value(void **state) {
  (void)state;
  struct set_cache *c = cache_new(1, 2);
  cache_put(c, "a", 1);
  cache_put(c, "b", 2);
  assert_int_equal(*(int64_t *)set_cache_put(c, STR("a")), 1);
  cache_put(c, "a", 3);
  assert_int_equal(cache_get(c, "a"), 3);
  assert_int_equal(cache_get(c, "b"), 2);
  set_cache_free(c);
}

static void the_least_recently_used_place_of_a_full_set_is_replaced_by_a_zeroed_one(void **state) {
  (void)state;
  struct set_cache *c = cache_new(1, 3);
  cache_put(c, "a", 1);
  cache_put(c, "b", 2);
  cache_put(c, "c", 3);
  assert_int_equal(cache_get(c, "a"), 1);
  assert_int_equal(*(int64_t *)set_cache_put(c, STR("d")), 0);
  assert_int_equal(cache_get(c, "a"), 1);
  assert_int_equal(cache_get(c, "b"), 0);
  assert_int_equal(cache_get(c, "c"), 3);
  set_cache_free(c);
}

static void an_empty_key_and_one_that_is_too_long_are_never_cached(void **state) {
  (void)state;
  struct set_cache *c = cache_new(1, 2);
  assert_null(set_cache_put(c, STR_NONE));
  assert_null(set_cache_find(c, STR_NONE));
  assert_null(set_cache_put(c, STR("abcdefghijklmn")));
  assert_null(set_cache_find(c, STR("abcdefghijklmn")));
  set_cache_free(c);
}

static void nothing_is_found_after_forget_and_new_keys_are(void **state) {
  (void)state;
  struct set_cache *c = cache_new(16, 2);
  cache_put(c, "a", 1);
  set_cache_forget(c);
  assert_int_equal(cache_get(c, "a"), 0);
  cache_put(c, "a", 2);
  assert_int_equal(cache_get(c, "a"), 2);
  set_cache_free(c);
}

static void many_keys_are_never_taken_for_each_other(void **state) {
  (void)state;
  struct set_cache *c = cache_new(256, 2);
  char key[14];
  int found = 0;
  for (int i = 1; i <= 5000; i++) {
    (void)snprintf(key, sizeof(key), "key %d", i);
    cache_put(c, key, i);
    assert_int_equal((uintptr_t)set_cache_find(c, str_from(key)) % 8, 0);
  }
  for (int i = 1; i <= 5000; i++) {
    (void)snprintf(key, sizeof(key), "key %d", i);
    int64_t value = cache_get(c, key);
    assert_true(value == 0 || value == i);
    found += value != 0;
  }
  assert_true(found > 500); /* of 512 places */
  set_cache_free(c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_value_is_found_by_its_whole_key),
      cmocka_unit_test(a_key_that_is_put_again_has_one_place_and_its_value),
      cmocka_unit_test(the_least_recently_used_place_of_a_full_set_is_replaced_by_a_zeroed_one),
      cmocka_unit_test(an_empty_key_and_one_that_is_too_long_are_never_cached),
      cmocka_unit_test(nothing_is_found_after_forget_and_new_keys_are),
      cmocka_unit_test(many_keys_are_never_taken_for_each_other),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
