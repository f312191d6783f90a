#include "base_testing.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

#define NOV_21_2026 INT64_C(1795248000000) /* 2026-11-21T08:00:00Z */

static void times_are_written_in_three_forms(void **state) {
  (void)state;
  static const struct {
    int64_t ms;
    const char *rfc3339, *http, *rfc2822;
  } rows[] = {
      {NOV_21_2026, "2026-11-21T08:00:00Z", "Sat, 21 Nov 2026 08:00:00 GMT", "Sat, 21 Nov 2026 08:00:00 +0000"},
      {NOV_21_2026 + 7, "2026-11-21T08:00:00.007Z", "Sat, 21 Nov 2026 08:00:00 GMT", "Sat, 21 Nov 2026 08:00:00 +0000"},
      {0, "1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 +0000"},
      {-1, "1969-12-31T23:59:59.999Z", "Wed, 31 Dec 1969 23:59:59 GMT", "Wed, 31 Dec 1969 23:59:59 +0000"},
      {951782400000, "2000-02-29T00:00:00Z", "Tue, 29 Feb 2000 00:00:00 GMT", "Tue, 29 Feb 2000 00:00:00 +0000"},
      {4107542400000, "2100-03-01T00:00:00Z", "Mon, 01 Mar 2100 00:00:00 GMT", "Mon, 01 Mar 2100 00:00:00 +0000"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    char text[DATE_TEXT_SIZE];
    date_format_rfc3339(rows[i].ms, text);
    assert_string_equal(text, rows[i].rfc3339);
    date_format_http(rows[i].ms, text);
    assert_string_equal(text, rows[i].http);
    date_format_rfc2822(rows[i].ms, text);
    assert_string_equal(text, rows[i].rfc2822);
  }
}

static void times_beyond_four_digits_of_a_year_are_written_as_the_nearest(void **state) {
  (void)state;
  char text[DATE_TEXT_SIZE];
  date_format_http(INT64_MAX, text);
  assert_string_equal(text, "Fri, 31 Dec 9999 23:59:59 GMT");
  date_format_http(INT64_MIN, text);
  assert_string_equal(text, "Mon, 01 Jan 0001 00:00:00 GMT");
}

typedef enum err parse_fn(struct str s, int64_t *ret_ms);

struct row {
  const char *text;
  int64_t ms; /* -1: refused */
};

static void parses(parse_fn *parse, const struct row *rows, size_t count) {
  for (size_t i = 0; i < count; i++) {
    int64_t ms = -1;
    enum err e = parse(str_from(rows[i].text), &ms);
    if (e != (rows[i].ms == -1 ? ERR_INVALID : OK) || ms != rows[i].ms) {
      fail_msg("\"%s\": %s, %lld", rows[i].text, err_text(e), (long long)ms);
    }
  }
}

static void rfc3339_is_read_strictly(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"2026-11-21T08:00:00Z", NOV_21_2026},
      {"2026-11-21t08:00:00z", NOV_21_2026},
      {"2026-11-21T08:00:00.5Z", NOV_21_2026 + 500},
      {"2026-11-21T08:00:00.123456789Z", NOV_21_2026 + 123},
      {"2026-11-21T10:00:00+02:00", NOV_21_2026},
      {"2026-11-21T03:30:00-04:30", NOV_21_2026},
      {"2026-11-21T08:00:00-00:00", NOV_21_2026},
      {"2026-11-21T07:59:60Z", NOV_21_2026 - 1000},
      {"2000-02-29T00:00:00Z", 951782400000},
      {"1969-12-31T23:59:59.000Z", -1000},
      {"1900-02-29T00:00:00Z", -1},
      {"2026-02-29T00:00:00Z", -1},
      {"2026-04-31T00:00:00Z", -1},
      {"2026-00-01T00:00:00Z", -1},
      {"2026-13-01T00:00:00Z", -1},
      {"2026-01-00T00:00:00Z", -1},
      {"0000-01-01T00:00:00Z", -1},
      {"2026-11-21T24:00:00Z", -1},
      {"2026-11-21T08:60:00Z", -1},
      {"2026-11-21T08:00:61Z", -1},
      {"2026-11-21T08:00:00", -1},
      {"2026-11-21 08:00:00Z", -1},
      {"2026-11-21T08:00:00.Z", -1},
      {"2026-11-21T08:00:00+2:00", -1},
      {"2026-11-21T08:00:00+24:00", -1},
      {"2026-11-21T08:00:00+02:60", -1},
      {"2026-11-21T08:00:00+0200", -1},
      {"2026-11-21T08:00:00Zx", -1},
      {"2026-1-21T08:00:00Z", -1},
      {"+026-11-21T08:00:00Z", -1},
      {"2026-11-21", -1},
      {"", -1},
  };
  parses(date_parse_rfc3339, rows, COUNT_OF(rows));
}

