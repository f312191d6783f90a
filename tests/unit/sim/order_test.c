#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "order.h"

#define NOW_MS 1790000000000

static enum err parse(const char *json, struct order *order, char problem[200]) {
  json_error_t why;
  const char *sentence = "";
  json_t *root = json_loads(json, 0, &why);
  assert_non_null(root);
  enum err e = order_parse(root, NOW_MS, problem, 200, &sentence, order);
  json_decref(root);
  return e;
}

static void an_empty_order_is_an_inbound_call_of_ten_seconds(void **state) {
  (void)state;
  struct order o;
  char problem[200];
  assert_int_equal(parse("{}", &o, problem), OK);
  assert_int_equal(o.seconds, 10);
  assert_int_equal(o.channels, 1);
  assert_int_equal(o.legs, 1);
  assert_true(o.inbound);
  assert_int_equal(o.start_ms, NOW_MS - 10000);
  assert_string_equal(o.status, "completed");
  assert_string_equal(o.call_status, "completed");
  assert_string_equal(o.from, "+15005550100");
  assert_false(o.no_recording);
  assert_int_equal(o.faults.count, 0);
}

static void what_was_ordered_is_kept(void **state) {
  (void)state;
  struct order o;
  char problem[200];
  assert_int_equal(
      parse(
          "{\"seconds\":0,\"channels\":2,\"legs\":2,\"direction\":\"outbound\",\"booked_on\":\"child\",\"status\":"
          "\"absent\","
          "\"start_time\":\"2026-01-02T03:04:05Z\",\"complete_after\":3,\"faults\":[\"cut:1\",\"dup\"],\"from\":null}",
          &o, problem),
      OK);
  assert_int_equal(o.seconds, 0);
  assert_int_equal(o.channels, 2);
  assert_int_equal(o.legs, 2);
  assert_false(o.inbound);
  assert_true(o.on_child);
  assert_string_equal(o.status, "absent");
  assert_int_equal(o.error_code, 16101);
  assert_int_equal(o.start_ms, 1767323045000);
  assert_int_equal(o.complete_after_ms, 3000);
  assert_int_equal(o.faults.count, 2);
}

static void a_call_without_talk_has_no_recording(void **state) {
  (void)state;
  struct order o;
  char problem[200];
  assert_int_equal(parse("{\"call_status\":\"busy\"}", &o, problem), OK);
  assert_true(o.no_recording);
  assert_int_equal(o.seconds, 0);
}

static void a_bad_field_is_named_with_its_rule(void **state) {
  (void)state;
  static const struct {
    const char *json, *problem;
  } cases[] = {
      {"[]", "the body: must be a JSON object"},
      {"{\"seconds\":\"10\"}", "seconds: must be a whole number from 0 to 14400"},
      {"{\"seconds\":1.5}", "seconds: must be a whole number from 0 to 14400"},
      {"{\"seconds\":14401}", "seconds: must be a whole number from 0 to 14400"},
      {"{\"channels\":3}", "channels: must be 1 or 2"},
      {"{\"legs\":0}", "legs: must be 1 or 2"},
      {"{\"direction\":\"up\"}", "direction: must be inbound or outbound"},
      {"{\"from\":\"\"}", "from: must be a text of 1 to 200 bytes"},
      {"{\"status\":\"lost\"}", "status: must be a recording's status"},
      {"{\"start_time\":\"yesterday\"}", "start_time: must be an RFC 3339 time"},
      {"{\"faults\":\"cut\"}", "faults: must be a list of at most 16 known faults"},
      {"{\"faults\":[1]}", "faults: must be a list of at most 16 known faults"},
      {"{\"faults\":[\"explode\"]}", "faults: must be a list of at most 16 known faults"},
      {"{\"booked_on\":\"child\"}", "booked_on: must be parent where there is one leg"},
      {"{\"second\":1}", "second: must be left out: there is no such field"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct order o;
    char problem[200] = "";
    assert_int_equal(parse(cases[i].json, &o, problem), ERR_INVALID);
    assert_string_equal(problem, cases[i].problem);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_empty_order_is_an_inbound_call_of_ten_seconds),
      cmocka_unit_test(what_was_ordered_is_kept),
      cmocka_unit_test(a_call_without_talk_has_no_recording),
      cmocka_unit_test(a_bad_field_is_named_with_its_rule),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
