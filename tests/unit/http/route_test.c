/* The table of routes, queries and forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http/route.h"

static const struct http_route routes[] = {
    {.method = HTTP_GET, .pattern = "/"},
    {.method = HTTP_GET, .pattern = "/api/calls"},
    {.method = HTTP_GET, .pattern = "/api/calls/download/{id}"},
    {.method = HTTP_GET, .pattern = "/api/calls/{sid}"},
    {.method = HTTP_PATCH, .pattern = "/api/calls/{sid}"},
    {.method = HTTP_GET, .pattern = "/api/calls/{sid}/download"},
    {.method = HTTP_POST, .pattern = "/api/recordings/{id}/url"},
    {.method = HTTP_POST, .pattern = "/w/{a}/{b}/{c}/{d}"},
};

static void a_path_finds_its_row(void **state) {
  static const struct {
    enum http_method method;
    const char *path;
    enum err e;
    size_t index;
    const char *param; /* the first one, or Allow */
  } cases[] = {
      {HTTP_GET, "/", OK, 0, NULL},
      {HTTP_HEAD, "/", OK, 0, NULL},
      {HTTP_GET, "/api/calls", OK, 1, NULL},
      {HTTP_GET, "/api/calls/CA1", OK, 3, "CA1"},
      {HTTP_PATCH, "/api/calls/CA1", OK, 4, "CA1"},
      {HTTP_GET, "/api/calls/a%2Fb", OK, 3, "a%2Fb"},
      {HTTP_GET, "/api/calls/download/CA1", OK, 2, "CA1"},
      {HTTP_GET, "/api/calls/download/download", OK, 2, "download"},
      {HTTP_GET, "/api/calls/download", OK, 3, "download"},
      {HTTP_GET, "/api/calls/CA1/download", OK, 5, "CA1"},
      {HTTP_POST, "/w/1/2/3/4", OK, 7, "1"},
      {HTTP_POST, "/api/calls", ERR_DENIED, 0, "GET, HEAD"},
      {HTTP_OTHER, "/api/calls/CA1", ERR_DENIED, 0, "GET, HEAD, PATCH"},
      {HTTP_GET, "/api/recordings/RE1/url", ERR_DENIED, 0, "POST"},
      {HTTP_HEAD, "/api/recordings/RE1/url", ERR_DENIED, 0, "POST"},
      {HTTP_GET, "/api/calls/", ERR_NOT_FOUND, 0, NULL},
      {HTTP_GET, "/api/calls//download", ERR_NOT_FOUND, 0, NULL},
      {HTTP_GET, "/api/calls/CA1/", ERR_NOT_FOUND, 0, NULL},
      {HTTP_GET, "/api/call", ERR_NOT_FOUND, 0, NULL},
      {HTTP_GET, "/api/callsx", ERR_NOT_FOUND, 0, NULL},
      {HTTP_GET, "/API/calls", ERR_NOT_FOUND, 0, NULL},
      {HTTP_GET, "*", ERR_NOT_FOUND, 0, NULL},
      {HTTP_GET, "", ERR_NOT_FOUND, 0, NULL},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct http_match m = {0};
    char allow[64] = "";
    enum err e =
        http_route_find(routes, COUNT_OF(routes), cases[i].method, str_from(cases[i].path), allow, sizeof(allow), &m);
    if (e != cases[i].e || m.index != cases[i].index) fail_msg("case %zu: %d %zu: %s", i, e, m.index, cases[i].path);
    if (e == ERR_DENIED) assert_string_equal(allow, cases[i].param);
    if (e == OK && cases[i].param) assert_true(str_eq(m.params[0], str_from(cases[i].param)));
    if (e == OK && !cases[i].param) assert_int_equal(m.param_count, 0);
  }
}

static void allow_never_overflows_its_room(void **state) {
  (void)state;
  for (size_t size = 1; size < 20; size++) {
    char allow[20];
    struct http_match m;
    memset(allow, 'x', sizeof(allow));
    assert_int_equal(http_route_find(routes, COUNT_OF(routes), HTTP_PUT, STR("/api/calls/a"), allow, size, &m),
                     ERR_DENIED);
    assert_true(memchr(allow, '\0', size));
    assert_int_equal(allow[size], 'x');
  }
}

