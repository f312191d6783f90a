/* The results of one request: replies, bodies, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "origin.h"
#include "probe.h"

static bool say_and_keep(void *arg, int fd, const struct origin_request *request) {
  (void)request;
  origin_say(fd, arg);
  return true;
}

struct outcome {
  const char *name, *reply;
  enum fetch_end end;
  int status;
  const char *body;
  int replies;
  int64_t length;
};

#define HEAD200 "HTTP/1.1 200 OK\r\n"

static const struct outcome OUTCOMES[] = {
    {"announced length", HEAD200 "Content-Length: 5\r\n\r\nhello", FETCH_DONE, 200, "hello", 1, 5},
    {"no length", HEAD200 "\r\nhello", FETCH_DONE, 200, "hello", 1, -1},
    {"old protocol", "HTTP/1.0 200 OK\r\n\r\nhello", FETCH_DONE, 200, "hello", 1, -1},
    {"chunked", HEAD200 "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", FETCH_DONE, 200, "hello", 1, -1},
    {"trailers", HEAD200 "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n", FETCH_DONE, 200, "hello",
     1, -1},
    {"chunks and a length", HEAD200 "Content-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
     FETCH_DONE, 200, "hello", 1, -1},
    {"cut", HEAD200 "Content-Length: 9\r\n\r\nhello", FETCH_CUT, 200, "hello", 1, 9},
    {"cut before the body", HEAD200 "Content-Length: 9\r\n\r\n", FETCH_CUT, 200, "", 1, 9},
    {"chunks cut", HEAD200 "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", FETCH_CUT, 200, "hello", 1, -1},
    {"last chunk missing", HEAD200 "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", FETCH_CUT, 200, "hel", 1, -1},
    {"more than announced", HEAD200 "Content-Length: 5\r\n\r\nhello and more", FETCH_DONE, 200, "hello", 1, 5},
    {"empty", HEAD200 "Content-Length: 0\r\n\r\n", FETCH_DONE, 200, "", 1, 0},
    {"no content", "HTTP/1.1 204 No Content\r\n\r\n", FETCH_DONE, 204, "", 1, -1},
    {"not modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", FETCH_DONE, 304, "", 1, 5},
    {"interim first", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" HEAD200 "Content-Length: 5\r\n\r\nhello",
     FETCH_DONE, 200, "hello", 1, 5},
    {"unauthorized", "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 2\r\n\r\nno", FETCH_DONE,
     401, "no", 1, 2},
    {"redirect without a place", "HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nno", FETCH_DONE, 302, "no", 1, 2},
    {"other 3xx", "HTTP/1.1 300 Choices\r\nLocation: /b\r\nContent-Length: 2\r\n\r\nno", FETCH_DONE, 300, "no", 1, 2},
    {"nothing at all", "", FETCH_REFUSED, 0, "", 0, 0},
    {"half a head", "HTTP/1.1 200 OK\r\nContent-Le", FETCH_REFUSED, 0, "", 0, 0},
    {"no HTTP", "220 mail.example ESMTP\r\n", FETCH_REFUSED, 0, "", 0, 0},
    {"chunked in capitals", HEAD200 "Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", FETCH_DONE, 200,
     "hello", 1, -1},
    {"an empty transfer coding", HEAD200 "Transfer-Encoding:\r\nContent-Length: 5\r\n\r\nhello", FETCH_DONE, 200,
     "hello", 1, 5},
    {"compressed on the way",
     HEAD200 "Transfer-Encoding: gzip\r\n\r\n"
             "hello",
     FETCH_REFUSED, 200, "", 0, 0},
    {"deflated on the way", HEAD200 "Transfer-Encoding: deflate\r\n\r\nhello", FETCH_REFUSED, 200, "", 0, 0},
    {"compressed in chunks", HEAD200 "Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", FETCH_REFUSED,
     200, "", 0, 0},
    {"chunks compressed", HEAD200 "Transfer-Encoding: chunked, gzip\r\n\r\nhello", FETCH_REFUSED, 200, "", 0, 0},
    {"two transfer codings",
     HEAD200 "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n5\r\nhello\r\n0\r\n\r\n", FETCH_REFUSED, 200,
     "", 0, 0},
    {"a transfer coding behind an empty one", HEAD200 "Transfer-Encoding:\r\nTransfer-Encoding: gzip\r\n\r\nhello",
     FETCH_REFUSED, 200, "", 0, 0},
    {"chunked twice", HEAD200 "Transfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", FETCH_REFUSED, 200,
     "", 0, 0},
    {"an unknown transfer coding", HEAD200 "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\nhello",
     FETCH_REFUSED, 200, "", 0, 0},
    {"a compressed redirect", "HTTP/1.1 302 Found\r\nLocation: /b\r\nTransfer-Encoding: gzip\r\n\r\nhello",
     FETCH_REFUSED, 302, "", 0, 0},
    {"a length that is none", HEAD200 "Content-Length: xyz\r\n\r\nhello", FETCH_REFUSED, 0, "", 0, 0},
};

static void a_reply_is_received_to_its_end(void **state) {
  (void)state;
  struct fetch *f = probe_fetch_new(0);
  for (size_t i = 0; i < COUNT_OF(OUTCOMES); i++) {
    const struct outcome *o = &OUTCOMES[i];
    struct origin *origin = origin_new(origin_say_and_close, (void *)(uintptr_t)o->reply);
    char url[ORIGIN_URL_SIZE];
    struct probe p;
    origin_url(origin, "http", "/a", url);
    probe_init(&p, f, url);
    probe_run(&p);
    if (p.result.end != o->end) fail_msg("%s: %d %s", o->name, p.result.end, p.result.detail);
    assert_int_equal(p.result.status, o->status);
    assert_string_equal(p.body, o->body);
    assert_int_equal(p.result.bytes, strlen(o->body));
    if (p.replies != o->replies) fail_msg("%s: %d replies", o->name, p.replies);
    assert_int_equal(p.reply.length, o->length);
    assert_int_equal(p.result.first_byte_ms >= 0, o->replies);
    assert_int_equal(p.ends, 1);
    assert_int_equal(origin_requests(origin), 1);
    probe_done(&p);
    origin_free(origin);
  }
  fetch_free(f);
}

static bool reset_midway(void *arg, int fd, const struct origin_request *request) {
  (void)request;
  origin_say(fd, HEAD200 "\r\nhello");
  probe_wait_data(arg);
  origin_reset(fd);
  return false;
}

static void a_reset_is_a_cut_even_without_a_length(void **state) {
  (void)state;
  struct fetch *f = probe_fetch_new(0);
  struct probe p;
  char url[ORIGIN_URL_SIZE];
  struct origin *origin = origin_new(reset_midway, &p);
  origin_url(origin, "http", "/a", url);
  probe_init(&p, f, url);
  probe_run(&p);
  assert_int_equal(p.result.end, FETCH_CUT);
  assert_string_equal(p.body, "hello");
  origin_free(origin);
  probe_done(&p);
  fetch_free(f);
}

static void on_reply_gets_the_head(void **state) {
  (void)state;
  struct fetch *f = probe_fetch_new(0);
  struct origin *origin = origin_new(origin_say_and_close, (void *)(uintptr_t)
      "HTTP/1.1 206 Partial\r\ncontent-type: audio/mpeg\r\nETag: \"e1\"\r\nContent-Range: bytes 2-6/7\r\n"
      "Last-Modified: Sat, 21 Nov 2026 08:00:00 GMT\r\nRetry-After: 3\r\nContent-Encoding: br\r\nContent-Length:  5 \r\n\r\nhello");
  char url[ORIGIN_URL_SIZE];
  struct probe p;
  origin_url(origin, "http", "/a", url);
  probe_init(&p, f, url);
  probe_run(&p);
  assert_int_equal(p.result.end, FETCH_DONE);
  assert_int_equal(p.reply.status, 206);
  assert_int_equal(p.reply.length, 5);
  assert_string_equal(p.content_type, "audio/mpeg");
  assert_string_equal(p.etag, "\"e1\"");
  assert_string_equal(p.content_range, "bytes 2-6/7");
  assert_string_equal(p.last_modified, "Sat, 21 Nov 2026 08:00:00 GMT");
  assert_string_equal(p.retry_after, "3");
  assert_string_equal(p.content_encoding, "br");
  assert_string_equal(p.body, "hello"); /* as it came: nothing is decoded */
  assert_true(origin_saw(origin, 0, "GET /a HTTP/1.1\r\n"));
  assert_true(origin_saw(origin, 0, "Accept-Encoding: identity\r\n"));
  assert_true(origin_saw(origin, 0, "User-Agent: probe/1\r\n"));
  assert_false(origin_saw(origin, 0, "Authorization"));
  assert_false(origin_saw(origin, 0, "Cookie"));
  probe_done(&p);
  origin_free(origin);
  fetch_free(f);
}

