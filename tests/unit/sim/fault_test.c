#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fault.h"

static struct faults order(const char *const *words) {
  struct faults f = {.count = 0};
  for (; *words; words++) assert_int_equal(faults_add(&f, str_from(*words)), OK);
  return f;
}

static void answers_are_used_up_one_after_the_other(void **state) {
  (void)state;
  struct faults f = order((const char *const[]){"not_yet:2", "slow:100", "cut:1", NULL});
  enum fault_kind kind;
  assert_true(faults_take_answer(&f, &kind));
  assert_int_equal(kind, FAULT_NOT_YET);
  assert_true(faults_take_answer(&f, &kind));
  assert_int_equal(kind, FAULT_NOT_YET);
  assert_true(faults_take_answer(&f, &kind));
  assert_int_equal(kind, FAULT_CUT);
  assert_false(faults_take_answer(&f, &kind));
}

static void a_fault_without_a_count_is_always_due(void **state) {
  (void)state;
  struct faults f = order((const char *const[]){"500", NULL});
  enum fault_kind kind;
  for (int i = 0; i < 1000; i++) assert_true(faults_take_answer(&f, &kind));
}

static void numbers_are_told(void **state) {
  (void)state;
  struct faults f = order((const char *const[]){"slow:4000", "stall:3:1", "late:0", "dup", NULL});
  int64_t number = -1;
  assert_true(faults_take(&f, FAULT_SLOW, &number));
  assert_int_equal(number, 4000);
  assert_true(faults_take(&f, FAULT_STALL, &number));
  assert_int_equal(number, 3);
  assert_false(faults_take(&f, FAULT_STALL, &number));
  assert_true(faults_take(&f, FAULT_DUP, &number));
  assert_false(faults_take(&f, FAULT_LOST, &number));
  assert_false(faults_take(NULL, FAULT_LOST, &number));
}

static void what_makes_no_sense_is_refused(void **state) {
  (void)state;
  static const char *const words[] = {
      "",       "lost:1", "cut:",    "cut:-1",  "cut:x",           "Cut",         "slow", "slow:",
      "slow:0", "stall",  "slow:1:", "dup:yes", "429:99999999999", "not_yet:1:1", "lose", "lose:101"};
  for (size_t i = 0; i < COUNT_OF(words); i++) {
    struct faults f = {.count = 0};
    if (faults_add(&f, str_from(words[i])) != ERR_INVALID) fail_msg("%s", words[i]);
    assert_int_equal(f.count, 0);
  }
}

static void there_is_a_ceiling(void **state) {
  (void)state;
  struct faults f = {.count = 0};
  for (int i = 0; i < FAULTS_MAX; i++) assert_int_equal(faults_add(&f, STR("cut:1")), OK);
  assert_int_equal(faults_add(&f, STR("cut:1")), ERR_TOO_BIG);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(answers_are_used_up_one_after_the_other),
      cmocka_unit_test(a_fault_without_a_count_is_always_due),
      cmocka_unit_test(numbers_are_told),
      cmocka_unit_test(what_makes_no_sense_is_refused),
      cmocka_unit_test(there_is_a_ceiling),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
