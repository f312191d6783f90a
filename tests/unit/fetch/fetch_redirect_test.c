/* Redirects: who gets credentials, how many hops, which targets, which method. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "origin.h"
#include "probe.h"

#define HEAD200 "HTTP/1.1 200 OK\r\n"

struct pair {
  struct origin *a, *b;
};

/* /1 leads to /2, /2 to the other origin, /3 answers. */
static bool chain_a(void *arg, int fd, const struct origin_request *request) {
  struct pair *pair = arg;
  char url[ORIGIN_URL_SIZE];
  origin_url(pair->b, "http", "/b?sig=1", url);
  if (strncmp(request->head, "GET /1 ", 7) == 0) {
    origin_say_redirect(fd, 302, "/2");
  } else if (strncmp(request->head, "GET /2 ", 7) == 0) {
    origin_say_redirect(fd, 307, url);
  } else {
    origin_say(fd, HEAD200 "Content-Length: 5\r\n\r\nhello");
  }
  return true;
}

static bool chain_b(void *arg, int fd, const struct origin_request *request) {
  struct pair *pair = arg;
  char url[ORIGIN_URL_SIZE];
  (void)request;
  origin_url(pair->a, "http", "/3", url);
  origin_say_redirect(fd, 301, url);
  return true;
}

static void credentials_are_seen_by_the_first_origin_only(void **state) {
  (void)state;
  struct pair pair;
  pair.a = origin_new(chain_a, &pair);
  pair.b = origin_new(chain_b, &pair);
  struct fetch *f = probe_fetch_new(0);
  char url[ORIGIN_URL_SIZE];
  struct probe p;
  const char *headers[] = {"X-Secret: hush", "Range: bytes=5-", NULL};
  origin_url(pair.a, "http", "/1", url);
  probe_init(&p, f, url);
  p.request.user = "AC1";
  p.request.password = "tok:en";
  p.request.headers = headers;
  probe_run(&p);
  assert_int_equal(p.result.end, FETCH_DONE);
  assert_string_equal(p.body, "hello");
  assert_int_equal(p.replies, 1);
  assert_int_equal(origin_requests(pair.a), 3);
  assert_int_equal(origin_requests(pair.b), 1);
  for (int i = 0; i < 2; i++) {
    assert_true(origin_saw(pair.a, i, "Authorization: Basic QUMxOnRvazplbg==\r\n"));
    assert_true(origin_saw(pair.a, i, "X-Secret: hush\r\n"));
    assert_true(origin_saw(pair.a, i, "Range: bytes=5-\r\n"));
  }
  struct origin *strangers[] = {pair.b, pair.a};
  const int numbers[] = {0, 2};
  for (int i = 0; i < 2; i++) {
    assert_false(origin_saw(strangers[i], numbers[i], "Authorization"));
    assert_false(origin_saw(strangers[i], numbers[i], "X-Secret"));
    assert_false(origin_saw(strangers[i], numbers[i], "Range"));
    assert_false(origin_saw(strangers[i], numbers[i], "Referer"));
  }
  probe_done(&p);
  fetch_free(f);
  origin_free(pair.a);
  origin_free(pair.b);
}

static bool redirect_to_itself(void *arg, int fd, const struct origin_request *request) {
  (void)arg, (void)request;
  origin_say_redirect(fd, 302, "/again");
  return true;
}

static void hops_are_counted(void **state) {
  (void)state;
  const struct {
    unsigned max_hops;
    enum fetch_end end;
    int requests;
  } cases[] = {{0, FETCH_DONE, 1}, {1, FETCH_REFUSED, 2}, {5, FETCH_REFUSED, 6}};
  struct fetch *f = probe_fetch_new(0);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct origin *origin = origin_new(redirect_to_itself, NULL);
    char url[ORIGIN_URL_SIZE];
    struct probe p;
    origin_url(origin, "http", "/a", url);
    probe_init(&p, f, url);
    p.request.max_hops = cases[i].max_hops;
    probe_run(&p);
    assert_int_equal(p.result.end, cases[i].end);
    assert_int_equal(p.result.status, 302);
    assert_int_equal(origin_requests(origin), cases[i].requests);
    assert_string_equal(p.body, cases[i].end == FETCH_DONE ? "gone" : "");
    probe_done(&p);
    origin_free(origin);
  }
  fetch_free(f);
}