static void a_plain_date_means_its_first_moment(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"2026-11-21", NOV_21_2026 - 8 * 3600000},
      {"2026-11-21T08:00:00Z", NOV_21_2026},
      {"2026-02-29", -1},
      {"2026-11-21T", -1},
      {"2026-11-211", -1},
      {"21-11-2026", -1},
      {"", -1},
  };
  parses(date_parse_time_or_date, rows, COUNT_OF(rows));
}

static void the_three_forms_of_http_are_read(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777000},
      {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777000},
      {"Sun Nov  6 08:49:37 1994", 784111777000},
      {"Sat Nov 21 08:00:00 2026", NOV_21_2026},
      {"Sat, 21 Nov 2026 07:59:60 GMT", NOV_21_2026 - 1000},
      {"Sun, 06 Nov 1994 08:49:37 UTC", -1},
      {"Sun, 06 Nov 1994 08:49:37", -1},
      {"Sun, 6 Nov 1994 08:49:37 GMT", -1},
      {"Sun, 31 Nov 1994 08:49:37 GMT", -1},
      {"Xyz, 06 Nov 1994 08:49:37 GMT", -1},
      {"Sun, 06 Nov 94 08:49:37 GMT", -1},
      {"Sun, 06-Nov-94 08:49:37 GMT", -1},
      {"Sun Nov 6 08:49:37 1994", -1},
      {"Sun Nov  6 08:49:37 1994 GMT", -1},
      {"06 Nov 1994 08:49:37 GMT", -1},
      {"784111777", -1},
      {"", -1},
  };
  parses(date_parse_http, rows, COUNT_OF(rows));
}

static void rfc2822_is_read_with_and_without_its_optional_parts(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"Sat, 21 Nov 2026 08:00:00 +0000", NOV_21_2026},
      {"21 Nov 2026 08:00:00 +0000", NOV_21_2026},
      {"Sat, 21 Nov 2026 08:00 +0000", NOV_21_2026},
      {"Sat,  21\tNov 2026  08:00:00   GMT", NOV_21_2026},
      {"Sat, 21 Nov 2026 08:00:00 UT", NOV_21_2026},
      {"Sat, 21 Nov 2026 08:00:00 Z", NOV_21_2026},
      {"Sat, 21 Nov 2026 10:00:00 +0200", NOV_21_2026},
      {"Sat, 21 Nov 2026 03:30:00 -0430", NOV_21_2026},
      {"Sat, 1 Nov 2026 08:00:00 +0000", NOV_21_2026 - INT64_C(20) * 86400000},
      {" sat, 21 NOV 2026 08:00:00 gmt ", NOV_21_2026},
      {"Sat, 21 Nov 2026 08:00:00", -1},
      {"Sat, 21 Nov 2026 08:00:00 ", -1},
      {"Sat, 21 Nov 2026 08:00:00+0000", -1},
      {"Sat, 21 Nov 2026 08:00:00 EST", -1},
      {"Sat, 21 Nov 2026 08:00:00 +000", -1},
      {"Sat, 21 Nov 2026 08:00:00 +00000", -1},
      {"Sat, 21 Nov 26 08:00:00 +0000", -1},
      {"Sat 21 Nov 2026 08:00:00 +0000", -1},
      {"Sat, 31 Feb 2026 08:00:00 +0000", -1},
      {"Sat, 21 Nov 2026 25:00:00 +0000", -1},
      {"Sat, 21 Nov 2026 08:00:00 +0000 (x)", -1},
      {"", -1},
  };
  parses(date_parse_rfc2822, rows, COUNT_OF(rows));
}

