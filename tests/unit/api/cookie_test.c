/* Tests of api_cookie.c: only callreel's own cookie is read, at any place among others. */
#include "asked.h"

#include "api/auth/api_cookie.h"
#include "base/buf.h"

static struct cookie_rules rules_of(bool https, const char *base, bool framed) {
  struct cookie_rules rules;
  assert_int_equal(cookie_rules_set(&rules, https, str_from(base), framed), OK);
  return rules;
}

static void only_good_values_of_a_cookie_of_our_name_are_found(void **state) {
  (void)state;
  static const struct {
    const char *first, *second; /* Cookie headers */
    enum err e;
    const char *value;
  } cases[] = {
      {NULL, NULL, ERR_NOT_FOUND, NULL},
      {"", NULL, ERR_NOT_FOUND, NULL},
      {"callreel=abc-_9", NULL, OK, "abc-_9"},
      {"a=b; callreel=abc; c=d", NULL, OK, "abc"},
      {"a=b;callreel=abc;c=d", NULL, OK, "abc"},
      {"  callreel=abc\t", NULL, OK, "abc"},
      {"a={\"x\": [1, 2]}; \xff\xfe; =; ;; callreel=abc; broken", NULL, OK, "abc"},
      {"callreel=a=b", NULL, OK, "a=b"},
      {"a=b", "callreel=abc", OK, "abc"},
      {"callreel=abc", "callreel=abc", OK, "abc"},
      {"callreel=abc; callreel=abc", NULL, OK, "abc"},
      {"callreel=abc; callreel=abd", NULL, OK, "abc abd"},
      {"callreel=abc; callreel=abd; callreel=abc", "callreel=abe", OK, "abc abd abe"},
      {"callreel=a; callreel=b; callreel=c", "callreel=d; callreel=e", ERR_INVALID, NULL},
      {"callreel=abc; callreel=", NULL, OK, "abc"},
      {"callreel=a b; callreel=abc", NULL, OK, "abc"},
      {"callreel=", NULL, ERR_INVALID, NULL},
      {"callreel=\"abc\"", NULL, ERR_INVALID, NULL},
      {"callreel=a b", NULL, ERR_INVALID, NULL},
      {"callreel=a,b", NULL, ERR_INVALID, NULL},
      {"callreel=a\\b", NULL, ERR_INVALID, NULL},
      {"callreel=\xc3\xa4", NULL, ERR_INVALID, NULL},
      {"callreel", NULL, ERR_NOT_FOUND, NULL},
      {"callreel =abc", NULL, ERR_NOT_FOUND, NULL},
      {"Callreel=abc", NULL, ERR_NOT_FOUND, NULL},
      {"xcallreel=abc; callreel2=abc; x=callreel=abc", NULL, ERR_NOT_FOUND, NULL},
      {"__Host-callreel=abc", NULL, ERR_NOT_FOUND, NULL},
  };
  struct cookie_rules rules = rules_of(false, "", false);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct asked a;
    struct cookie_values values = {{STR("untouched")}, 1};
    struct buf all CLEANUP(buf_done) = BUF_INIT(200);
    asked_set(&a, HTTP_GET, "h", (const char *[]){"Cookie", cases[i].first, "cookie", cases[i].second, NULL});
    if (cookie_find(&rules, &a.request, &values) != cases[i].e) fail_msg("%s", cases[i].first);
    for (size_t k = 0; k < values.count; k++)
      assert_int_equal(buf_addf(&all, "%s%.*s", k ? " " : "", STR_ARG(values.all[k])), OK);
    assert_true(str_eq(buf_str(&all), str_from(cases[i].e == OK ? cases[i].value : "untouched")));
  }
}

static void a_value_has_256_bytes_at_most(void **state) {
  (void)state;
  struct cookie_rules rules = rules_of(false, "", false);
  for (int n = 255; n <= 257; n++) {
    char text[300], filling[300];
    struct asked a;
    struct cookie_values values;
    memset(filling, 'x', sizeof(filling));
    (void)snprintf(text, sizeof(text), "callreel=%.*s", n, filling);
    asked_set(&a, HTTP_GET, "h", (const char *[]){"Cookie", text, NULL});
    assert_int_equal(cookie_find(&rules, &a.request, &values), n <= COOKIE_VALUE_MAX ? OK : ERR_INVALID);
  }
}

