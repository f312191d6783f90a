/* Metric labels that are indexed by another enum must have that enum's names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/metric.h"
#include "domain/recording.h"

static void assert_same(enum metric m, unsigned count, const char *(*name)(unsigned)) {
  for (unsigned i = 0; i < count; i++) {
    const char *text = metric_label_text(m, 0, i);
    assert_non_null(text);
    assert_string_equal(text, name(i)[0] ? name(i) : "none");
  }
  assert_null(metric_label_text(m, 0, count));
}

static const char *skip_name(unsigned i) {
  return recording_skip_name((enum recording_skip)i);
}
static const char *status_name(unsigned i) {
  return recording_status_name((enum recording_status)i);
}
static const char *error_code(unsigned i) {
  return recording_error_code((enum recording_error)i);
}

static void labels_of_skips_are_the_names_in_the_log(void **state) {
  (void)state;
  assert_same(METRIC_DEDUPLICATED, RECORDING_SKIP_COUNT_, skip_name);
}

static void labels_of_states_are_the_names_in_the_ledger(void **state) {
  (void)state;
  assert_same(METRIC_RECORDINGS, RECORDING_STATUS_COUNT_, status_name);
}

static void labels_of_failures_are_the_codes_of_status_objects(void **state) {
  (void)state;
  assert_same(METRIC_RECORDINGS_FAILED, RECORDING_ERROR_COUNT_, error_code);
  assert_same(METRIC_FILL_FAILURES, RECORDING_ERROR_COUNT_, error_code);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(labels_of_skips_are_the_names_in_the_log),
      cmocka_unit_test(labels_of_states_are_the_names_in_the_ledger),
      cmocka_unit_test(labels_of_failures_are_the_codes_of_status_objects),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
