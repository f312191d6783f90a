/* Tests of api_origin.c: the form of origins, requests with the cookie, CORS, frames. */
#include "asked.h"

#include "api/request/api_origin.h"

static struct origins *origins_of(const char *base, const char *cors, const char *frames) {
  struct origins *o = NULL;
  struct buf problem CLEANUP(buf_done) = BUF_INIT(1000);
  assert_int_equal(origins_new(base, cors, frames, &problem, &o), OK);
  assert_int_equal(problem.n, 0);
  return o;
}

static void an_origin_has_one_form(void **state) {
  (void)state;
  static const struct {
    const char *url, *origin; /* NULL: it has none */
    bool has_more;
  } cases[] = {
      {"https://app.example", "https://app.example", false},
      {"HTTPS://App.Example:443", "https://app.example", false},
      {"http://app.example:80/", "http://app.example", true},
      {"http://app.example:443", "http://app.example:443", false},
      {"https://app.example:8443/path?q#f", "https://app.example:8443", true},
      {"https://app.example?q", "https://app.example", true},
      {"http://[::1]:8080", "http://[::1]:8080", false},
      {"https://user@app.example", NULL, false},
      {"null", NULL, false},
      {"", NULL, false},
      {"app.example", NULL, false},
      {"//app.example", NULL, false},
      {"ftp://app.example", NULL, false},
      {"https://", NULL, false},
      {"https://a b", NULL, false},
      {"https://a\xc3\xa4", NULL, false},
      {"https://a:99999", NULL, false},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char origin[ORIGIN_SIZE] = "untouched";
    bool has_more = false;
    enum err e = origin_of_url(str_from(cases[i].url), origin, &has_more);
    if ((e == OK) != !!cases[i].origin) fail_msg("%s", cases[i].url);
    assert_string_equal(origin, cases[i].origin ? cases[i].origin : "untouched");
    if (e == OK) assert_int_equal(has_more, cases[i].has_more);
  }
}

