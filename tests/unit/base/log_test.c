#include "base_testing.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static int pipe_fds[2];
static char line[8192];

/* The lines logged since the last call, without their time stamps. */
static const char *logged(void) {
  ssize_t n = read(pipe_fds[0], line, sizeof(line) - 1);
  assert_true(n > 0 && line[n - 1] == '\n');
  line[n - 1] = '\0';
  const char *after = strstr(line, "level");
  assert_non_null(after);
  return after;
}

static int catch_lines(void **state) {
  (void)state;
  if (pipe(pipe_fds) != 0) return -1;
  log_set_fd(pipe_fds[1]);
  return 0;
}

static int release_lines(void **state) {
  (void)state;
  log_set_fd(STDERR_FILENO);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
  return 0;
}

static void a_line_has_time_level_message_and_values(void **state) {
  (void)state;
  log_set_format(LOG_LOGFMT);
  log_info("Recording saved", LOG_INT("business", 1), LOG_TEXT("recording", "RE12"), LOG_REAL("seconds", 1.5));
  assert_string_equal(logged(), "level=info msg=\"Recording saved\" business=1 recording=RE12 seconds=1.5");
  assert_int_equal(strncmp(line, "ts=20", 5), 0);
  log_error("Gone");
  assert_string_equal(logged(), "level=error msg=\"Gone\"");
}

static void json_lines_hold_the_same(void **state) {
  (void)state;
  log_set_format(LOG_JSON);
  log_warn("Slow", LOG_INT("bytes", INT64_MIN), LOG_TEXT("why", "a \"b\"\n"), LOG_REAL("rate", NAN), LOG_ERR(ERR_BUSY));
  assert_string_equal(logged(),
                      "level\":\"warn\",\"msg\":\"Slow\",\"bytes\":-9223372036854775808,\"why\":\"a \\\"b\\\"\\n\","
                      "\"rate\":null,\"error\":\"busy\"}");
  assert_int_equal(strncmp(line, "{\"ts\":\"20", 9), 0);
}

static void foreign_text_cannot_leave_its_value(void **state) {
  (void)state;
  static const struct {
    struct str in;
    const char *logfmt, *json;
  } rows[] = {
      {STR("plain-1.2/3:+,@"), "v=plain-1.2/3:+,@", "\"v\":\"plain-1.2/3:+,@\""},
      {STR(""), "v=\"\"", "\"v\":\"\""},
      {STR("a b"), "v=\"a b\"", "\"v\":\"a b\""},
      {STR("a=b"), "v=\"a=b\"", "\"v\":\"a=b\""},
      {STR("\"\\"), "v=\"\\\"\\\\\"", "\"v\":\"\\\"\\\\\""},
      {STR("x\nlevel=error"), "v=\"x\\nlevel=error\"", "\"v\":\"x\\nlevel=error\""},
      {STR("\r\t\0\x1b[31m\x7f"), "v=\"\\r\\t\\u0000\\u001b[31m\\u007f\"", "\"v\":\"\\r\\t\\u0000\\u001b[31m\\u007f\""},
      {STR("\xff\xc3"), "v=\"\\xff\\xc3\"", "\"v\":\"\\ufffd\\ufffd\""},
      {STR("\xe2\x80\xae\xe2\x81\xa6\xc2\x85"), "v=\"\\u202e\\u2066\\u0085\"", "\"v\":\"\\u202e\\u2066\\u0085\""},
      {STR("\xf3\xa0\x80\x81"), "v=\"\\udb40\\udc01\"", "\"v\":\"\\udb40\\udc01\""},
      {STR("\xd7\xa9"), "v=\"\xd7\xa9\"", "\"v\":\"\xd7\xa9\""},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    log_set_format(LOG_LOGFMT);
    log_info("m", LOG_STR("v", rows[i].in));
    assert_string_equal(logged() + strlen("level=info msg=\"m\" "), rows[i].logfmt);
    log_set_format(LOG_JSON);
    log_info("m", LOG_STR("v", rows[i].in));
    struct str json = str_skip(str_from(logged()), strlen("level\":\"info\",\"msg\":\"m\","));
    assert_str(str_head(json, json.n - 1), str_from(rows[i].json));
  }
}

static void a_long_value_is_cut_between_characters(void **state) {
  (void)state;
  char text[600], expected[700] = "level=info msg=\"m\" v=\"";
  memset(text, 'x', sizeof(text));
  memcpy(text + 511, "\xd7\xa9", 2);
  memcpy(expected + strlen(expected), text, 511);
  memcpy(expected + strlen(expected), "\xe2\x80\xa6\"", 5);
  log_set_format(LOG_LOGFMT);
  log_info("m", LOG_STR("v", str_of(text, sizeof(text))));
  assert_string_equal(logged(), expected);
}

static void a_field_that_does_not_fit_is_left_out_whole(void **state) {
  (void)state;
  char text[512];
  memset(text, 1, sizeof(text)); /* six characters each */
  struct str v = str_of(text, sizeof(text));
  log_set_format(LOG_JSON);
  log_info("m", LOG_STR("a", v), LOG_STR("b", v), LOG_INT("c", 3));
  const char *got = logged();
  assert_non_null(strstr(got, "\\u0001\",\"c\":3,\"left_out\":1}"));
  assert_null(strstr(got, "\"b\""));
  assert_true(strlen(line) < 4096);
}

static void lower_levels_are_not_evaluated(void **state) {
  (void)state;
  int asked = 0;
  log_set_format(LOG_LOGFMT);
  log_set_level(LOG_WARN);
  log_info("not said", LOG_INT("n", ++asked));
  log_warn("said", LOG_INT("n", ++asked));
  log_set_level(LOG_INFO);
  assert_string_equal(logged(), "level=warn msg=\"said\" n=1");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_line_has_time_level_message_and_values, catch_lines, release_lines),
    cmocka_unit_test_setup_teardown(json_lines_hold_the_same, catch_lines, release_lines),
    cmocka_unit_test_setup_teardown(foreign_text_cannot_leave_its_value, catch_lines, release_lines),
    cmocka_unit_test_setup_teardown(a_long_value_is_cut_between_characters, catch_lines, release_lines),
    cmocka_unit_test_setup_teardown(a_field_that_does_not_fit_is_left_out_whole, catch_lines, release_lines),
    cmocka_unit_test_setup_teardown(lower_levels_are_not_evaluated, catch_lines, release_lines),
};
RUN_TESTS(tests)
