#include "base_testing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void views_compare_as_bytes(void **state) {
  (void)state;
  static const struct {
    struct str a, b;
    int order;
    bool equal_nocase;
  } rows[] = {
      {STR(""), STR_NONE, 0, true},          {STR("abc"), STR("abc"), 0, true},     {STR("ABC"), STR("abc"), -1, true},
      {STR("ab"), STR("abc"), -1, false},    {STR("b"), STR("abc"), 1, false},      {STR("\xff"), STR("a"), 1, false},
      {STR("a\0b"), STR("a\0c"), -1, false}, {STR("\xc4"), STR("\xe4"), -1, false},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    int order = str_cmp(rows[i].a, rows[i].b);
    assert_int_equal((order > 0) - (order < 0), rows[i].order);
    assert_int_equal(str_eq(rows[i].a, rows[i].b), rows[i].order == 0);
    assert_int_equal(str_eq_nocase(rows[i].a, rows[i].b), rows[i].equal_nocase);
  }
}

static void a_hash_is_of_every_byte_the_length_and_the_seed(void **state) {
  char text[40];
  (void)state;
  memset(text, 'x', sizeof(text));
  assert_int_equal(str_hash(STR_NONE, 1), str_hash(STR(""), 1));
  for (size_t n = 1; n <= sizeof(text); n++) {
    struct str s = str_of(text, n);
    uint64_t h = str_hash(s, 1);
    assert_int_not_equal(h, str_hash(s, 2));
    assert_int_not_equal(h, str_hash(str_head(s, n - 1), 1));
    for (size_t i = 0; i < n; i++) {
      text[i] = 'y';
      assert_int_not_equal(str_hash(s, 1), h);
      text[i] = 'x';
    }
    assert_int_equal(str_hash(s, 1), h);
  }
}

static void parts_are_found_at_either_end_and_within(void **state) {
  (void)state;
  struct str s = STR("Range: bytes");
  assert_true(str_starts(s, STR("Range")) && !str_starts(s, STR("range")) && str_starts_nocase(s, STR("rANGE")));
  assert_true(str_ends(s, STR("bytes")) && !str_ends(s, STR("byte")) && !str_ends(STR("s"), STR("bytes")));
  assert_true(str_starts(s, STR_NONE) && str_ends(s, STR_NONE) && str_contains(s, STR_NONE));
  assert_true(str_contains(s, STR("e: b")) && !str_contains(s, STR("e:b")) && !str_contains(STR_NONE, STR("a")));
  assert_int_equal(str_index(s, ':', 0), 5);
  assert_int_equal(str_index(s, ':', 6), s.n);
  assert_int_equal(str_index(s, ':', 600), s.n);
}

static void views_shrink_but_never_leave_their_bytes(void **state) {
  (void)state;
  assert_str(str_skip(STR("abc"), 2), STR("c"));
  assert_str(str_skip(STR("abc"), 9), STR_NONE);
  assert_str(str_head(STR("abc"), 2), STR("ab"));
  assert_str(str_head(STR("abc"), 9), STR("abc"));
  assert_str(str_trim(STR(" \t a b\t ")), STR("a b"));
  assert_str(str_trim(STR(" \t ")), STR_NONE);
}

static void a_cut_splits_at_the_first_separator(void **state) {
  (void)state;
  static const struct {
    struct str s, left, rest;
    bool cut;
  } rows[] = {
      {STR("a=b=c"), STR("a"), STR("b=c"), true}, {STR("a="), STR("a"), STR_NONE, true},
      {STR("=b"), STR_NONE, STR("b"), true},      {STR("ab"), STR("ab"), STR_NONE, false},
      {STR_NONE, STR_NONE, STR_NONE, false},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct str left, rest;
    assert_int_equal(str_cut(rows[i].s, '=', &left, &rest), rows[i].cut);
    assert_str(left, rows[i].left);
    assert_str(rest, rows[i].rest);
  }
}

static void whole_numbers_are_digits_within_their_limits(void **state) {
  (void)state;
  static const struct {
    struct str s;
    uint64_t max;
    enum err e;
    uint64_t value;
  } rows[] = {
      {STR("0"), 9, OK, 0},
      {STR("007"), 9, OK, 7},
      {STR("18446744073709551615"), UINT64_MAX, OK, UINT64_MAX},
      {STR("18446744073709551616"), UINT64_MAX, ERR_INVALID, 0},
      {STR("99999999999999999999999"), UINT64_MAX, ERR_INVALID, 0},
      {STR("10"), 9, ERR_INVALID, 0},
      {STR(""), 9, ERR_INVALID, 0},
      {STR("+1"), 9, ERR_INVALID, 0},
      {STR(" 1"), 9, ERR_INVALID, 0},
      {STR("1 "), 9, ERR_INVALID, 0},
      {STR("0x1"), 99, ERR_INVALID, 0},
      {STR("1\0"), 99, ERR_INVALID, 0},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    uint64_t value = 4711;
    assert_int_equal(str_to_u64(rows[i].s, rows[i].max, &value), rows[i].e);
    assert_true(value == (rows[i].e == OK ? rows[i].value : 4711));
  }
}

