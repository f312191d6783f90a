/* Texts that commands print and read, as far as they are made by pure functions. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "cmd/check/check_report.h"
#include "cmd/cmd_progress.h"
#include "domain/public_url.h"
#include "cmd/demo/demo_parts.h"
#include "cmd/status/status_watch.h"
#include "cmd/verify/verify_parts.h"

#define RE "RE0123456789abcdef0123456789abcdef"
#define CA "CA0123456789abcdef0123456789abcdef"

static void assert_text(struct buf *b, const char *wanted) {
  const char *text;
  assert_int_equal(buf_terminate(b, &text), OK);
  assert_string_equal(text, wanted);
  buf_done(b);
}

/* ---- progress ---- */

static void percent_is_whole_and_a_hundred_only_at_the_end(void **state) {
  static const struct {
    int64_t done, all;
    int percent;
  } cases[] = {{0, 0, 0},     {5, 0, 0},       {0, 10, 0},    {-1, 10, 0},   {1, 3, 33},
               {99, 100, 99}, {999, 1000, 99}, {10, 10, 100}, {11, 10, 100}, {INT64_MAX - 1, INT64_MAX, 100}};
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    assert_int_equal(progress_percent(cases[i].done, cases[i].all), cases[i].percent);
}

static void bar_fits_its_line(void **state) {
  static const struct {
    int percent, columns;
    const char *line;
  } cases[] = {
      {0, 30, "Work  [              ]    0 %"},
      {50, 30, "Work  [#######       ]   50 %"},
      {100, 30, "Work  [##############]  100 %"},
      {42, 12, "Work  42 %"}, /* no room for a bar */
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct buf b = BUF_INIT(1024);
    assert_int_equal(progress_write(&b, "Work", cases[i].percent, cases[i].columns), OK);
    assert_true(b.n <= (size_t)cases[i].columns);
    assert_text(&b, cases[i].line);
  }
}

/* ---- the doctor's lines ---- */

static void finding_is_a_line_or_an_object(void **state) {
  struct buf b = BUF_INIT(1024);
  (void)state;
  assert_int_equal(report_write(&b, false, CHECK_FAIL, "files", "chmod 600 x", STR("x can be read by others")), OK);
  assert_text(&b, "FAIL  files      x can be read by others: chmod 600 x");
  assert_int_equal(report_write(&b, false, CHECK_OK, "room", "", STR("enough")), OK);
  assert_text(&b, "ok    room       enough");
  assert_int_equal(report_write(&b, true, CHECK_WARN, "room", "", STR("say \"more\"\n")), OK);
  assert_text(&b, "{\"level\":\"warn\",\"about\":\"room\",\"finding\":\"say \\\"more\\\"\\n\",\"mend\":null}");
}

/* ---- URLs ---- */

static void base_is_the_public_one_or_where_it_listens(void **state) {
  static const struct {
    char *public_url, *listen;
    const char *base;
  } cases[] = {
      {"https://calls.example.com/", "127.0.0.1:1", "https://calls.example.com"},
      {"https://calls.example.com/app//", "127.0.0.1:1", "https://calls.example.com/app"},
      {NULL, "127.0.0.1:8080", "http://127.0.0.1:8080"},
      {NULL, "192.0.2.7:80", "http://192.0.2.7:80"},
      {NULL, "0.0.0.0:8080", "http://127.0.0.1:8080"},
      {NULL, "[::]:8080", "http://[::1]:8080"},
      {NULL, "[2001:db8::1]:8080", "http://[2001:db8::1]:8080"},
      {NULL, "127.0.0.1:0", ""},
      {NULL, "nonsense", ""},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct buf b = BUF_INIT(1024);
    struct conf conf = {.public_base_url = cases[i].public_url, .listen = cases[i].listen};
    assert_int_equal(public_url_add_base(&b, &conf), OK);
    assert_text(&b, cases[i].base);
    assert_int_equal(public_url_add_webhook(&b, &conf, 12, "call"), OK);
    assert_true(str_ends(buf_str(&b), STR("/webhooks/twilio/12/call")));
    buf_done(&b);
  }
}

