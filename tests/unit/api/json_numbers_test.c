/* json_numbers_test.c - numbers of a JSON text come out as they went in; the rest is jansson's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/handlers/api_json_numbers.h"

#include <stdlib.h>

/* The text after hiding, parsing, dumping and showing; "" if it is no JSON. */
static void require_result(const char *text, const char *expected) {
  struct buf hidden CLEANUP(buf_done) = BUF_INIT(4096), shown CLEANUP(buf_done) = BUF_INIT(4096);
  assert_int_equal(json_numbers_hide(str_from(text), &hidden), OK);
  json_t *value = json_loadb(hidden.p, hidden.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
  char *dumped = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
  if (dumped) assert_int_equal(json_numbers_show(str_from(dumped), &shown), OK);
  if (!str_eq(buf_str(&shown), str_from(expected)))
    fail_msg("%s became %.*s, not %s", text, STR_ARG(buf_str(&shown)), expected);
  free(dumped);
  json_decref(value);
}

static void a_number_keeps_its_text(void **state) {
  static const char *const same[] = {
      "[0,-0,1,-1,1.10,1e5,1E+5,1e-5,0.0,-0.10e00,12345678901234567890,123456789012345678901234567890.10,1e999,-1e-"
      "999]",
      "{\"a\":1.50,\"b\":{\"c\":[1.0,[2.00]]},\"d\":\"1.10\"}",
      "[\"\\u0001\",\"\\u0001#5\",\"\\u0001\\u0001#5\",\"x\\u0001#5\",{\"\\u0001#1\":2.0}]",
      "[\"a\\\\\",1.0,\"b\\\"2.0\",3.0]",
      "[true,false,null,\"\"]",
      "1.0",
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(same); i++) require_result(same[i], same[i]);
  require_result(" [ 1.10 ,\n2.20\t]\r\n", "[1.10,2.20]");
}

static void what_is_no_json_is_refused_as_without_hiding(void **state) {
  static const char *const wrong[] = {"[01]",    "[1.]",       "[.5]",  "[+1]",     "[1e]",   "[1e+]",
                                      "[--1]",   "[-]",        "[1 2]", "{1:2}",    "{1 :2}", "[1true]",
                                      "[true1]", "[1\"a\"]",   "[0x1]", "[1",       "[\"",    "{\"a\":1 \"b\":2}",
                                      "[NaN]",   "[Infinity]", "[1,]",  "[\x01#1]", "\"a",    ""};
  (void)state;
  for (size_t i = 0; i < COUNT_OF(wrong); i++) require_result(wrong[i], "");
}

static void a_place_is_found_again(void **state) {
  static const char text[] = "{\"a\":1.5,\"b\":[22, x]}";
  struct buf hidden CLEANUP(buf_done) = BUF_INIT(4096);
  size_t at;
  (void)state;
  assert_int_equal(json_numbers_hide(STR("{\"a\":1.5,\"b\":[22, x]}"), &hidden), OK);
  for (size_t i = 0; i < hidden.n; i++) {
    assert_int_equal(json_numbers_origin(str_from(text), i, &at), OK);
    assert_true(at <= sizeof(text) - 1);
    if (hidden.p[i] == 'x' || hidden.p[i] == '[') assert_int_equal(text[at], hidden.p[i]);
  }
}

static void members_that_take_only_text_see_numbers(void **state) {
  struct buf hidden CLEANUP(buf_done) = BUF_INIT(4096);
  (void)state;
  assert_int_equal(json_numbers_hide(STR("{\"n\":1,\"s\":\"\\u0001#1\",\"l\":[\"a\",2]}"), &hidden), OK);
  json_t *object = json_loadb(hidden.p, hidden.n, 0, NULL);
  assert_int_equal(json_numbers_restore(object, "n"), OK);
  assert_int_equal(json_numbers_restore(object, "s"), OK);
  assert_int_equal(json_numbers_restore(object, "l"), OK);
  assert_true(json_is_integer(json_object_get(object, "n")));
  assert_string_equal(json_string_value(json_object_get(object, "s")), "\x01#1");
  assert_string_equal(json_string_value(json_array_get(json_object_get(object, "l"), 0)), "a");
  assert_true(json_is_integer(json_array_get(json_object_get(object, "l"), 1)));
  json_decref(object);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_number_keeps_its_text),
      cmocka_unit_test(what_is_no_json_is_refused_as_without_hiding),
      cmocka_unit_test(a_place_is_found_again),
      cmocka_unit_test(members_that_take_only_text_see_numbers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