static void it_is_set_as_the_address_and_the_frames_demand(void **state) {
  (void)state;
  static const struct {
    bool https;
    const char *base;
    bool framed;
    const char *line;
  } cases[] = {
      {false, "", false, "callreel=tok; Path=/; HttpOnly; SameSite=Lax; Max-Age=60"},
      {false, "/sub", false, "callreel=tok; Path=/sub; HttpOnly; SameSite=Lax; Max-Age=60"},
      {true, "", false, "__Host-callreel=tok; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=60"},
      {true, "/a/b", false, "__Secure-callreel=tok; Path=/a/b; HttpOnly; SameSite=Lax; Secure; Max-Age=60"},
      {true, "", true, "__Host-callreel=tok; Path=/; HttpOnly; SameSite=None; Secure; Partitioned; Max-Age=60"},
      {false, "", true, "callreel=tok; Path=/; HttpOnly; SameSite=None; Secure; Partitioned; Max-Age=60"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct cookie_rules rules = rules_of(cases[i].https, cases[i].base, cases[i].framed);
    struct http_fields f;
    char text[1000], pair[100];
    struct asked a;
    struct cookie_values values;
    http_fields_init(&f);
    cookie_set(&rules, STR("tok"), 60, &f);
    assert_string_equal(line_of(&f, "Set-Cookie", text, sizeof(text)), cases[i].line);
    /* cookie_find reads what a browser sends back */
    (void)snprintf(pair, sizeof(pair), "%.*s", (int)strcspn(text, ";"), text);
    asked_set(&a, HTTP_GET, "h", (const char *[]){"Cookie", pair, NULL});
    assert_int_equal(cookie_find(&rules, &a.request, &values), OK);
    assert_true(values.count == 1 && str_eq(values.all[0], STR("tok")));
  }
}

static void its_age_is_within_0_and_12_hours(void **state) {
  (void)state;
  static const struct {
    int64_t age_s;
    const char *ends;
  } cases[] = {{-1, "; Max-Age=0"},
               {0, "; Max-Age=0"},
               {43200, "; Max-Age=43200"},
               {43201, "; Max-Age=43200"},
               {INT64_MAX, "; Max-Age=43200"}};
  struct cookie_rules rules = rules_of(true, "", false);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct http_fields f;
    char text[1000];
    http_fields_init(&f);
    cookie_set(&rules, STR("tok"), cases[i].age_s, &f);
    assert_true(str_ends(str_from(line_of(&f, "Set-Cookie", text, sizeof(text))), str_from(cases[i].ends)));
  }
}

static void it_is_cleared_however_it_was_set(void **state) {
  (void)state;
  struct cookie_rules rules = rules_of(true, "/sub", true);
  struct http_fields f;
  http_fields_init(&f);
  cookie_clear(&rules, &f);
  static const char expected[] =
      "Set-Cookie: __Secure-callreel=; Path=/sub; HttpOnly; SameSite=None; Secure; Partitioned; Max-Age=0\r\n"
      "Set-Cookie: __Secure-callreel=; Path=/sub; HttpOnly; SameSite=Lax; Secure; Max-Age=0\r\n"
      "Set-Cookie: __Secure-callreel=; Path=/; HttpOnly; SameSite=None; Secure; Partitioned; Max-Age=0\r\n"
      "Set-Cookie: __Secure-callreel=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0\r\n";
  assert_true(!f.bad && str_eq(str_of(f.bytes, f.n), str_from(expected)));
}

static void a_value_that_is_none_is_never_sent(void **state) {
  (void)state;
  static const char *const values[] = {"a;b", "a b", "a\r\nX: y", "a,b", "\x7f"};
  struct cookie_rules rules = rules_of(true, "", false);
  for (size_t i = 0; i < COUNT_OF(values); i++) {
    struct http_fields f;
    http_fields_init(&f);
    cookie_set(&rules, str_from(values[i]), 60, &f);
    assert_true(f.bad);
    assert_int_equal(f.n, 0);
  }
}

static void a_path_that_a_cookie_can_not_be_kept_to_is_refused(void **state) {
  (void)state;
  static const char *const paths[] = {"/a;b", "/a b", "a", "/\xc3\xa4", "/a\r\n"};
  struct cookie_rules rules;
  char path[700];
  for (size_t i = 0; i < COUNT_OF(paths); i++)
    assert_int_equal(cookie_rules_set(&rules, true, str_from(paths[i]), false), ERR_INVALID);
  memset(path, '/', sizeof(path));
  assert_int_equal(cookie_rules_set(&rules, true, str_of(path, sizeof(path)), false), ERR_INVALID);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(only_good_values_of_a_cookie_of_our_name_are_found),
      cmocka_unit_test(a_value_has_256_bytes_at_most),
      cmocka_unit_test(it_is_set_as_the_address_and_the_frames_demand),
      cmocka_unit_test(its_age_is_within_0_and_12_hours),
      cmocka_unit_test(it_is_cleared_however_it_was_set),
      cmocka_unit_test(a_value_that_is_none_is_never_sent),
      cmocka_unit_test(a_path_that_a_cookie_can_not_be_kept_to_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