static void public_url_that_a_provider_can_not_use_is_told(void **state) {
  static const struct {
    const char *url, *problem; /* NULL: none */
  } cases[] = {
      {NULL, "not set"},
      {"nonsense", "not an http"},
      {"http://calls.example.com", "not https"},
      {"https://calls.example.com/x", NULL},
      {"https://localhost", "private network"},
      {"https://LOCALHOST:8443/x", "private network"},
      {"https://127.3.2.1", "private network"},
      {"https://[::1]:1", "private network"},
      {"https://192.168.1.2", "private network"},
      {"https://8.8.8.8", NULL},
      {"https://localhost.example.com", NULL},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    const char *problem = public_url_problem(cases[i].url);
    if (!cases[i].problem) assert_null(problem);
    if (cases[i].problem) assert_non_null(strstr(problem, cases[i].problem));
  }
}

/* ---- names in the store ---- */

static void name_says_whose_file_it_is(void **state) {
  static const struct {
    const char *name;
    int kind;
    int64_t business_id, token;
  } cases[] = {
      {"1/2026/11/" CA "." RE ".mp3", VERIFY_NAME_BLOB, 1, 0},
      {"1/2026/11/" RE ".wav", VERIFY_NAME_BLOB, 1, 0},
      {"70/2026/11/" CA "." RE ".12.part", VERIFY_NAME_PART, 70, 12},
      {"1/2026/11/" CA "." RE ".mp3.3.bad", VERIFY_NAME_ASIDE, 0, 0},
      {"1/2026/11/" CA "." RE ".txt", VERIFY_NAME_OTHER, 0, 0},
      {"1/2026/11/" CA "." RE, VERIFY_NAME_OTHER, 0, 0},
      {"1/2026/11/" CA ".mp3", VERIFY_NAME_OTHER, 0, 0},
      {"1/2026/11/" CA "." RE ".part", VERIFY_NAME_OTHER, 0, 0},
      {"1/2026/11/" CA "." RE ".x.part", VERIFY_NAME_OTHER, 0, 0},
      {"1/2026/11/" CA "." RE ".99999999999999999999.part", VERIFY_NAME_OTHER, 0, 0},
      {"0/2026/11/" RE ".mp3", VERIFY_NAME_OTHER, 0, 0},
      {"x/2026/11/" RE ".mp3", VERIFY_NAME_OTHER, 0, 0},
      {RE ".mp3", VERIFY_NAME_OTHER, 0, 0},
      {"notes.txt", VERIFY_NAME_OTHER, 0, 0},
      {"", VERIFY_NAME_OTHER, 0, 0},
      {".", VERIFY_NAME_OTHER, 0, 0},
      {".mp3", VERIFY_NAME_OTHER, 0, 0},
      {"/.part", VERIFY_NAME_OTHER, 0, 0},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct verify_name n;
    verify_name_parse(str_from(cases[i].name), &n);
    assert_int_equal(n.kind, cases[i].kind);
    assert_int_equal(n.business_id, cases[i].business_id);
    assert_int_equal(n.token, cases[i].token);
    assert_string_equal(n.recording_sid, cases[i].business_id ? RE : "");
  }
}

/* ---- the demo ---- */