static void forbidden_redirect_targets_get_no_request(void **state) {
  (void)state;
  const char *locations[] = {"http://user:pw@127.0.0.1/", "ftp://127.0.0.1/", "file:///etc/passwd", "http://"};
  struct fetch *f = probe_fetch_new(0);
  for (size_t i = 0; i < COUNT_OF(locations); i++) {
    char reply[256], url[ORIGIN_URL_SIZE];
    snprintf(reply, sizeof(reply), "HTTP/1.1 302 Go\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", locations[i]);
    struct origin *origin = origin_new(origin_say_and_close, reply);
    struct probe p;
    origin_url(origin, "http", "/a?key=hush", url);
    probe_init(&p, f, url);
    probe_run(&p);
    assert_int_equal(p.result.end, FETCH_FORBIDDEN);
    assert_int_equal(origin_requests(origin), 1);
    assert_null(strstr(p.result.detail, "hush"));
    assert_null(strstr(p.result.detail, "user"));
    assert_null(strstr(p.result.detail, "pw"));
    probe_done(&p);
    origin_free(origin);
  }
  fetch_free(f);
}

static bool endless_redirect(void *arg, int fd, const struct origin_request *request) {
  static const char filler[4096];
  (void)arg;
  if (strncmp(request->head, "GET /2 ", 7) == 0) {
    origin_say(fd, HEAD200 "Content-Length: 5\r\n\r\nhello");
    return true;
  }
  origin_say(fd, "HTTP/1.1 302 Go\r\nLocation: /2\r\n\r\n");
  for (int i = 0; i < 64; i++) origin_say_bytes(fd, filler, sizeof(filler));
  origin_wait_for_close(fd);
  return false;
}

static void a_redirect_with_an_endless_body_is_followed(void **state) {
  (void)state;
  struct fetch *f = probe_fetch_new(0);
  struct origin *origin = origin_new(endless_redirect, NULL);
  char url[ORIGIN_URL_SIZE];
  struct probe p;
  origin_url(origin, "http", "/1", url);
  probe_init(&p, f, url);
  probe_run(&p);
  assert_int_equal(p.result.end, FETCH_DONE);
  assert_string_equal(p.body, "hello");
  assert_int_equal(p.result.bytes, 5);
  probe_done(&p);
  origin_free(origin);
  fetch_free(f);
}

struct status_script {
  int status;
  char body[256];
};

static bool redirect_once(void *arg, int fd, const struct origin_request *request) {
  struct status_script *script = arg;
  if (request->number == 0) {
    origin_say_redirect(fd, script->status, "/2");
  } else {
    snprintf(script->body, sizeof(script->body), "%s", request->body);
    origin_say(fd, HEAD200 "Content-Length: 0\r\n\r\n");
  }
  return true;
}

static void methods_and_bodies_follow_the_status(void **state) {
  (void)state;
  const struct {
    const char *method;
    int status;
    const char *second, *body;
  } cases[] = {
      {"POST", 303, "GET /2 ", ""},     {"POST", 302, "GET /2 ", ""},      {"POST", 307, "POST /2 ", "a=1"},
      {"POST", 308, "POST /2 ", "a=1"}, {"DELETE", 307, "DELETE /2 ", ""}, {"DELETE", 303, "GET /2 ", ""},
      {NULL, 301, "GET /2 ", ""},
  };
  struct fetch *f = probe_fetch_new(0);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct status_script script = {.status = cases[i].status};
    struct origin *origin = origin_new(redirect_once, &script);
    char url[ORIGIN_URL_SIZE];
    struct probe p;
    origin_url(origin, "http", "/1", url);
    probe_init(&p, f, url);
    p.request.method = cases[i].method;
    p.request.body = STR("a=1");
    probe_run(&p);
    assert_int_equal(p.result.end, FETCH_DONE);
    assert_true(origin_saw(origin, 1, cases[i].second));
    assert_false(origin_saw(origin, 0, "Expect"));
    probe_done(&p);
    origin_free(origin);
    assert_string_equal(script.body, cases[i].body);
  }
  fetch_free(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(credentials_are_seen_by_the_first_origin_only),
      cmocka_unit_test(hops_are_counted),
      cmocka_unit_test(forbidden_redirect_targets_get_no_request),
      cmocka_unit_test(a_redirect_with_an_endless_body_is_followed),
      cmocka_unit_test(methods_and_bodies_follow_the_status),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