static void a_formatted_time_is_parsed_back_on_every_day(void **state) {
  (void)state;
  for (int64_t ms = -62135596800000; ms < 253402300800000; ms += INT64_C(86400000) * 97 + 3661001) {
    char text[DATE_TEXT_SIZE];
    int64_t back;
    date_format_rfc3339(ms, text);
    assert_int_equal(date_parse_rfc3339(str_from(text), &back), OK);
    assert_true(back == ms);
    date_format_http(ms, text);
    assert_int_equal(date_parse_http(str_from(text), &back), OK);
    assert_true(back == ms - (ms % 1000 + 1000) % 1000);
  }
}

static void year_and_month_are_those_of_utc(void **state) {
  (void)state;
  int year, month;
  date_year_month(1798761599999, &year, &month);
  assert_int_equal(year, 2026);
  assert_int_equal(month, 12);
  date_year_month(1798761600000, &year, &month);
  assert_int_equal(year, 2027);
  assert_int_equal(month, 1);
}

static void tests_can_move_the_time_if_the_build_allows(void **state) {
  (void)state;
  int64_t now_ms = clock_now_ms(), mono_ms = clock_mono_ms();
  clock_test_advance_ms(3600000);
#ifdef CALLREEL_TEST_HOOKS
  assert_true(clock_now_ms() - now_ms >= 3600000 && clock_mono_ms() - mono_ms >= 3600000);
  assert_int_equal(clock_sleep_ms(1000), 20);
  assert_int_equal(clock_sleep_ms(-1), 20);
  assert_int_equal(clock_sleep_ms(0), 0);
#else
  assert_true(clock_now_ms() - now_ms < 3600000 && clock_mono_ms() - mono_ms < 3600000);
  assert_int_equal(clock_sleep_ms(1000), 1000);
  assert_int_equal(clock_sleep_ms(-1), -1);
#endif
}

static int clock_fd = -1;
static char clock_path[] = "/tmp/callreel-clock-XXXXXX";

/* Before the first clock is read. */
static int name_a_clock_file(void **state) {
  (void)state;
  const int64_t zero = 0;
  clock_fd = mkstemp(clock_path);
  if (clock_fd < 0 || write(clock_fd, &zero, sizeof(zero)) != sizeof(zero)) return -1;
  return setenv("CALLREEL_TEST_CLOCK", clock_path, 1);
}

static int drop_the_clock_file(void **state) {
  (void)state;
  close(clock_fd);
  return unlink(clock_path);
}

static void a_clock_file_moves_both_clocks_at_once(void **state) {
  (void)state;
  const int64_t day_ms = 86400000, zero = 0;
  int64_t now_ms = clock_now_ms(), mono_ms = clock_mono_ms();
  assert_int_equal(pwrite(clock_fd, &day_ms, sizeof(day_ms), 0), sizeof(day_ms));
#ifdef CALLREEL_TEST_HOOKS
  assert_true(clock_now_ms() - now_ms >= day_ms && clock_mono_ms() - mono_ms >= day_ms);
#else
  assert_true(clock_now_ms() - now_ms < day_ms && clock_mono_ms() - mono_ms < day_ms);
#endif
  assert_int_equal(pwrite(clock_fd, &zero, sizeof(zero), 0), sizeof(zero));
  assert_true(clock_now_ms() - now_ms < day_ms);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(times_are_written_in_three_forms),
    cmocka_unit_test(times_beyond_four_digits_of_a_year_are_written_as_the_nearest),
    cmocka_unit_test(rfc3339_is_read_strictly),
    cmocka_unit_test(a_plain_date_means_its_first_moment),
    cmocka_unit_test(the_three_forms_of_http_are_read),
    cmocka_unit_test(rfc2822_is_read_with_and_without_its_optional_parts),
    cmocka_unit_test(a_formatted_time_is_parsed_back_on_every_day),
    cmocka_unit_test(year_and_month_are_those_of_utc),
    cmocka_unit_test(a_clock_file_moves_both_clocks_at_once),
    cmocka_unit_test(tests_can_move_the_time_if_the_build_allows),
};

int main(void) {
  return cmocka_run_group_tests(tests, name_a_clock_file, drop_the_clock_file);
}