static void a_query_is_decoded(void **state) {
  static const struct {
    const char *query, *name, *value; /* NULL: not found */
    enum err e;
  } cases[] = {
      {"a=1&b=2", "b", "2", OK},
      {"a=1&a=2", "a", NULL, ERR_EXISTS},
      {"a=1&b=2&%61=", "a", NULL, ERR_EXISTS},
      {"a=1&b=1&b=2", "a", "1", OK},
      {"a=1&b=%zz&c", "a", "1", OK},
      {"a=b+c%20d%2B", "a", "b c d+", OK},
      {"a", "a", "", OK},
      {"a=", "a", "", OK},
      {"&&a=1&", "a", "1", OK},
      {"=x&a=1", "a", "1", OK},
      {"a=b=c", "a", "b=c", OK},
      {"%61=1", "a", "1", OK},
      {"a=%D7%90", "a", "\xd7\x90", OK},
      {"", "a", NULL, ERR_NOT_FOUND},
      {"b=1", "a", NULL, ERR_NOT_FOUND},
      {"a=%", "a", NULL, ERR_INVALID},
      {"a=%1", "a", NULL, ERR_INVALID},
      {"a=%gg", "a", NULL, ERR_INVALID},
      {"%zz=1&a=1", "a", NULL, ERR_INVALID},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(100);
    struct str value = STR_NONE;
    enum err e = http_query_get(str_from(cases[i].query), str_from(cases[i].name), &b, &value);
    if (e != cases[i].e || (e == OK && !str_eq(value, str_from(cases[i].value)))) fail_msg("case %zu: %d", i, e);
  }
}

static void a_value_stays_valid_when_longer_pairs_follow_it(void **state) {
  char query[2048] = "a=first&b=";
  struct buf b CLEANUP(buf_done) = BUF_INIT(4096);
  struct str value = STR_NONE;
  (void)state;
  memset(query + strlen(query), 'x', sizeof(query) - 1 - strlen(query));
  assert_int_equal(buf_reserve(&b, 16), OK);
  void *behind = malloc(64); /* the buffer can't grow where it is */
  assert_non_null(behind);
  assert_int_equal(http_query_get(str_from(query), STR("a"), &b, &value), OK);
  assert_true(value.p >= b.p && value.p + value.n <= b.p + b.n);
  assert_true(str_eq(value, STR("first")));
  free(behind);
}

static void a_form_gives_its_pairs_in_order(void **state) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(100);
  struct http_form f = {.rest = STR("one=1&two=%32+2&&three=%00x")};
  struct str name, value, names[3], values[3];
  (void)state;
  assert_int_equal(buf_reserve(&b, f.rest.n), OK);
  for (size_t i = 0; i < 3; i++) assert_int_equal(http_form_next(&f, &b, &names[i], &values[i]), OK);
  assert_int_equal(http_form_next(&f, &b, &name, &value), ERR_NOT_FOUND);
  assert_true(str_eq(names[0], STR("one")) && str_eq(values[0], STR("1")));
  assert_true(str_eq(names[1], STR("two")) && str_eq(values[1], STR("2 2")));
  assert_true(str_eq(names[2], STR("three")) && str_eq(values[2], STR("\0x")));
}

static void a_form_larger_than_its_buffer_is_an_error(void **state) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(4);
  struct http_form f = {.rest = STR("name=value")};
  struct str name, value;
  (void)state;
  assert_int_equal(http_form_next(&f, &b, &name, &value), ERR_TOO_BIG);
}

static void a_segment_is_decoded_without_nul(void **state) {
  static const struct {
    struct str segment, value;
    enum err e;
  } cases[] = {
      {STR("RE1"), STR("RE1"), OK},       {STR("a+b"), STR("a+b"), OK},      {STR("a%2Fb%2f"), STR("a/b/"), OK},
      {STR("%00"), STR(""), ERR_INVALID}, {STR("%4"), STR(""), ERR_INVALID}, {STR("%"), STR(""), ERR_INVALID},
      {STR("%-1"), STR(""), ERR_INVALID},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(100);
    struct str value = STR_NONE;
    assert_int_equal(http_segment_decode(cases[i].segment, &b, &value), cases[i].e);
    if (cases[i].e == OK)
      assert_true(str_eq(value, cases[i].value));
    else
      assert_int_equal(b.n, 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_path_finds_its_row),
      cmocka_unit_test(allow_never_overflows_its_room),
      cmocka_unit_test(a_query_is_decoded),
      cmocka_unit_test(a_value_stays_valid_when_longer_pairs_follow_it),
      cmocka_unit_test(a_form_gives_its_pairs_in_order),
      cmocka_unit_test(a_form_larger_than_its_buffer_is_an_error),
      cmocka_unit_test(a_segment_is_decoded_without_nul),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
