/* The head parser: which requests are accepted and which refused, however the bytes are split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http/parse.h"

enum { HEAD_MAX = 1024 };

struct outcome {
  enum http_parse_result result;
  int status;
  size_t head_n;
};

struct parsed {
  struct http_parse parse;
  struct http_request request;
  struct http_header headers[HTTP_HEADERS_MAX];
};

/* Feeds bytes[0, first), then one byte more at a time when slowly, else all. bytes is an exact heap copy, so that a read
 * past the end is found by the address sanitizer. */
static struct outcome feed_bytes(struct parsed *p, const char *bytes, size_t n, size_t first, bool slowly) {
  http_parse_init(&p->parse, HEAD_MAX, p->headers, HTTP_HEADERS_MAX);
  memset(&p->request, 0, sizeof(p->request));
  enum http_parse_result r = http_parse_head(&p->parse, bytes, first, &p->request);
  for (size_t at = first; r == HTTP_PARSE_MORE && at < n;) {
    at = slowly ? at + 1 : n;
    r = http_parse_head(&p->parse, bytes, at, &p->request);
  }
  return (struct outcome){r, r == HTTP_PARSE_BAD ? p->parse.status : 0, r == HTTP_PARSE_DONE ? p->parse.head_n : 0};
}

static void assert_same(struct outcome a, struct outcome b, const char *text, size_t split) {
  if (a.result != b.result || a.status != b.status || a.head_n != b.head_n)
    fail_msg("split at %zu gives %d/%d/%zu, not %d/%d/%zu: %.200s", split, b.result, b.status, b.head_n, a.result,
             a.status, a.head_n, text);
}

/* The outcome, after checking that no split of the bytes changes it. */
static struct outcome parse_every_way(struct parsed *p, const char *text, size_t n) {
  char *bytes = malloc(n);
  assert_non_null(bytes);
  memcpy(bytes, text, n);
  struct outcome whole = feed_bytes(p, bytes, n, n, false);
  for (size_t split = 0; split < n; split++) assert_same(whole, feed_bytes(p, bytes, n, split, false), text, split);
  assert_same(whole, feed_bytes(p, bytes, n, 0, true), text, 0);
  free(bytes);
  return whole;
}

#define H "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\n" H

