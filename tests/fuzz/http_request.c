/* Input: any bytes as requests with bodies. Property: the result does not depend on how the bytes are split, views stay inside
 * the input, and an accepted request has everything that the code after the parser relies on. */
#include <stdlib.h>
#include <string.h>

#include "http/parse.h"
#include "http/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { HEAD_MAX = 2048, HEADERS = 20 };

struct parsed {
  struct http_parse parse;
  struct http_request request;
  struct http_header headers[HEADERS];
};

static void require(bool holds) {
  if (!holds) abort();
}

static bool inside(struct str part, const char *bytes, size_t n) {
  return part.n == 0 || (part.p >= bytes && part.p + part.n <= bytes + n);
}

static enum http_parse_result parse(struct parsed *p, const char *bytes, size_t n, size_t step) {
  enum http_parse_result r = HTTP_PARSE_MORE;
  memset(p, 0, sizeof(*p));
  http_parse_init(&p->parse, HEAD_MAX, p->headers, HEADERS);
  for (size_t at = 0; r == HTTP_PARSE_MORE && at < n;) {
    at = n - at < step ? n : at + step;
    r = http_parse_head(&p->parse, bytes, at, &p->request);
  }
  return r;
}

static void check_request(const struct parsed *p, const char *bytes, size_t n) {
  const struct http_request *r = &p->request;
  require(p->parse.head_n <= n && p->parse.head_n <= HEAD_MAX);
  require(r->minor == 0 || r->minor == 1);
  require(http_is_token(r->method_text) && http_is_authority(r->host));
  require(inside(r->target, bytes, n) && inside(r->query, bytes, n) && inside(r->host, bytes, n));
  for (size_t i = 0; i < r->target.n; i++)
    require(r->target.p[i] > ' ' && r->target.p[i] < 0x7f && r->target.p[i] != '#');
  require(r->path.n > 0 && (r->path.p[0] == '/' || r->method == HTTP_OPTIONS || r->method == HTTP_OTHER));
  require(str_index(r->path, '?', 0) == r->path.n);
  size_t hosts = http_header_count(r, STR("host"));
  require(hosts == 1 || (hosts == 0 && r->minor == 0));
  for (size_t i = 0; i < r->header_count; i++) {
    require(http_is_token(r->headers[i].name) && http_is_field_value(r->headers[i].value));
    require(inside(r->headers[i].name, bytes, n) && inside(r->headers[i].value, bytes, n));
  }
  require(p->parse.content_length >= 0);
  if (p->parse.chunked) require(http_header_count(r, STR("content-length")) == 0 && r->minor == 1);
}

/* Decodes in steps; the body's length and a sum over it stand for its bytes. */
static enum http_parse_result decode(const char *in, size_t n, size_t step, uint64_t *ret_sum, size_t *ret_used) {
  struct http_chunked c;
  uint64_t sum = 0;
  int64_t body_n = 0;
  size_t at = 0, end = n < step ? n : step;
  http_chunked_init(&c, 1000);
  for (;;) {
    size_t used = 0;
    struct str part = STR_NONE;
    enum http_parse_result r = http_chunked_next(&c, in + at, end - at, &used, &part);
    require(used <= end - at && inside(part, in + at, end - at));
    at += used;
    for (size_t i = 0; i < part.n; i++) sum = sum * 31 + (unsigned char)part.p[i];
    body_n += (int64_t)part.n;
    require(body_n <= 1000);
    if (r == HTTP_PARSE_DATA) continue;
    if (r != HTTP_PARSE_MORE || end == n) {
      *ret_sum = sum ^ (uint64_t)body_n << 40;
      *ret_used = at;
      return r;
    }
    end = n - end < step ? n : end + step;
  }
}

static void check_chunked(const char *in, size_t n) {
  uint64_t whole = 0, split = 0;
  size_t whole_used = 0, split_used = 0;
  enum http_parse_result r = decode(in, n, n ? n : 1, &whole, &whole_used);
  require(decode(in, n, 1, &split, &split_used) == r && split == whole && split_used == whole_used);
}

static void check_form(struct str text) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(64 * 1024);
  struct http_form f = {.rest = text};
  struct str name, value;
  if (buf_reserve(&b, text.n) != OK) return;
  const char *at = b.p;
  while (http_form_next(&f, &b, &name, &value) == OK) require(inside(name, b.p, b.n) && inside(value, b.p, b.n));
  require(b.p == at && b.n <= text.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n) {
  static struct parsed whole, split;
  char *bytes = malloc(n + 1); /* so that a read past the end is seen */
  require(bytes);
  bytes = realloc(bytes, n ? n : 1);
  require(bytes);
  if (n > 0) memcpy(bytes, input, n);
  enum http_parse_result r = parse(&whole, bytes, n, n ? n : 1);
  for (size_t step = 1; step < 4; step++) {
    require(parse(&split, bytes, n, step) == r);
    require(split.parse.status == whole.parse.status && split.parse.head_n == whole.parse.head_n);
    require(split.request.header_count == whole.request.header_count);
  }
  if (r == HTTP_PARSE_DONE) {
    check_request(&whole, bytes, n);
    check_form(whole.request.query);
    if (whole.parse.chunked) check_chunked(bytes + whole.parse.head_n, n - whole.parse.head_n);
  }
  check_chunked(bytes, n);
  check_form(str_of(bytes, n));
  free(bytes);
  return 0;
}
