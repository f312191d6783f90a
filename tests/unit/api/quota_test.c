#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/request/api_quota.h"

static const int64_t SECOND_US = 1000000;

static int turns(struct quota *q, int64_t business_id, int64_t now_us, int64_t *ret_wait_s) {
  int n = 0;
  while (quota_take_turn(q, business_id, now_us, 10, 50, ret_wait_s)) n++;
  return n;
}

static void a_burst_may_be_taken_at_once_and_then_so_many_a_second(void **state) {
  (void)state;
  struct quota *q;
  int64_t wait_s = 0, now_us = 5 * SECOND_US;
  assert_int_equal(quota_new(&q), OK);
  assert_int_equal(turns(q, 1, now_us, &wait_s), 50);
  assert_int_equal(wait_s, 1);
  assert_int_equal(turns(q, 1, now_us + SECOND_US, &wait_s), 10);
  assert_int_equal(turns(q, 1, now_us + 3 * SECOND_US, &wait_s), 20);
  assert_int_equal(turns(q, 2, now_us + 3 * SECOND_US, &wait_s), 50); /* another business has its own */
  assert_int_equal(turns(q, 1, now_us + 1000 * SECOND_US, &wait_s), 50);
  quota_free(q);
}

static void of_bytes_there_are_at_most_so_many_at_once(void **state) {
  (void)state;
  struct quota *q;
  assert_int_equal(quota_new(&q), OK);
  assert_true(quota_add(q, 1, 60, 100));
  assert_false(quota_add(q, 1, 41, 100));
  assert_true(quota_add(q, 1, 40, 100));
  assert_true(quota_add(q, 2, 100, 100));
  quota_give_back(q, 1, 60);
  assert_true(quota_add(q, 1, 60, 100));
  assert_false(quota_add(q, 1, 1, 100));
  quota_free(q);
}

/* Businesses whose ids hash to the same cell do not share a quota. */
static void each_of_many_businesses_has_its_own(void **state) {
  (void)state;
  enum { COUNT = 50000 };
  struct quota *q;
  assert_int_equal(quota_new(&q), OK);
  for (int64_t i = 1; i <= COUNT; i++) assert_true(quota_add(q, i * 4096, i, i));
  for (int64_t i = 1; i <= COUNT; i++) assert_false(quota_add(q, i * 4096, 1, i));
  for (int64_t i = 1; i <= COUNT; i++) quota_give_back(q, i * 4096, i);
  quota_free(q);
}

static void who_has_nothing_is_forgotten(void **state) {
  (void)state;
  struct quota *q;
  assert_int_equal(quota_new(&q), OK);
  for (int64_t i = 1; i <= 1000000; i++) {
    assert_true(quota_add(q, i, 10, 10));
    quota_give_back(q, i, 10);
  }
  assert_true(quota_businesses(q) <= 32);
  quota_free(q);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_burst_may_be_taken_at_once_and_then_so_many_a_second),
      cmocka_unit_test(of_bytes_there_are_at_most_so_many_at_once),
      cmocka_unit_test(each_of_many_businesses_has_its_own),
      cmocka_unit_test(who_has_nothing_is_forgotten),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
