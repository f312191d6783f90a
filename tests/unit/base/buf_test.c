#include "base_testing.h"

#include "base/buf.h"
#include "base/problem_text.h"

static void content_grows_up_to_the_ceiling_and_stays_after_a_refusal(void **state) {
  (void)state;
  struct buf b CLEANUP(buf_done) = BUF_INIT(10);
  assert_int_equal(buf_add(&b, STR("12345678")), OK);
  assert_int_equal(buf_add(&b, STR("abc")), ERR_TOO_BIG);
  assert_int_equal(buf_addf(&b, "%d", 123), ERR_TOO_BIG);
  assert_int_equal(buf_add_json(&b, STR("")), OK);
  assert_int_equal(buf_add_char(&b, 'x'), ERR_TOO_BIG);
  assert_str(buf_str(&b), STR("12345678\"\""));
  assert_int_equal(buf_reserve(&b, SIZE_MAX), ERR_TOO_BIG);
}

static void a_buffer_with_ceiling_0_takes_only_the_empty_text(void **state) {
  (void)state;
  struct buf b CLEANUP(buf_done) = BUF_INIT(0);
  const char *text;
  assert_int_equal(buf_add(&b, STR_NONE), OK);
  assert_int_equal(buf_add_char(&b, 'a'), ERR_TOO_BIG);
  assert_int_equal(buf_terminate(&b, &text), OK);
  assert_string_equal(text, "");
}

static void formatted_text_of_any_length_is_whole(void **state) {
  (void)state;
  for (int width = 0; width < 300; width++) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(1000);
    assert_int_equal(buf_add(&b, STR("x")), OK);
    assert_int_equal(buf_addf(&b, "%0*d", width, 7), OK);
    assert_int_equal(b.n, 1 + (width ? width : 1));
    assert_int_equal(b.p[b.n - 1], '7');
  }
}

static void json_strings_are_escaped_and_always_utf8(void **state) {
  (void)state;
  static const struct {
    struct str in, out;
  } rows[] = {
      {STR(""), STR("\"\"")},
      {STR("a\"b\\c/"), STR("\"a\\\"b\\\\c/\"")},
      {STR("\b\f\n\r\t"), STR("\"\\b\\f\\n\\r\\t\"")},
      {STR("\0\x01\x1f\x7f"), STR("\"\\u0000\\u0001\\u001f\x7f\"")},
      {STR("\xd7\xa9\xf0\x9f\x98\x80"), STR("\"\xd7\xa9\xf0\x9f\x98\x80\"")},
      {STR("a\xff\xc3z"), STR("\"a\xef\xbf\xbd\xef\xbf\xbdz\"")},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(100);
    assert_int_equal(buf_add_json(&b, rows[i].in), OK);
    assert_str(buf_str(&b), rows[i].out);
  }
}

static void a_json_string_that_does_not_fit_leaves_nothing(void **state) {
  (void)state;
  for (size_t max = 3; max < 12; max++) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(max);
    assert_int_equal(buf_add(&b, STR("abc")), OK);
    assert_int_equal(buf_add_json(&b, STR("x\"\x01")), max < 14 ? ERR_TOO_BIG : OK);
    assert_str(buf_str(&b), STR("abc"));
  }
}

static void the_front_can_be_dropped(void **state) {
  (void)state;
  struct buf b CLEANUP(buf_done) = BUF_INIT(100);
  buf_drop_front(&b, 5);
  assert_int_equal(buf_add(&b, STR("GET / HTTP")), OK);
  buf_drop_front(&b, 4);
  assert_str(buf_str(&b), STR("/ HTTP"));
  buf_drop_front(&b, 100);
  assert_str(buf_str(&b), STR_NONE);
  assert_int_equal(buf_add(&b, STR("again")), OK);
  buf_done(&b);
  assert_int_equal(buf_add(&b, STR("and again")), OK);
  assert_str(buf_str(&b), STR("and again"));
}

static void a_problem_text_replaces_the_one_before_and_returns_the_error(void **state) {
  (void)state;
  struct buf b CLEANUP(buf_done) = BUF_INIT(20);
  assert_int_equal(problem_text_set(&b, ERR_DENIED, "key %d: %s", 1, "bad"), ERR_DENIED);
  assert_str(buf_str(&b), STR("key 1: bad"));
  assert_int_equal(problem_text_set(&b, ERR_INVALID, "key 2"), ERR_INVALID);
  assert_str(buf_str(&b), STR("key 2"));
  assert_int_equal(problem_text_set(&b, ERR_INVALID, "a sentence that does not fit"), ERR_INVALID);
  assert_str(buf_str(&b), STR_NONE);
  assert_int_equal(problem_text_set(NULL, ERR_IO, "nobody reads this"), ERR_IO);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(content_grows_up_to_the_ceiling_and_stays_after_a_refusal),
    cmocka_unit_test(a_buffer_with_ceiling_0_takes_only_the_empty_text),
    cmocka_unit_test(formatted_text_of_any_length_is_whole),
    cmocka_unit_test(json_strings_are_escaped_and_always_utf8),
    cmocka_unit_test(a_json_string_that_does_not_fit_leaves_nothing),
    cmocka_unit_test(the_front_can_be_dropped),
    cmocka_unit_test(a_problem_text_replaces_the_one_before_and_returns_the_error),
};
RUN_TESTS(tests)
