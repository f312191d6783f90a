/* Ranges and preconditions: the tables of RFC 9110 13 and 14. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "http/range.h"

#define MODIFIED "Sat, 21 Nov 2026 08:00:00 GMT"
#define BEFORE "Sat, 21 Nov 2026 07:59:59 GMT"
#define AFTER "Sat, 21 Nov 2026 08:00:01 GMT"
#define HUGE "99999999999999999999999"
enum { MODIFIED_S = 1795248000 };

/* headers: "Name: value" lines, '\n' between. */
static struct http_request request_with(enum http_method method, const char *lines, struct http_header headers[8]) {
  struct http_request r = {.method = method, .headers = headers, .minor = 1};
  struct str rest = str_from(lines), line, name, value;
  for (bool more = rest.n > 0; more;) {
    more = str_cut(rest, '\n', &line, &rest);
    assert_true(str_cut(line, ':', &name, &value));
    headers[r.header_count++] = (struct http_header){name, str_trim(value)};
  }
  return r;
}

struct selected {
  enum http_selection what;
  int64_t first, last;
};

static struct selected select_from(enum http_method method, const char *lines, struct http_representation have) {
  struct http_header headers[8];
  struct http_request r = request_with(method, lines, headers);
  struct selected s = {.first = -1, .last = -1};
  s.what = http_select(&r, &have, &s.first, &s.last);
  return s;
}

static void assert_selected(size_t i, const char *lines, struct selected got, struct selected wanted) {
  if (got.what != wanted.what || got.first != wanted.first || got.last != wanted.last)
    fail_msg("case %zu: %d %lld-%lld, not %d %lld-%lld: %s", i, got.what, (long long)got.first, (long long)got.last,
             wanted.what, (long long)wanted.first, (long long)wanted.last, lines);
}

#define WHOLE \
  { HTTP_SELECT_WHOLE, -1, -1 }
#define PART(first, last) \
  { HTTP_SELECT_PART, first, last }
#define UNCHANGED \
  { HTTP_SELECT_UNCHANGED, -1, -1 }
#define FAILED \
  { HTTP_SELECT_FAILED, -1, -1 }
#define UNSATISFIABLE \
  { HTTP_SELECT_UNSATISFIABLE, -1, -1 }

static void a_range_selects_its_bytes(void **state) {
  static const struct {
    const char *lines;
    struct selected wanted;
  } cases[] = {
      {"", WHOLE},
      {"Range: bytes=0-0", PART(0, 0)},
      {"Range: bytes=0-1", PART(0, 1)},
      {"Range: bytes=5-", PART(5, 99)},
      {"Range: bytes=-5", PART(95, 99)},
      {"Range: bytes=99-", PART(99, 99)},
      {"Range: bytes=99-99", PART(99, 99)},
      {"Range: bytes=0-99", PART(0, 99)},
      {"Range: bytes=0-100", PART(0, 99)},
      {"Range: bytes=90-" HUGE, PART(90, 99)},
      {"Range: bytes=-100", PART(0, 99)},
      {"Range: bytes=-101", PART(0, 99)},
      {"Range: bytes=-" HUGE, PART(0, 99)},
      {"Range: bytes=000-0001", PART(0, 1)},
      {"range: BYTES=0-1", PART(0, 1)},
      {"Range: bytes= 0-1 ,", PART(0, 1)},
      {"Range: bytes=,,0-1", PART(0, 1)},
      {"Range: bytes=-0", UNSATISFIABLE},
      {"Range: bytes=100-", UNSATISFIABLE},
      {"Range: bytes=100-200", UNSATISFIABLE},
      {"Range: bytes=" HUGE "-", UNSATISFIABLE},
      {"Range: bytes=" HUGE "-" HUGE, UNSATISFIABLE},
      /* malformed, another unit, or several: the whole */
      {"Range: bytes=1-0", WHOLE},
      {"Range: bytes=", WHOLE},
      {"Range: bytes=-", WHOLE},
      {"Range: bytes=--1", WHOLE},
      {"Range: bytes=a-b", WHOLE},
      {"Range: bytes=0", WHOLE},
      {"Range: bytes=0 - 1", WHOLE},
      {"Range: bytes=+0-1", WHOLE},
      {"Range: bytes=0-1x", WHOLE},
      {"Range: bytes=" HUGE "x-", WHOLE},
      {"Range: bytes 0-1", WHOLE},
      {"Range: 0-1", WHOLE},
      {"Range: items=0-1", WHOLE},
      {"Range: bytes=0-1,3-4", WHOLE},
      {"Range: bytes=0-0,0-0,0-0", WHOLE},
      {"Range: bytes=200-300,3-4", WHOLE},
      {"Range: bytes=200-300,x", WHOLE},
      /* several, of which none can be had */
      {"Range: bytes=200-300,400-", UNSATISFIABLE},
      {"Range: bytes=-0, ,100-", UNSATISFIABLE},
      {"Range: bytes=0-1\nRange: bytes=0-1", WHOLE},
  };
  const struct http_representation have = {STR("\"e\""), MODIFIED_S, 100};
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    assert_selected(i, cases[i].lines, select_from(HTTP_GET, cases[i].lines, have), cases[i].wanted);
    /* HEAD and others know no ranges, and without a length none can be cut. */
    const struct selected whole = WHOLE;
    assert_selected(i, cases[i].lines, select_from(HTTP_HEAD, cases[i].lines, have), whole);
    struct http_representation growing = {have.etag, have.modified_s, -1};
    assert_selected(i, cases[i].lines, select_from(HTTP_GET, cases[i].lines, growing), whole);
  }
}