static void a_request_with_the_cookie_is_judged_by_origin_then_by_site(void **state) {
  (void)state;
  static const struct {
    const char *base; /* PUBLIC_BASE_URL */
    enum http_method method;
    bool https;
    const char *host, *origin, *second_origin, *site;
    bool admitted;
  } cases[] = {
      /* safe methods always */
      {"https://reel.example", HTTP_GET, true, "reel.example", "https://evil.example", NULL, "cross-site", true},
      {"https://reel.example", HTTP_HEAD, true, "reel.example", "null", NULL, NULL, true},
      {"https://reel.example", HTTP_OPTIONS, true, "reel.example", "null", NULL, NULL, true},
      /* Origin, with PUBLIC_BASE_URL */
      {"https://reel.example/sub", HTTP_POST, true, "x", "https://reel.example", NULL, "cross-site", true},
      {"https://reel.example", HTTP_POST, false, "x", "https://reel.example", NULL, NULL, true},
      {"https://reel.example:443", HTTP_DELETE, false, "x", "https://reel.example", NULL, NULL, true},
      {"https://reel.example", HTTP_POST, true, "x", "https://crm.example", NULL, "cross-site", true},
      {"https://reel.example", HTTP_POST, true, "x", "http://reel.example", NULL, "same-origin", false},
      {"https://reel.example", HTTP_POST, true, "x", "https://reel.example:8443", NULL, NULL, false},
      {"https://reel.example", HTTP_POST, true, "evil.example", "https://evil.example", NULL, "same-origin", false},
      {"https://reel.example", HTTP_POST, true, "x", "https://reel.example.evil.example", NULL, NULL, false},
      {"https://reel.example", HTTP_POST, true, "x", "https://sub.crm.example", NULL, NULL, false},
      {"https://reel.example", HTTP_POST, true, "x", "https://reel.example/", NULL, NULL, false},
      {"https://reel.example", HTTP_POST, true, "x", "null", NULL, NULL, false},
      {"https://reel.example", HTTP_POST, true, "x", "", NULL, "same-origin", false},
      {"https://reel.example", HTTP_PATCH, true, "x", "https://reel.example", "https://reel.example", NULL, false},
      {"https://reel.example", HTTP_OTHER, true, "x", "https://evil.example", NULL, NULL, false},
      /* Origin, without: the request's own */
      {NULL, HTTP_POST, false, "127.0.0.1:8080", "http://127.0.0.1:8080", NULL, NULL, true},
      {NULL, HTTP_POST, false, "Reel.Example:80", "http://reel.example", NULL, NULL, true},
      {NULL, HTTP_POST, true, "reel.example", "https://reel.example", NULL, NULL, true},
      {NULL, HTTP_POST, false, "reel.example", "https://reel.example", NULL, NULL, false},
      {NULL, HTTP_POST, false, "reel.example", "http://reel.example:8080", NULL, NULL, false},
      {NULL, HTTP_POST, false, "", "http://", NULL, NULL, false},
      {NULL, HTTP_POST, false, "a/b", "http://a", NULL, NULL, false},
      {NULL, HTTP_POST, false, "u@a", "http://a", NULL, NULL, false},
      {NULL, HTTP_POST, true, "x", "https://crm.example", NULL, "cross-site", true},
      /* no Origin */
      {"https://reel.example", HTTP_POST, true, "x", NULL, NULL, NULL, true},
      {"https://reel.example", HTTP_POST, true, "x", NULL, NULL, "same-origin", true},
      {"https://reel.example", HTTP_PUT, true, "x", NULL, NULL, "none", true},
      {"https://reel.example", HTTP_POST, true, "x", NULL, NULL, "same-site", false},
      {"https://reel.example", HTTP_POST, true, "x", NULL, NULL, "cross-site", false},
      {"https://reel.example", HTTP_POST, true, "x", NULL, NULL, "", false},
      {"https://reel.example", HTTP_POST, true, "x", NULL, NULL, "Same-Origin", false},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct origins *o = origins_of(cases[i].base, "https://crm.example", NULL);
    struct asked a;
    asked_set(&a, cases[i].method, cases[i].host,
              (const char *[]){"origin", cases[i].origin, "Origin", cases[i].second_origin, "Sec-Fetch-Site",
                               cases[i].site, NULL});
    if (origin_admits_cookie(o, &a.request, cases[i].https) != cases[i].admitted) fail_msg("case %zu", i);
    origins_free(o);
  }
}

static void a_page_of_a_named_origin_may_read_answers(void **state) {
  (void)state;
  static const struct {
    const char *cors, *origin;
    const char *vary, *allowed; /* NULL: no such line */
  } cases[] = {
      {NULL, NULL, NULL, NULL},
      {NULL, "https://crm.example", NULL, NULL},
      {"https://crm.example", NULL, "Origin", NULL},
      {"https://crm.example", "https://crm.example", "Origin", "https://crm.example"},
      {"https://a.example, https://CRM.example:443", "https://crm.example", "Origin", "https://crm.example"},
      {"https://a.example https://b.example:8443", "https://b.example:8443", "Origin", "https://b.example:8443"},
      {"https://crm.example", "http://crm.example", "Origin", NULL},
      {"https://crm.example", "https://evilcrm.example", "Origin", NULL},
      {"https://crm.example", "https://crm.example.evil.example", "Origin", NULL},
      {"https://crm.example", "https://crm.example/", "Origin", NULL},
      {"https://crm.example", "null", "Origin", NULL},
      {"https://crm.example", "*", "Origin", NULL},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct origins *o = origins_of("https://reel.example", cases[i].cors, NULL);
    struct asked a;
    struct http_fields f;
    char text[1000];
    const char *line;
    asked_set(&a, HTTP_GET, "x", (const char *[]){"Origin", cases[i].origin, NULL});
    http_fields_init(&f);
    origin_cors(o, &a.request, &f);
    line = line_of(&f, "Vary", text, sizeof(text));
    assert_true(cases[i].vary ? line && strcmp(line, cases[i].vary) == 0 : !line);
    line = line_of(&f, "Access-Control-Allow-Origin", text, sizeof(text));
    if (!(cases[i].allowed ? line && strcmp(line, cases[i].allowed) == 0 : !line)) fail_msg("case %zu", i);
    line = line_of(&f, "Access-Control-Allow-Credentials", text, sizeof(text));
    assert_true(cases[i].allowed ? line && strcmp(line, "true") == 0 : !line);
    line = line_of(&f, "Access-Control-Expose-Headers", text, sizeof(text));
    assert_true(cases[i].allowed ? line && strstr(line, "Content-Range") && strstr(line, "Accept-Ranges") : !line);
    origins_free(o);
  }
}