static bool endless_head(void *arg, int fd, const struct origin_request *request) {
  (void)arg, (void)request;
  origin_say(fd, HEAD200);
  char line[1024] = "X-A: ";
  memset(line + 5, 'a', sizeof(line) - 8);
  memcpy(line + sizeof(line) - 3, "\r\n", 3);
  for (int i = 0; i < 400; i++) origin_say(fd, line);
  origin_wait_for_close(fd);
  return false;
}

static void an_endless_head_is_refused(void **state) {
  (void)state;
  struct fetch *f = probe_fetch_new(0);
  struct origin *origin = origin_new(endless_head, NULL);
  char url[ORIGIN_URL_SIZE];
  struct probe p;
  origin_url(origin, "http", "/a", url);
  probe_init(&p, f, url);
  probe_run(&p);
  assert_int_equal(p.result.end, FETCH_REFUSED);
  assert_int_equal(p.replies, 0);
  probe_done(&p);
  origin_free(origin);
  fetch_free(f);
}

static void a_body_larger_than_max_bytes_is_refused(void **state) {
  (void)state;
  const struct {
    const char *reply;
    int64_t max_bytes;
    enum fetch_end end;
    int64_t bytes;
  } cases[] = {
      {HEAD200 "Content-Length: 5\r\n\r\nhello", 5, FETCH_DONE, 5},
      {HEAD200 "Content-Length: 6\r\n\r\nhello!", 5, FETCH_TOO_BIG, 0},
      {HEAD200 "Content-Length: 5\r\n\r\nhello", 0, FETCH_TOO_BIG, 0},
      {HEAD200 "Content-Length: 0\r\n\r\n", 0, FETCH_DONE, 0},
      {HEAD200 "Transfer-Encoding: chunked\r\n\r\n6\r\nhello!\r\n0\r\n\r\n", 5, FETCH_TOO_BIG, 0},
      {HEAD200 "\r\nhello!", 5, FETCH_TOO_BIG, 0},
      {"HTTP/1.1 304 Same\r\nContent-Length: 600\r\n\r\n", 5, FETCH_DONE, 0},
  };
  struct fetch *f = probe_fetch_new(0);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct origin *origin = origin_new(origin_say_and_close, (void *)(uintptr_t)cases[i].reply);
    char url[ORIGIN_URL_SIZE];
    struct probe p;
    origin_url(origin, "http", "/a", url);
    probe_init(&p, f, url);
    p.request.max_bytes = cases[i].max_bytes;
    probe_run(&p);
    assert_int_equal(p.result.end, cases[i].end);
    assert_int_equal(p.result.bytes, cases[i].bytes);
    assert_int_equal(p.replies, 1);
    probe_done(&p);
    origin_free(origin);
  }
  fetch_free(f);
}