static void an_empty_representation_has_no_satisfiable_range(void **state) {
  static const struct {
    const char *lines;
    struct selected wanted;
  } cases[] = {
      {"Range: bytes=0-", UNSATISFIABLE},
      {"Range: bytes=0-0", UNSATISFIABLE},
      {"Range: bytes=-0", UNSATISFIABLE},
      {"Range: bytes=-1", WHOLE},
  };
  const struct http_representation have = {STR("\"e\""), MODIFIED_S, 0};
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    assert_selected(i, cases[i].lines, select_from(HTTP_GET, cases[i].lines, have), cases[i].wanted);
}

static void preconditions_are_evaluated_in_order(void **state) {
  static const struct {
    const char *lines;
    struct selected wanted;
  } cases[] = {
      /* If-Match: strong */
      {"If-Match: \"e\"", WHOLE},
      {"If-Match: *", WHOLE},
      {"If-Match: \"x\", \"e\"", WHOLE},
      {"If-Match: \"x\"\nIf-Match: \"e\"", WHOLE},
      {"If-Match: \"x\"", FAILED},
      {"If-Match: W/\"e\"", FAILED},
      {"If-Match: e", FAILED},
      {"If-Match: \"e", FAILED},
      {"If-Match:", FAILED},
      {"If-Match: \"x\"\nIf-None-Match: \"e\"", FAILED},
      {"If-Match: \"e\"\nIf-None-Match: \"e\"", UNCHANGED},
      {"If-Match: \"e\"\nRange: bytes=0-1", PART(0, 1)},
      {"If-Match: \"x\"\nRange: bytes=0-1", FAILED},
      /* If-Unmodified-Since, only without If-Match */
      {"If-Unmodified-Since: " MODIFIED, WHOLE},
      {"If-Unmodified-Since: " AFTER, WHOLE},
      {"If-Unmodified-Since: " BEFORE, FAILED},
      {"If-Unmodified-Since: yesterday", WHOLE},
      {"If-Match: \"e\"\nIf-Unmodified-Since: " BEFORE, WHOLE},
      /* If-None-Match: weak */
      {"If-None-Match: \"e\"", UNCHANGED},
      {"If-None-Match: W/\"e\"", UNCHANGED},
      {"If-None-Match: *", UNCHANGED},
      {"If-None-Match: \"x\",W/\"y\" , \"e\"", UNCHANGED},
      {"If-None-Match: \"x,\\\", \"e\"", UNCHANGED},
      {"If-None-Match: \"x\"", WHOLE},
      {"If-None-Match: \"x\" \"e\"", WHOLE},
      {"If-None-Match: e", WHOLE},
      {"If-None-Match: \"e\"\nRange: bytes=0-1", UNCHANGED},
      {"If-None-Match: \"e\"\nRange: bytes=100-", UNCHANGED},
      {"If-None-Match: \"x\"\nRange: bytes=0-1", PART(0, 1)},
      {"If-None-Match: \"x\"\nIf-Modified-Since: " MODIFIED, WHOLE},
      /* If-Modified-Since */
      {"If-Modified-Since: " MODIFIED, UNCHANGED},
      {"If-Modified-Since: " AFTER, UNCHANGED},
      {"If-Modified-Since: " BEFORE, WHOLE},
      {"If-Modified-Since: Saturday, 21-Nov-26 08:00:00 GMT", UNCHANGED},
      {"If-Modified-Since: Sat Nov 21 08:00:00 2026", UNCHANGED},
      {"If-Modified-Since: 0", WHOLE},
      /* If-Range: strong, or the very date */
      {"If-Range: \"e\"\nRange: bytes=0-1", PART(0, 1)},
      {"If-Range: " MODIFIED "\nRange: bytes=0-1", PART(0, 1)},
      {"If-Range: \"x\"\nRange: bytes=0-1", WHOLE},
      {"If-Range: W/\"e\"\nRange: bytes=0-1", WHOLE},
      {"If-Range: " BEFORE "\nRange: bytes=0-1", WHOLE},
      {"If-Range: " AFTER "\nRange: bytes=0-1", WHOLE},
      {"If-Range: nonsense\nRange: bytes=0-1", WHOLE},
      {"If-Range: \"x\"\nRange: bytes=100-", WHOLE},
      {"If-Range: \"e\"\nRange: bytes=100-", UNSATISFIABLE},
      {"If-Range: \"e\"", WHOLE},
  };
  const struct http_representation have = {STR("\"e\""), MODIFIED_S, 100};
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    assert_selected(i, cases[i].lines, select_from(HTTP_GET, cases[i].lines, have), cases[i].wanted);
    struct selected head = cases[i].wanted;
    if (head.what == HTTP_SELECT_PART || head.what == HTTP_SELECT_UNSATISFIABLE) head = (struct selected)WHOLE;
    assert_selected(i, cases[i].lines, select_from(HTTP_HEAD, cases[i].lines, have), head);
  }
}

