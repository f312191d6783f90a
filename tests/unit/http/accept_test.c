#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/accept.h"
#include "http/static.h"

static void a_token_is_accepted_if_named_and_not_refused(void **state) {
  (void)state;
  static const struct {
    const char *value;
    bool is_named;
  } rows[] = {
      {"gzip", true},       {"GZip", true},         {" br , gzip ", true},   {"gzip;q=0.001", true},
      {"gzip ; q=1", true}, {"gzip;q=1;x=0", true}, {"br;q=0, gzip", true},  {"", false},
      {"gzi", false},       {"xgzip", false},       {"gzip2", false},        {"*", false},
      {"gzip;q=0", false},  {"gzip; Q=0.", false},  {"gzip;q=0.000", false}, {"gzip;x=1;q=0.0", false},
      {"br;gzip", false},   {",,;;,", false},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    if (http_accept_names(str_from(rows[i].value), STR("gzip")) != rows[i].is_named) fail_msg("%s", rows[i].value);
}

static void all_lines_of_a_header_count(void **state) {
  (void)state;
  const struct http_header headers[] = {{STR("accept"), STR("text/html")},
                                        {STR("Accept-Encoding"), STR("gzip")},
                                        {STR("ACCEPT"), STR("a/b, application/octet-stream;q=0.2")}};
  const struct http_request r = {.headers = headers, .header_count = COUNT_OF(headers)};
  assert_true(http_accepts(&r, STR("Accept"), STR("application/octet-stream")));
  assert_true(http_accepts(&r, STR("Accept"), STR("text/html")));
  assert_false(http_accepts(&r, STR("Accept"), STR("gzip")));
}

static void a_file_has_the_media_type_of_its_name(void **state) {
  (void)state;
  assert_string_equal(http_static_type(STR("a/index.html")), "text/html; charset=utf-8");
  assert_string_equal(http_static_type(STR("x-1a.woff2")), "font/woff2");
  assert_string_equal(http_static_type(STR("js")), "application/octet-stream");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_token_is_accepted_if_named_and_not_refused),
      cmocka_unit_test(all_lines_of_a_header_count),
      cmocka_unit_test(a_file_has_the_media_type_of_its_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
