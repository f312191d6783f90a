#include "base/fold.h"

#include "base_testing.h"

static void require_folded(const char *text, enum fold_hyphens hyphens, const char *expected) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(1000), again CLEANUP(buf_done) = BUF_INIT(1000);
  assert_int_equal(fold_text(str_from(text), hyphens, &b), OK);
  if (!str_eq(buf_str(&b), str_from(expected)))
    fail_msg("%s became %.*s, not %s", text, STR_ARG(buf_str(&b)), expected);
  assert_int_equal(fold_text(buf_str(&b), hyphens, &again), OK);
  assert_true(str_eq(buf_str(&b), buf_str(&again))); /* (1) */
}

static void names_are_compared_without_what_people_leave_out(void **state) {
  static const struct {
    const char *text, *expected;
  } cases[] = {
      {"Dana Levi", "dana levi"},
      {"O'Neill", "oneill"},
      {"O\u2019Neill", "oneill"},
      {"O\u2018NEILL", "oneill"},
      {"Müller", "muller"},
      {"Mu\u0308ller", "muller"},
      {"STRASSE", "strasse"},
      {"Straße", "strasse"},
      {"STRA\u1e9eE", "strasse"},
      {"\u0130stanbul I\u015e\u0131k", "istanbul isik"},
      {"Łódź Ångström Æsir", "lodz angstrom aesir"},
      {"Ελένη Παπαδόπουλος", "ελενη παπαδοπουλοσ"},
      {"Ёлкин Чайка", "елкин чаика"},
      {"בֶּן־גּוּרִיוֹן", "בןגוריון"},
      {"ג\u05f3ורג\u05f3", "גורג"},
      {"צה\u05f4ל צה\"ל", "צהל צהל"},
      {"\ufb2aמואל", "שמואל"},
      {"مُحَمَّد أحمد", "محمد احمد"},
      {"Anne\u2010Marie", "annemarie"},
      {"Tel\u00a0Aviv", "tel aviv"},
      {"٠١٢ ۳۴ ５", "012 34 5"},
      {"\u200fדנה\u200e", "דנה"},
      {"ｄａｎａ", "dana"},
      {"渡辺", "渡辺"},
      {"bad \xff\xc3", "bad "},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) require_folded(cases[i].text, FOLD_JOIN, cases[i].expected);
  require_folded("Anne-Marie בן־גוריון", FOLD_SPLIT, "anne marie בן גוריון");
}

static void a_digit_of_any_script_is_a_digit(void **state) {
  (void)state;
  assert_int_equal(fold_digit('7'), 7);
  assert_int_equal(fold_digit(0x967), 1);
  assert_int_equal(fold_digit(0xff19), 9);
  assert_int_equal(fold_digit('a'), -1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(names_are_compared_without_what_people_leave_out),
    cmocka_unit_test(a_digit_of_any_script_is_a_digit),
};
RUN_TESTS(tests)