static void the_environment_and_earlier_credentials_have_no_effect(void **state) {
  (void)state;
  setenv("http_proxy", "http://127.0.0.1:1/", 1);
  setenv("all_proxy", "http://127.0.0.1:1/", 1);
  struct fetch *f = probe_fetch_new(0);
  struct origin *origin =
      origin_new(say_and_keep, (void *)(uintptr_t)HEAD200 "Set-Cookie: a=b; Path=/\r\nContent-Length: 5\r\n\r\nhello");
  for (int i = 0; i < 2; i++) {
    char url[ORIGIN_URL_SIZE];
    struct probe p;
    origin_url(origin, "http", "/a", url);
    probe_init(&p, f, url);
    p.request.user = i == 0 ? "u" : NULL;
    p.request.password = i == 0 ? "p" : NULL;
    probe_run(&p);
    assert_int_equal(p.result.end, FETCH_DONE);
    probe_done(&p);
  }
  unsetenv("http_proxy");
  unsetenv("all_proxy");
  assert_int_equal(origin_connections(origin), 1); /* kept */
  assert_true(origin_saw(origin, 0, "Authorization: Basic"));
  assert_false(origin_saw(origin, 1, "Authorization"));
  assert_false(origin_saw(origin, 1, "Cookie"));
  fetch_free(f);
  origin_free(origin);
}