static void a_preflight_is_answered_by_name(void **state) {
  (void)state;
  static const struct {
    const char *cors;
    enum http_method method;
    const char *origin, *asks;
    enum origin_preflight_result leave;
  } cases[] = {
      {"https://crm.example", HTTP_OPTIONS, "https://crm.example", "GET", ORIGIN_ALLOWED},
      {"https://crm.example", HTTP_OPTIONS, "https://crm.example", "PATCH", ORIGIN_ALLOWED},
      {"https://crm.example", HTTP_OPTIONS, "https://evil.example", "GET", ORIGIN_REFUSED},
      {"https://crm.example", HTTP_OPTIONS, "null", "GET", ORIGIN_REFUSED},
      {NULL, HTTP_OPTIONS, "https://crm.example", "GET", ORIGIN_REFUSED},
      {"https://crm.example", HTTP_OPTIONS, "https://crm.example", NULL, ORIGIN_NOT_ASKED},
      {"https://crm.example", HTTP_OPTIONS, NULL, "GET", ORIGIN_NOT_ASKED},
      {"https://crm.example", HTTP_GET, "https://crm.example", "GET", ORIGIN_NOT_ASKED},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct origins *o = origins_of(NULL, cases[i].cors, NULL);
    struct asked a;
    struct http_fields f;
    char text[1000];
    asked_set(&a, cases[i].method, "x",
              (const char *[]){"Origin", cases[i].origin, "Access-Control-Request-Method", cases[i].asks, NULL});
    http_fields_init(&f);
    if (origin_preflight(o, &a.request, STR("GET, HEAD"), &f) != cases[i].leave) fail_msg("case %zu", i);
    if (cases[i].leave == ORIGIN_NOT_ASKED) assert_int_equal(f.n, 0);
    const char *methods = line_of(&f, "Access-Control-Allow-Methods", text, sizeof(text));
    assert_true(cases[i].leave == ORIGIN_ALLOWED ? methods && strcmp(methods, "GET, HEAD") == 0 : !methods);
    if (cases[i].leave == ORIGIN_ALLOWED) {
      assert_string_equal(line_of(&f, "Access-Control-Allow-Origin", text, sizeof(text)), "https://crm.example");
      assert_non_null(strstr(line_of(&f, "Access-Control-Allow-Headers", text, sizeof(text)), "Range"));
      assert_non_null(strstr(line_of(&f, "Vary", text, sizeof(text)), "Origin"));
    }
    origins_free(o);
  }
}

static void frames_of_others_are_told_from_our_own(void **state) {
  (void)state;
  static const struct {
    const char *base, *frames, *written;
    bool others;
  } cases[] = {
      {NULL, NULL, "'self'", false},
      {NULL, "", "'self'", false},
      {NULL, "'self'", "'self'", false},
      {NULL, " 'none' ", "'none'", false},
      {NULL, "https://crm.example", "https://crm.example", true},
      {"https://reel.example/x", "'self' https://reel.example", "'self' https://reel.example", false},
      {"https://reel.example", "'self' https://crm.example", "'self' https://crm.example", true},
      {"https://reel.example", "http://reel.example", "http://reel.example", true},
      {"https://reel.example", "*", "*", true},
      {"https://reel.example", "https:", "https:", true},
      {"https://reel.example", "https://*.example", "https://*.example", true},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct origins *o = origins_of(cases[i].base, NULL, cases[i].frames);
    assert_string_equal(origins_frame_ancestors(o), cases[i].written);
    if (origins_framed_by_others(o) != cases[i].others) fail_msg("%s", cases[i].frames);
    assert_int_equal(origins_is_https(o), !!cases[i].base);
    origins_free(o);
  }
}