static void first_line_of_a_simulator_says_where_and_who_it_is(void **state) {
  static const char *const bad[] = {
      "",
      "callreel-sim listening on",
      "callreel-sim listening on http://127.0.0.1:1 account AC1",
      "callreel-sim listening on http://127.0.0.1:1 account AC1 token",
      "callreel-sim listening on http://127.0.0.1:1 token T account AC1",
      "callreel-sim listening on http://127.0.0.1:1 account AC1 token T more",
      "callreel-sim listening at http://127.0.0.1:1 account AC1 token T",
  };
  struct demo_simulator s;
  (void)state;
  assert_int_equal(demo_hello_parse(STR("callreel-sim listening on http://127.0.0.1:81 account AC12 token abc"), &s),
                   OK);
  assert_string_equal(s.url, "http://127.0.0.1:81");
  assert_string_equal(s.account, "AC12");
  assert_string_equal(s.token, "abc");
  for (size_t i = 0; i < COUNT_OF(bad); i++) assert_int_equal(demo_hello_parse(str_from(bad[i]), &s), ERR_INVALID);
}

static void call_of_the_demo_is_an_order_for_the_simulator(void **state) {
  struct demo_call call = {.customer = "A", .number = "+15550101", .seconds = 7};
  struct demo_business business = {.name = "B", .number = "+15550100", .calls = &call, .count = 1};
  struct buf b = BUF_INIT(1024);
  (void)state;
  assert_int_equal(demo_write_call(&b, &business, &call, 0), OK);
  assert_text(&b,
              "{\"seconds\":7,\"channels\":1,\"legs\":1,\"direction\":\"inbound\",\"from\":\"+15550101\",\"to\":\"+"
              "15550100\"}");
  call = (struct demo_call){.number = "+15550101",
                            .seconds = 7,
                            .minutes_ago = 2,
                            .is_outbound = true,
                            .is_dual = true,
                            .has_child = true,
                            .status = "absent",
                            .call_status = "busy",
                            .faults = "\"xml\""};
  assert_int_equal(demo_write_call(&b, &business, &call, 150500), OK);
  assert_text(
      &b,
      "{\"seconds\":7,\"channels\":2,\"legs\":2,\"direction\":\"outbound\",\"from\":\"+15550100\",\"to\":\"+15550101\""
      ",\"start_time\":\"1970-01-01T00:00:30Z\",\"call_status\":\"busy\",\"status\":\"absent\",\"faults\":[\"xml\"]}");
}

static void second_recording_of_the_demo_ends_with_its_call(void **state) {
  struct demo_call call = {.minutes_ago = 2, .seconds = 30, .again = 10};
  struct buf b = BUF_INIT(1024);
  (void)state;
  assert_int_equal(demo_write_again(&b, &call, 150500), OK);
  assert_text(&b, "{\"seconds\":10,\"start_time\":\"1970-01-01T00:00:50Z\"}");
}

/* ---- painting ---- */

static void painting_is_cut_at_the_terminals_edges(void **state) {
  struct buf b = BUF_INIT(1024);
  (void)state;
  assert_int_equal(status_paint(STR("abcdef\nxy\n"), 4, 10, &b), OK);
  assert_text(&b, "\x1b[Habcd\x1b[K\r\nxy\x1b[K\r\n\x1b[J");
  assert_int_equal(status_paint(STR("1\n2\n3\n"), 4, 2, &b),
                   OK); /* the last line ends without a new one: nothing scrolls */
  assert_text(&b, "\x1b[H1\x1b[K\r\n2\x1b[K\x1b[J");
  assert_int_equal(status_paint(STR(""), 4, 2, &b), OK);
  assert_text(&b, "\x1b[H\x1b[J");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(percent_is_whole_and_a_hundred_only_at_the_end),
      cmocka_unit_test(bar_fits_its_line),
      cmocka_unit_test(finding_is_a_line_or_an_object),
      cmocka_unit_test(base_is_the_public_one_or_where_it_listens),
      cmocka_unit_test(public_url_that_a_provider_can_not_use_is_told),
      cmocka_unit_test(name_says_whose_file_it_is),
      cmocka_unit_test(first_line_of_a_simulator_says_where_and_who_it_is),
      cmocka_unit_test(call_of_the_demo_is_an_order_for_the_simulator),
      cmocka_unit_test(second_recording_of_the_demo_ends_with_its_call),
      cmocka_unit_test(painting_is_cut_at_the_terminals_edges),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
