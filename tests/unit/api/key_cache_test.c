#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "api/auth/api_key_cache.h"

static struct key_cache *stage_new(void) {
  struct key_cache *k;
  assert_int_equal(key_cache_new(&k), OK);
  return k;
}

static void a_key_is_known_by_its_whole_text(void **state) {
  (void)state;
  struct key_cache *k = stage_new();
  const struct access_key key = {.key_id = 7};
  struct str text = STR("Bearer cr_sdbzaQ59zRarwe2B9txidoy-X6vVJ8XhMeFP7EVKjbs");
  assert_null(key_cache_find(k, text));
  key_cache_put(k, text, &key);
  assert_ptr_equal(key_cache_find(k, text), &key);
  assert_null(key_cache_find(k, str_head(text, text.n - 1)));
  char other[64];
  memcpy(other, text.p, text.n);
  for (size_t i = 0; i < text.n; i++) {
    other[i] ^= 1;
    assert_null(key_cache_find(k, str_of(other, text.n)));
    other[i] ^= 1;
  }
  key_cache_free(k);
}

static void what_was_forgotten_is_not_known(void **state) {
  (void)state;
  struct key_cache *k = stage_new();
  const struct access_key key = {.key_id = 7};
  key_cache_put(k, STR("Bearer cr_1"), &key);
  key_cache_forget(k);
  assert_null(key_cache_find(k, STR("Bearer cr_1")));
  key_cache_put(k, STR("Bearer cr_1"), &key);
  assert_ptr_equal(key_cache_find(k, STR("Bearer cr_1")), &key);
  key_cache_free(k);
}

static void no_text_and_a_long_one_are_never_known(void **state) {
  (void)state;
  struct key_cache *k = stage_new();
  const struct access_key key = {.key_id = 7};
  char text[1000];
  memset(text, 'a', sizeof(text));
  key_cache_put(k, STR_NONE, &key);
  assert_null(key_cache_find(k, STR_NONE));
  for (size_t n = 1; n <= sizeof(text); n++) {
    key_cache_put(k, str_of(text, n), &key);
    const struct access_key *found = key_cache_find(k, str_of(text, n));
    assert_true(n > 64 ? !found : found == &key);
  }
  key_cache_free(k);
}

static void many_keys_are_never_taken_for_each_other(void **state) {
  (void)state;
  struct key_cache *k = stage_new();
  static struct access_key keys[5000];
  char text[32];
  for (int i = 0; i < 5000; i++)
    key_cache_put(k, str_of(text, (size_t)snprintf(text, sizeof(text), "Bearer cr_%d", i)), &keys[i]);
  for (int i = 0; i < 5000; i++) {
    const struct access_key *found =
        key_cache_find(k, str_of(text, (size_t)snprintf(text, sizeof(text), "Bearer cr_%d", i)));
    assert_true(!found || found == &keys[i]);
  }
  key_cache_free(k);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_key_is_known_by_its_whole_text),
      cmocka_unit_test(what_was_forgotten_is_not_known),
      cmocka_unit_test(no_text_and_a_long_one_are_never_known),
      cmocka_unit_test(many_keys_are_never_taken_for_each_other),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