static void frame_ancestors_fit_into_the_head_of_an_answer(void **state) {
  char list[FRAME_ANCESTORS_MAX + 2];
  struct origins *o = NULL;
  struct http_fields f;
  struct buf problem CLEANUP(buf_done) = BUF_INIT(1000);
  (void)state;
  memset(list, 'a', sizeof(list));
  list[FRAME_ANCESTORS_MAX] = '\0';
  assert_int_equal(origins_new(NULL, NULL, list, &problem, &o), OK);
  http_fields_init(&f);
  http_field(&f, STR("Content-Security-Policy"), str_from(origins_frame_ancestors(o)));
  assert_false(f.bad);
  o = origins_free(o);
  list[FRAME_ANCESTORS_MAX] = 'a';
  list[FRAME_ANCESTORS_MAX + 1] = '\0';
  assert_int_equal(origins_new(NULL, NULL, list, &problem, &o), ERR_INVALID);
  assert_true(str_starts(buf_str(&problem), STR("FRAME_ANCESTORS: ")));
}

static void settings_that_will_not_do_are_refused_by_name(void **state) {
  (void)state;
  static const struct {
    const char *base, *cors, *frames, *setting;
  } cases[] = {
      {"reel.example", NULL, NULL, "PUBLIC_BASE_URL: "},
      {"ftp://reel.example", NULL, NULL, "PUBLIC_BASE_URL: "},
      {NULL, "*", NULL, "CORS_ORIGINS: "},
      {NULL, "null", NULL, "CORS_ORIGINS: "},
      {NULL, "https://a.example/", NULL, "CORS_ORIGINS: "},
      {NULL, "https://a.example/app", NULL, "CORS_ORIGINS: "},
      {NULL, "https://*.example", NULL, "CORS_ORIGINS: "},
      {NULL, "https://a.example,a.example", NULL, "CORS_ORIGINS: "},
      {NULL, NULL, "https://a.example; script-src *", "FRAME_ANCESTORS: "},
      {NULL, NULL, "https://a.example,https://b.example", "FRAME_ANCESTORS: "},
      {NULL, NULL, "'unsafe-inline'", "FRAME_ANCESTORS: "},
      {NULL, NULL, "self\r\nX-Evil: 1", "FRAME_ANCESTORS: "},
      {NULL, NULL, "'none' https://a.example", "FRAME_ANCESTORS: "},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct buf problem CLEANUP(buf_done) = BUF_INIT(1000);
    struct origins *o = NULL;
    if (origins_new(cases[i].base, cases[i].cors, cases[i].frames, &problem, &o) != ERR_INVALID)
      fail_msg("case %zu", i);
    assert_null(o);
    assert_true(str_starts(buf_str(&problem), str_from(cases[i].setting)));
  }
}

static void a_hundred_origins_are_the_most(void **state) {
  (void)state;
  for (int count = 100; count <= 101; count++) {
    struct buf list CLEANUP(buf_done) = BUF_INIT(10000);
    const char *text;
    struct origins *o = NULL;
    for (int i = 0; i < count; i++) assert_int_equal(buf_addf(&list, "https://h%d.example,", i), OK);
    assert_int_equal(buf_terminate(&list, &text), OK);
    assert_int_equal(origins_new(NULL, text, NULL, NULL, &o), count <= ORIGINS_MAX ? OK : ERR_INVALID);
    origins_free(o);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_origin_has_one_form),
      cmocka_unit_test(a_request_with_the_cookie_is_judged_by_origin_then_by_site),
      cmocka_unit_test(a_page_of_a_named_origin_may_read_answers),
      cmocka_unit_test(a_preflight_is_answered_by_name),
      cmocka_unit_test(frames_of_others_are_told_from_our_own),
      cmocka_unit_test(settings_that_will_not_do_are_refused_by_name),
      cmocka_unit_test(frame_ancestors_fit_into_the_head_of_an_answer),
      cmocka_unit_test(a_hundred_origins_are_the_most),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