static void signed_numbers_reach_both_ends_of_their_type(void **state) {
  (void)state;
  static const struct {
    struct str s;
    int64_t min, max;
    enum err e;
    int64_t value;
  } rows[] = {
      {STR("-1"), -1, 5, OK, -1},
      {STR("-0"), -1, 5, OK, 0},
      {STR("-9223372036854775808"), INT64_MIN, INT64_MAX, OK, INT64_MIN},
      {STR("9223372036854775807"), INT64_MIN, INT64_MAX, OK, INT64_MAX},
      {STR("-9223372036854775809"), INT64_MIN, INT64_MAX, ERR_INVALID, 0},
      {STR("9223372036854775808"), INT64_MIN, INT64_MAX, ERR_INVALID, 0},
      {STR("-2"), -1, 5, ERR_INVALID, 0},
      {STR("6"), -1, 5, ERR_INVALID, 0},
      {STR("-"), -1, 5, ERR_INVALID, 0},
      {STR("--1"), -5, 5, ERR_INVALID, 0},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    int64_t value = 4711;
    assert_int_equal(str_to_i64(rows[i].s, rows[i].min, rows[i].max, &value), rows[i].e);
    assert_true(value == (rows[i].e == OK ? rows[i].value : 4711));
  }
}

static void utf8_is_taken_in_its_shortest_form_only(void **state) {
  (void)state;
  static const struct {
    struct str s;
    bool valid;
  } rows[] = {
      {STR(""), true},
      {STR("plain"), true},
      {STR("\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d"), true},
      {STR("\xe2\x82\xac"), true},
      {STR("\xf0\x9f\x98\x80"), true},
      {STR("\xf4\x8f\xbf\xbf"), true},
      {STR("a\0b"), false},
      {STR("\x80"), false},
      {STR("\xc3"), false},
      {STR("\xc3("), false},
      {STR("\xc0\xaf"), false},
      {STR("\xe0\x80\xaf"), false},
      {STR("\xed\xa0\x80"), false},
      {STR("\xf0\x80\x80\xaf"), false},
      {STR("\xf4\x90\x80\x80"), false},
      {STR("\xf8\x88\x80\x80\x80"), false},
      {STR("\xff"), false},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) assert_int_equal(str_is_utf8(rows[i].s), rows[i].valid);
}

static void copies_are_whole_or_refused(void **state) {
  (void)state;
  char text[4] = "old";
  assert_int_equal(str_copy(text, sizeof(text), STR("four")), ERR_TOO_BIG);
  assert_int_equal(str_copy(text, sizeof(text), STR("a\0b")), ERR_INVALID);
  assert_string_equal(text, "old");
  assert_int_equal(str_copy(text, sizeof(text), STR("abc")), OK);
  assert_string_equal(text, "abc");
  assert_int_equal(str_copy(text, sizeof(text), STR_NONE), OK);
  assert_string_equal(text, "");
  char *copy CLEANUP(free_char) = str_dup(str_head(STR("abcdef"), 3));
  assert_string_equal(copy, "abc");
}

static void every_error_code_has_a_text_and_is_retryable_or_not(void **state) {
  (void)state;
  for (int e = OK; e < ERR_COUNT_; e++) assert_true(strlen(err_text((enum err)e)) > 0);
  assert_non_null(err_text((enum err)4711));
  assert_true(err_retryable(ERR_BUSY) && !err_retryable(ERR_INVALID) && !err_retryable((enum err)4711));
}

static void errno_values_become_error_codes(void **state) {
  (void)state;
  static const struct {
    int number;
    enum err e;
  } rows[] = {
      {ENOSPC, ERR_FULL},   {EDQUOT, ERR_FULL},   {EFBIG, ERR_FULL},    {ENOENT, ERR_NOT_FOUND},
      {EEXIST, ERR_EXISTS}, {EACCES, ERR_DENIED}, {ELOOP, ERR_INVALID}, {EIO, ERR_IO},
      {EROFS, ERR_IO},      {EMFILE, ERR_BUSY},   {ENOMEM, ERR_NOMEM},  {EPIPE, ERR_CLOSED},
      {0, ERR_IO},          {-1, ERR_IO},         {EAGAIN, ERR_BUSY},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) assert_int_equal(err_from_errno(rows[i].number), rows[i].e);
}

static void head_of_utf8_ends_between_characters(void **state) {
  static const struct {
    const char *s;
    size_t bytes;
    const char *head;
  } rows[] = {{"", 3, ""},
              {"abc", 3, "abc"},
              {"abc", 2, "ab"},
              {"a\xc3\xa9", 2, "a"},
              {"a\xc3\xa9", 3, "a\xc3\xa9"},
              {"\xf0\x9f\x8e\xa7!", 3, ""},
              {"\xf0\x9f\x8e\xa7!", 4, "\xf0\x9f\x8e\xa7"},
              {"\x80\x80", 1, ""}};
  (void)state;
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    assert_true(str_eq(str_head_utf8(str_from(rows[i].s), rows[i].bytes), str_from(rows[i].head)));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(views_compare_as_bytes),
    cmocka_unit_test(parts_are_found_at_either_end_and_within),
    cmocka_unit_test(views_shrink_but_never_leave_their_bytes),
    cmocka_unit_test(a_cut_splits_at_the_first_separator),
    cmocka_unit_test(whole_numbers_are_digits_within_their_limits),
    cmocka_unit_test(signed_numbers_reach_both_ends_of_their_type),
    cmocka_unit_test(utf8_is_taken_in_its_shortest_form_only),
    cmocka_unit_test(head_of_utf8_ends_between_characters),
    cmocka_unit_test(a_hash_is_of_every_byte_the_length_and_the_seed),
    cmocka_unit_test(copies_are_whole_or_refused),
    cmocka_unit_test(every_error_code_has_a_text_and_is_retryable_or_not),
    cmocka_unit_test(errno_values_become_error_codes),
};
RUN_TESTS(tests)