static void a_malformed_request_is_refused_with_its_status(void **state) {
  static const struct {
    int status;
    struct str text;
  } cases[] = {
      /* line ends */
      {400, STR("GET / HTTP/1.1\nHost: a\n\n")},
      {400, STR("GET / HTTP/1.1\r\nHost: a\n\r\n")},
      {400, STR("GET / HTTP/1.1\r\nHost: a\r\n\n")},
      {400, STR("\nGET / HTTP/1.1\r\n" H "\r\n")},
      {400, STR("\r\n \r\nGET / HTTP/1.1\r\n" H "\r\n")},
      {400, STR("GET / HTTP/1.1\r\r\n" H "\r\n")},
      {400, STR(GET H "X: a\rb\r\n\r\n")},
      /* request line */
      {400, STR("GET /\r\n")},
      {400, STR("GET / \r\n" H "\r\n")},
      {400, STR("GET  / HTTP/1.1\r\n" H "\r\n")},
      {400, STR("GET /  HTTP/1.1\r\n" H "\r\n")},
      {400, STR("GET / HTTP/1.1 \r\n" H "\r\n")},
      {400, STR("GET\t/ HTTP/1.1\r\n" H "\r\n")},
      {400, STR(" GET / HTTP/1.1\r\n" H "\r\n")},
      {400, STR("GET / a HTTP/1.1\r\n" H "\r\n")},
      {400, STR("G@T / HTTP/1.1\r\n" H "\r\n")},
      {400, STR("G\0T / HTTP/1.1\r\n" H "\r\n")},
      {400, STR(" / HTTP/1.1\r\n" H "\r\n")},
      {400, STR("\x16\x03\x01\x02\x00")},
      {400, STR("\x80")},
      /* version */
      {400, STR("GET / HTTP/1.1x\r\n" H "\r\n")},
      {400, STR("GET / http/1.1\r\n" H "\r\n")},
      {400, STR("GET / HTTP/1.10\r\n" H "\r\n")},
      {400, STR("GET / HTTP/1\r\n" H "\r\n")},
      {400, STR("GET / HTTP/a.b\r\n" H "\r\n")},
      {400, STR("GET / HTTQ/1.1\r\n" H "\r\n")},
      {505, STR("GET / HTTP/1.2\r\n" H "\r\n")},
      {505, STR("GET / HTTP/0.9\r\n" H "\r\n")},
      {505, STR("GET / HTTP/2.0\r\n" H "\r\n")},
      {505, STR("GET / HTTP/3.0\r\n" H "\r\n")},
      {505, STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")},
      /* target */
      {400, STR("GET a HTTP/1.1\r\n" H "\r\n")},
      {400, STR("GET * HTTP/1.1\r\n" H "\r\n")},
      {400, STR("OPTIONS ** HTTP/1.1\r\n" H "\r\n")},
      {400, STR("GET /a#b HTTP/1.1\r\n" H "\r\n")},
      {400, STR("GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n")},
      {400, STR("GET /\x01 HTTP/1.1\r\n" H "\r\n")},
      {400, STR("GET /\x7f HTTP/1.1\r\n" H "\r\n")},
      {400, STR("GET /\0 HTTP/1.1\r\n" H "\r\n")},
      {400, STR("GET /\t HTTP/1.1\r\n" H "\r\n")},
      {400, STR("GET /\"< HTTP/1.1\r\n" H "\r\n")},
      {400, STR("GET /a\\b HTTP/1.1\r\n" H "\r\n")},
      {400, STR("GET http:///x HTTP/1.1\r\n" H "\r\n")},
      {400, STR("GET http:/x HTTP/1.1\r\n" H "\r\n")},
      {400, STR("GET ftp://a/x HTTP/1.1\r\n" H "\r\n")},
      {400, STR("GET http://user@a/ HTTP/1.1\r\n" H "\r\n")},
      {400, STR("GET http://a:99999/ HTTP/1.1\r\n" H "\r\n")},
      {400, STR("GET http://a:b/ HTTP/1.1\r\n" H "\r\n")},
      {400, STR("CONNECT /x HTTP/1.1\r\n" H "\r\n")},
      /* headers */
      {400, STR(GET H "X : a\r\n\r\n")},
      {400, STR(GET H " X: a\r\n\r\n")},
      {400, STR(GET H "X: a\r\n b\r\n\r\n")},
      {400, STR(GET H "X: a\r\n\tb\r\n\r\n")},
      {400, STR(GET H ": a\r\n\r\n")},
      {400, STR(GET H "X\r\n\r\n")},
      {400, STR(GET H "X@: a\r\n\r\n")},
      {400, STR(GET H "\xc3\xa9: a\r\n\r\n")},
      {400, STR(GET H "X: a\0b\r\n\r\n")},
      {400, STR(GET H "X: a\x01"
                      "b and some more bytes\r\n\r\n")},
      {400, STR(GET H "X: some more bytes in front \x7f\r\n\r\n")},
      {400, STR(GET H "X: \x1b[31m\r\n\r\n")},
      /* Host */
      {400, STR(GET "\r\n")},
      {400, STR("GET http://a/ HTTP/1.1\r\n\r\n")},
      {400, STR(GET H H "\r\n")},
      {400, STR(GET "Host: a b\r\n\r\n")},
      {400, STR(GET "Host: a, b\r\n\r\n")},
      {400, STR(GET "Host: a/b\r\n\r\n")},
      {400, STR(GET "Host: u@a\r\n\r\n")},
      {400, STR(GET "Host: a:x\r\n\r\n")},
      {400, STR(GET "Host: a:1:2\r\n\r\n")},
      {400, STR(GET "Host: :80\r\n\r\n")},
      {400, STR(GET "Host: [::1\r\n\r\n")},
      {400, STR(GET "Host: []\r\n\r\n")},
      {400, STR(GET "Host: [zz]\r\n\r\n")},
      {400, STR(GET "Host: [::1]x\r\n\r\n")},
      {400, STR(GET "Host: a%2\r\n\r\n")},
      {400, STR(GET "Host: h\xc3\xa9\r\n\r\n")},
      {400, STR("GET / HTTP/1.0\r\n" H H "\r\n")},
      {400, STR("GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n")},
      /* framing */
      {400, STR(POST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n")},
      {400, STR(POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n")},
      {400, STR(POST "Content-Length: 1, 1\r\n\r\n")},
      {400, STR(POST "Content-Length: +1\r\n\r\n")},
      {400, STR(POST "Content-Length: -1\r\n\r\n")},
      {400, STR(POST "Content-Length: 1 2\r\n\r\n")},
      {400, STR(POST "Content-Length: 0x1\r\n\r\n")},
      {400, STR(POST "Content-Length: 1.0\r\n\r\n")},
      {400, STR(POST "Content-Length:\r\n\r\n")},
      {400, STR(POST "Content-Length: 9223372036854775808\r\n\r\n")},
      {400, STR(POST "Content-Length: 18446744073709551617\r\n\r\n")},
      {400, STR(POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")},
      {400, STR(POST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n")},
      {400, STR("POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n")},
      {501, STR(POST "Transfer-Encoding: gzip, chunked\r\n\r\n")},
      {501, STR(POST "Transfer-Encoding: chunked, chunked\r\n\r\n")},
      {501, STR(POST "Transfer-Encoding: identity\r\n\r\n")},
      {501, STR(POST "Transfer-Encoding: chunked;q=1\r\n\r\n")},
      {400, STR(POST "Transfer-Encoding: \x0b"
                     "chunked\r\n\r\n")},
      {501, STR(POST "Transfer-Encoding:\r\n\r\n")},
      {501, STR(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n")},
      {501, STR(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n")},
      {417, STR(POST "Expect: 200-ok\r\n\r\n")},
      {417, STR(POST "Expect: 100-continue, x\r\n\r\n")},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct parsed p;
    int status = cases[i].status;
    struct outcome o = parse_every_way(&p, cases[i].text.p, cases[i].text.n);
    if (o.result != HTTP_PARSE_BAD || o.status != status)
      fail_msg("case %zu: %d/%d, not %d: %s", i, o.result, o.status, status, cases[i].text.p);
  }
}

static void a_well_formed_request_is_parsed(void **state) {
  static const struct {
    const char *text;
    enum http_method method;
    const char *path, *query, *host;
    int minor;
    int64_t length;
    bool chunked, keep, continues;
  } cases[] = {
      {GET H "\r\n", HTTP_GET, "/", NULL, "a", 1, 0, false, true, false},
      {"\r\n" GET H "\r\n", HTTP_GET, "/", NULL, "a", 1, 0, false, true, false},
      {"GET / HTTP/1.0\r\n\r\n", HTTP_GET, "/", NULL, "", 0, 0, false, false, false},
      {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", HTTP_GET, "/", NULL, "", 0, 0, false, true, false},
      {GET H "Connection: close\r\n\r\n", HTTP_GET, "/", NULL, "a", 1, 0, false, false, false},
      {GET H "Connection: x , CLOSE, keep-alive\r\n\r\n", HTTP_GET, "/", NULL, "a", 1, 0, false, false, false},
      {GET H "Connection: closed\r\n\r\n", HTTP_GET, "/", NULL, "a", 1, 0, false, true, false},
      {GET "Host:\r\n\r\n", HTTP_GET, "/", NULL, "", 1, 0, false, true, false},
      {GET "host: [::1]:8080 \r\n\r\n", HTTP_GET, "/", NULL, "[::1]:8080", 1, 0, false, true, false},
      {GET "Host: ex-ample.com:\r\n\r\n", HTTP_GET, "/", NULL, "ex-ample.com:", 1, 0, false, true, false},
      {"HEAD /a%20b?c=d&e?f HTTP/1.1\r\n" H "\r\n", HTTP_HEAD, "/a%20b", "c=d&e?f", "a", 1, 0, false, true, false},
      {"GET /? HTTP/1.1\r\n" H "\r\n", HTTP_GET, "/", "", "a", 1, 0, false, true, false},
      {"GET //x/../y HTTP/1.1\r\n" H "\r\n", HTTP_GET, "//x/../y", NULL, "a", 1, 0, false, true, false},
      {"GET /?q={a}|^`b HTTP/1.1\r\n" H "\r\n", HTTP_GET, "/", "q={a}|^`b", "a", 1, 0, false, true, false},
      {"GET http://b:1/x?y HTTP/1.1\r\n" H "\r\n", HTTP_GET, "/x", "y", "b:1", 1, 0, false, true, false},
      {"GET HTTPS://b HTTP/1.1\r\n" H "\r\n", HTTP_GET, "/", NULL, "b", 1, 0, false, true, false},
      {"GET http://b?y HTTP/1.1\r\n" H "\r\n", HTTP_GET, "/", "y", "b", 1, 0, false, true, false},
      {"OPTIONS * HTTP/1.1\r\n" H "\r\n", HTTP_OPTIONS, "*", NULL, "a", 1, 0, false, true, false},
      {"OPTIONS http://b HTTP/1.1\r\n" H "\r\n", HTTP_OPTIONS, "*", NULL, "b", 1, 0, false, true, false},
      {"CONNECT b:443 HTTP/1.1\r\n" H "\r\n", HTTP_OTHER, "b:443", NULL, "a", 1, 0, false, true, false},
      {"TRACE / HTTP/1.1\r\n" H "\r\n", HTTP_OTHER, "/", NULL, "a", 1, 0, false, true, false},
      {"get / HTTP/1.1\r\n" H "\r\n", HTTP_OTHER, "/", NULL, "a", 1, 0, false, true, false},
      {POST "Content-Length: 0010\r\n\r\n", HTTP_POST, "/", NULL, "a", 1, 10, false, true, false},
      {POST "Content-Length: 9223372036854775807\r\n\r\n", HTTP_POST, "/", NULL, "a", 1, INT64_MAX, false, true, false},
      {POST "TRANSFER-ENCODING: Chunked\r\n\r\n", HTTP_POST, "/", NULL, "a", 1, 0, true, true, false},
      {POST "Content-Length: 1\r\nExpect: 100-Continue\r\n\r\n", HTTP_POST, "/", NULL, "a", 1, 1, false, true, true},
      {"POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n", HTTP_POST, "/", NULL, "", 0, 1, false,
       false, false},
      {"PUT / HTTP/1.1\r\n" H "X: caf\xc3\xa9\ttab\r\nEmpty:\r\nE2: \t \r\n\r\n", HTTP_PUT, "/", NULL, "a", 1, 0, false,
       true, false},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct parsed p;
    size_t n = strlen(cases[i].text);
    struct outcome o = parse_every_way(&p, cases[i].text, n);
    if (o.result != HTTP_PARSE_DONE || o.head_n != n)
      fail_msg("case %zu: %d/%d: %s", i, o.result, o.status, cases[i].text);
    feed_bytes(&p, cases[i].text, n, n, false);
    assert_int_equal(p.request.method, cases[i].method);
    assert_true(str_eq(p.request.path, str_from(cases[i].path)));
    assert_int_equal(p.request.has_query, !!cases[i].query);
    assert_true(str_eq(p.request.query, str_from(cases[i].query)));
    assert_true(str_eq(p.request.host, str_from(cases[i].host)));
    assert_int_equal(p.request.minor, cases[i].minor);
    assert_int_equal(p.parse.content_length, cases[i].length);
    assert_int_equal(p.parse.chunked, cases[i].chunked);
    assert_int_equal(p.parse.keep_alive, cases[i].keep);
    assert_int_equal(p.parse.expects_continue, cases[i].continues);
  }
}

static void headers_are_trimmed_and_found_without_case(void **state) {
  struct parsed p;
  const char *text = GET H "X-One: \t a b \t\r\nEmpty:\r\nX-one: second\r\n\r\n";
  (void)state;
  feed_bytes(&p, text, strlen(text), strlen(text), false);
  assert_int_equal(p.request.header_count, 4);
  assert_true(str_eq(http_header_get(&p.request, STR("x-ONE")), STR("a b")));
  assert_int_equal(http_header_count(&p.request, STR("x-one")), 2);
  assert_non_null(http_header_get(&p.request, STR("empty")).p);
  assert_int_equal(http_header_get(&p.request, STR("empty")).n, 0);
  assert_null(http_header_get(&p.request, STR("absent")).p);
}

static void bytes_after_the_head_are_not_consumed(void **state) {
  struct parsed p;
  const char *text = GET H "\r\nGET /next";
  (void)state;
  assert_int_equal(parse_every_way(&p, text, strlen(text)).head_n, strlen(GET H "\r\n"));
}

/* A head of exactly n bytes, by the length of its target or of a header. */
static size_t make_head(char *bytes, size_t n, bool long_target) {
  const char *before = long_target ? "GET /" : GET H "X: ",
             *after = long_target ? " HTTP/1.1\r\n" H "\r\n" : "\r\n\r\n";
  size_t fixed = strlen(before) + strlen(after);
  memcpy(bytes, before, strlen(before));
  memset(bytes + strlen(before), 'a', n - fixed);
  memcpy(bytes + strlen(before) + n - fixed, after, strlen(after));
  return n;
}

static void a_head_may_be_as_large_as_its_limit_and_no_larger(void **state) {
  static const struct {
    size_t n;
    bool long_target;
    enum http_parse_result result;
    int status;
  } cases[] = {
      {HEAD_MAX, false, HTTP_PARSE_DONE, 0},       {HEAD_MAX + 1, false, HTTP_PARSE_BAD, 431},
      {HEAD_MAX + 50, false, HTTP_PARSE_BAD, 431}, {HEAD_MAX, true, HTTP_PARSE_DONE, 0},
      {HEAD_MAX + 1, true, HTTP_PARSE_BAD, 431},   {HEAD_MAX + 50, true, HTTP_PARSE_BAD, 431},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct parsed p;
    char bytes[HEAD_MAX + 50];
    struct outcome o = parse_every_way(&p, bytes, make_head(bytes, cases[i].n, cases[i].long_target));
    assert_int_equal(o.result, cases[i].result);
    assert_int_equal(o.status, cases[i].status);
  }
}

static void more_headers_than_there_is_room_for_are_431(void **state) {
  struct parsed p;
  char bytes[HEAD_MAX];
  size_t n = strlen(GET H);
  (void)state;
  memcpy(bytes, GET H, n);
  for (int i = 1; i < HTTP_HEADERS_MAX + 1; i++, n += 4) memcpy(bytes + n, "a:\r\n", 4);
  memcpy(bytes + n, "\r\n", 2);
  assert_int_equal(parse_every_way(&p, bytes, n + 2).status, 431);
  memcpy(bytes + n - 4, "\r\n", 2);
  assert_int_equal(parse_every_way(&p, bytes, n - 2).result, HTTP_PARSE_DONE);
}

/* ---- chunked ---- */

/* Decodes in steps of at most step bytes into ret_body; ret_used: how much of text belonged to it. */
static enum http_parse_result decode(const char *text, size_t n, size_t split, size_t step, int64_t max, char *ret_body,
                                     size_t *ret_n, size_t *ret_used, int *ret_status) {
  struct http_chunked c;
  size_t at = 0, end = split;
  http_chunked_init(&c, max);
  *ret_n = 0;
  for (;;) {
    size_t used = 0;
    struct str part = STR_NONE;
    enum http_parse_result r = http_chunked_next(&c, text + at, end - at, &used, &part);
    at += used;
    *ret_used = at;
    *ret_status = c.status;
    if (r == HTTP_PARSE_DATA) {
      memcpy(ret_body + *ret_n, part.p, part.n);
      *ret_n += part.n;
    } else if (r != HTTP_PARSE_MORE || end == n) {
      return r;
    } else {
      end = step > n - end ? n : end + step;
    }
  }
}

static void chunked_bodies_are_decoded_or_refused(void **state) {
  static const struct {
    enum http_parse_result result;
    int status;
    struct str text;
    const char *body;
    size_t rest; /* bytes behind it */
  } cases[] = {
      {HTTP_PARSE_DONE, 0, STR("0\r\n\r\n"), "", 0},
      {HTTP_PARSE_DONE, 0, STR("5\r\nhello\r\n0\r\n\r\n"), "hello", 0},
      {HTTP_PARSE_DONE, 0, STR("5\r\nhello\r\n6\r\n world\r\n000\r\n\r\nGET"), "hello world", 3},
      {HTTP_PARSE_DONE, 0, STR("000000000000000a\r\n0123456789\r\n0\r\n\r\n"), "0123456789", 0},
      {HTTP_PARSE_DONE, 0, STR("A\r\n0123456789\r\n0\r\n\r\n"), "0123456789", 0},
      {HTTP_PARSE_DONE, 0, STR("5;a\r\nhello\r\n0\r\n\r\n"), "hello", 0},
      {HTTP_PARSE_DONE, 0, STR("1 ; a = b ;c=\"d;\\\"\te\";f\r\nx\r\n0\r\n\r\n"), "x", 0},
      {HTTP_PARSE_DONE, 0, STR("5;a=\"q\\\"x\";b=c ; d\r\nhello\r\n0;z\r\n\r\n"), "hello", 0},
      {HTTP_PARSE_DONE, 0, STR("0\r\nA: b\r\nC:\r\n\r\nrest"), "", 4},
      {HTTP_PARSE_MORE, 0, STR("5\r\nhel"), "hel", 0},
      {HTTP_PARSE_MORE, 0, STR("0\r\n"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("\r\n"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("x\r\n"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("0x5\r\nhello"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("+5\r\nhello"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("-1\r\nhello"), "", 0},
      {HTTP_PARSE_BAD, 400, STR(" 5\r\nhello"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("5 \r\nhello"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("5\nhello"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("5\rhello"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("5\r\nhelloX\r\n"), "hello", 0},
      {HTTP_PARSE_BAD, 400, STR("5\r\nhello\n0\r\n\r\n"), "hello", 0},
      {HTTP_PARSE_BAD, 400, STR("5;\r\nhello"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("5;a=\r\nhello"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("5;a b\r\nhello"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("5;a\"\r\nhello"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("5;a=\"b\"c\r\nhello") /* a token behind a quoted value */, "", 0},
      {HTTP_PARSE_BAD, 400, STR("5;a=\"b\r\nhello"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("5;a\nhello"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("00000000000000005\r\nhello"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("fffffffffffffffff\r\n"), "", 0},
      {HTTP_PARSE_BAD, 413, STR("ffffffffffffffff\r\n"), "", 0},
      {HTTP_PARSE_BAD, 413, STR("8000000000000000\r\n"), "", 0},
      {HTTP_PARSE_BAD, 413, STR("65\r\n"), "", 0},
      {HTTP_PARSE_BAD, 413, STR("5\r\nhello\r\n60\r\n"), "hello", 0},
      {HTTP_PARSE_BAD, 400, STR("0\r\nA : b\r\n\r\n"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("0\r\n A: b\r\n\r\n"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("0\r\nA: b\n\r\n"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("0\r\nA: \0\r\n\r\n"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("0\r\nA\r\n\r\n"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("0\r\n\rx"), "", 0},
      {HTTP_PARSE_BAD, 400, STR("0\r\n\n"), "", 0},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct str text = cases[i].text;
    for (size_t split = 0; split <= text.n; split++) {
      char body[256];
      size_t n, used;
      int status = 0;
      size_t step = split == 0 ? 1 : text.n;
      enum http_parse_result r = decode(text.p, text.n, split, step, 100, body, &n, &used, &status);
      if (r != cases[i].result || status != cases[i].status || n != strlen(cases[i].body) ||
          memcmp(body, cases[i].body, n) != 0 || (r == HTTP_PARSE_DONE && used != text.n - cases[i].rest))
        fail_msg("case %zu split %zu: result %d status %d body %zu used %zu: %s", i, split, r, status, n, used, text.p);
    }
  }
}

static enum http_parse_result decode_repeated(const char *first, const char *part, size_t times, int *ret_status) {
  struct http_chunked c;
  size_t used;
  struct str body;
  http_chunked_init(&c, 1 << 20);
  enum http_parse_result r = http_chunked_next(&c, first, strlen(first), &used, &body);
  for (size_t i = 0; i < times && r == HTTP_PARSE_MORE; i++) {
    struct str rest = str_from(part);
    while (rest.n > 0 && (r = http_chunked_next(&c, rest.p, rest.n, &used, &body)) == HTTP_PARSE_DATA)
      rest = str_skip(rest, used);
  }
  *ret_status = c.status;
  return r;
}

static void extensions_and_trailers_are_bounded(void **state) {
  static const struct {
    const char *first, *part;
    size_t times;
    enum http_parse_result result;
  } cases[] = {
      {"1", ";a", 250, HTTP_PARSE_MORE},
      {"1", ";a", 300, HTTP_PARSE_BAD},
      {"", "1;aaaaaaaaaaaaaa\r\nx\r\n", 1000, HTTP_PARSE_MORE},
      {"", "1;aaaaaaaaaaaaaa\r\nx\r\n", 2000, HTTP_PARSE_BAD},
      {"0\r\n", "A: bcd\r\n", 1000, HTTP_PARSE_MORE},
      {"0\r\n", "A: bcd\r\n", 1100, HTTP_PARSE_BAD},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    int status;
    assert_int_equal(decode_repeated(cases[i].first, cases[i].part, cases[i].times, &status), cases[i].result);
    assert_int_equal(status, cases[i].result == HTTP_PARSE_BAD ? 400 : 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_malformed_request_is_refused_with_its_status),
      cmocka_unit_test(a_well_formed_request_is_parsed),
      cmocka_unit_test(headers_are_trimmed_and_found_without_case),
      cmocka_unit_test(bytes_after_the_head_are_not_consumed),
      cmocka_unit_test(a_head_may_be_as_large_as_its_limit_and_no_larger),
      cmocka_unit_test(more_headers_than_there_is_room_for_are_431),
      cmocka_unit_test(chunked_bodies_are_decoded_or_refused),
      cmocka_unit_test(extensions_and_trailers_are_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