static void without_validators_only_stars_match(void **state) {
  static const struct {
    const char *lines;
    struct selected wanted;
  } cases[] = {
      {"If-Match: *", WHOLE},
      {"If-Match: \"\"", FAILED},
      {"If-None-Match: *", UNCHANGED},
      {"If-None-Match: \"\"", WHOLE},
      {"If-Modified-Since: " AFTER, WHOLE},
      {"If-Unmodified-Since: " BEFORE, WHOLE},
      {"If-Range: \"\"\nRange: bytes=0-1", WHOLE},
      {"If-Range: " MODIFIED "\nRange: bytes=0-1", WHOLE},
  };
  const struct http_representation have = {STR_NONE, -1, 100};
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    assert_selected(i, cases[i].lines, select_from(HTTP_GET, cases[i].lines, have), cases[i].wanted);
}

static void a_range_is_parsed_before_the_length_is_known(void **state) {
  static const struct {
    enum http_method method;
    const char *lines;
    struct http_range wanted;
  } cases[] = {
      {HTTP_GET, "Range: bytes=3-", {HTTP_RANGE_FROM, 3, 0}},
      {HTTP_GET, "Range: bytes=3-4", {HTTP_RANGE_CLOSED, 3, 4}},
      {HTTP_GET, "Range: bytes=-7", {HTTP_RANGE_SUFFIX, 0, 7}},
      {HTTP_GET, "Range: bytes=" HUGE "-", {HTTP_RANGE_FROM, INT64_MAX, 0}},
      {HTTP_GET, "Range: bytes=0-1,2-3", {HTTP_RANGE_NONE, 0, 0}},
      {HTTP_HEAD, "Range: bytes=3-", {HTTP_RANGE_NONE, 0, 0}},
      {HTTP_POST, "Range: bytes=3-", {HTTP_RANGE_NONE, 0, 0}},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct http_header headers[8];
    struct http_request r = request_with(cases[i].method, cases[i].lines, headers);
    struct http_range got = http_range_parse(&r);
    assert_int_equal(got.kind, cases[i].wanted.kind);
    assert_int_equal(got.first, cases[i].wanted.first);
    assert_int_equal(got.last, cases[i].wanted.last);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_range_selects_its_bytes),
      cmocka_unit_test(an_empty_representation_has_no_satisfiable_range),
      cmocka_unit_test(preconditions_are_evaluated_in_order),
      cmocka_unit_test(without_validators_only_stars_match),
      cmocka_unit_test(a_range_is_parsed_before_the_length_is_known),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