static void a_malformed_request_does_not_start(void **state) {
  (void)state;
  const char *line_break[] = {"X: a\r\nEvil: b", NULL}, *no_colon[] = {"X", NULL}, *no_name[] = {": x", NULL};
  const struct {
    const char *url, *method;
    const char *const *headers;
  } cases[] = {
      {"ftp://h/", NULL, NULL},
      {"http://u:p@h/", NULL, NULL},
      {"nonsense", NULL, NULL},
      {NULL, NULL, NULL},
      {"http://127.0.0.1/", "BREW", NULL},
      {"http://127.0.0.1/", NULL, line_break},
      {"http://127.0.0.1/", NULL, no_colon},
      {"http://127.0.0.1/", NULL, no_name},
  };
  struct fetch *f = probe_fetch_new(0);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct probe p;
    probe_init(&p, f, cases[i].url);
    p.request.method = cases[i].method;
    p.request.headers = cases[i].headers;
    probe_run(&p);
    assert_int_equal(p.started, ERR_INVALID);
    assert_int_equal(p.ends, 0);
    probe_done(&p);
  }
  fetch_free(f);
}

static void special_addresses_are_refused_on_the_first_hop_too(void **state) {
  (void)state;
  struct fetch *f = probe_fetch_new(0);
  struct origin *origin = origin_new(say_and_keep, (void *)(uintptr_t)HEAD200 "Content-Length: 5\r\n\r\nhello");
  const char *hosts[] = {"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "0x7f.1"};
  for (size_t i = 0; i < COUNT_OF(hosts); i++) {
    char url[ORIGIN_URL_SIZE];
    struct probe p;
    snprintf(url, sizeof(url), "http://%s:%d/a?key=hush", hosts[i], origin_port(origin));
    probe_init(&p, f, url);
    p.request.allow_special_addresses = false;
    probe_run(&p);
    if (p.result.end != FETCH_FORBIDDEN) fail_msg("%s: %d %s", hosts[i], p.result.end, p.result.detail);
    assert_null(strstr(p.result.detail, "hush"));
    probe_done(&p);
  }
  assert_int_equal(origin_connections(origin), 0);
  fetch_free(f);
  origin_free(origin);
}

static void a_reused_connection_is_checked_again(void **state) {
  (void)state;
  struct fetch *f = probe_fetch_new(0);
  struct origin *origin = origin_new(say_and_keep, (void *)(uintptr_t)HEAD200 "Content-Length: 5\r\n\r\nhello");
  for (int i = 0; i < 2; i++) {
    char url[ORIGIN_URL_SIZE];
    struct probe p;
    origin_url(origin, "http", "/a", url);
    probe_init(&p, f, url);
    p.request.allow_special_addresses = i == 0;
    probe_run(&p);
    assert_int_equal(p.result.end, i == 0 ? FETCH_DONE : FETCH_FORBIDDEN);
    probe_done(&p);
  }
  assert_int_equal(origin_requests(origin), 1);
  fetch_free(f);
  origin_free(origin);
}

static bool redirect_to(void *arg, int fd, const struct origin_request *request) {
  char url[ORIGIN_URL_SIZE];
  (void)request;
  origin_url(arg, "http", "/b", url);
  origin_say_redirect(fd, 302, url);
  return true;
}

static void a_trusted_origin_may_be_special_and_redirect_to_special_ones(void **state) {
  (void)state;
  struct fetch *f = probe_fetch_new(0);
  struct origin *b = origin_new(say_and_keep, (void *)(uintptr_t)HEAD200 "Content-Length: 5\r\n\r\nhello");
  struct origin *a = origin_new(redirect_to, b);
  for (int i = 0; i < 2; i++) {
    char url[ORIGIN_URL_SIZE];
    struct probe p;
    origin_url(a, "http", "/a", url);
    probe_init(&p, f, url);
    p.request.allow_special_addresses = false;
    p.request.trust_origin = i == 0;
    probe_run(&p);
    assert_int_equal(p.result.end, i == 0 ? FETCH_DONE : FETCH_FORBIDDEN);
    probe_done(&p);
  }
  assert_int_equal(origin_requests(a), 1);
  assert_int_equal(origin_requests(b), 1);
  fetch_free(f);
  origin_free(a);
  origin_free(b);
}

static void a_refused_connection_is_reported_without_secrets(void **state) {
  (void)state;
  struct origin *origin = origin_new(origin_say_and_close, (void *)(uintptr_t) "");
  origin_greet(origin, "no TLS at all\r\n");
  char tls[ORIGIN_URL_SIZE];
  origin_url(origin, "https", "/p?key=hush", tls);
  const char *urls[] = {"http://127.0.0.1:1/p?key=hush", "http://nowhere.invalid/p?key=hush", tls};
  struct fetch *f = probe_fetch_new(0);
  for (size_t i = 0; i < COUNT_OF(urls); i++) {
    struct probe p;
    probe_init(&p, f, urls[i]);
    p.request.user = "someuser";
    p.request.password = "somepassword";
    probe_run(&p);
    if (p.result.end != FETCH_REFUSED) fail_msg("%s: %d %s", urls[i], p.result.end, p.result.detail);
    assert_int_equal(p.result.status, 0);
    assert_int_equal(p.result.first_byte_ms, -1);
    assert_true(p.result.detail[0] != '\0');
    const char *secrets[] = {"hush", "someuser", "somepassword", "key="};
    for (size_t k = 0; k < COUNT_OF(secrets); k++) assert_null(strstr(p.result.detail, secrets[k]));
    probe_done(&p);
  }
  fetch_free(f);
  origin_free(origin);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_reply_is_received_to_its_end),
      cmocka_unit_test(a_reset_is_a_cut_even_without_a_length),
      cmocka_unit_test(on_reply_gets_the_head),
      cmocka_unit_test(an_endless_head_is_refused),
      cmocka_unit_test(a_body_larger_than_max_bytes_is_refused),
      cmocka_unit_test(the_environment_and_earlier_credentials_have_no_effect),
      cmocka_unit_test(a_malformed_request_does_not_start),
      cmocka_unit_test(special_addresses_are_refused_on_the_first_hop_too),
      cmocka_unit_test(a_reused_connection_is_checked_again),
      cmocka_unit_test(a_trusted_origin_may_be_special_and_redirect_to_special_ones),
      cmocka_unit_test(a_refused_connection_is_reported_without_secrets),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
