/* asked.h - a request in memory with a few headers, and the lines of an answer as text. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "http/http.h"

struct asked {
  struct http_request request;
  struct http_header headers[8];
};

/* pairs: name, value, name, value … NULL. A NULL value leaves its header out. */
static inline void asked_set(struct asked *a, enum http_method method, const char *host, const char *const *pairs) {
  memset(a, 0, sizeof(*a));
  a->request = (struct http_request){.method = method, .host = str_from(host), .headers = a->headers};
  for (; pairs && pairs[0]; pairs += 2) {
    if (!pairs[1]) continue;
    assert_true(a->request.header_count < COUNT_OF(a->headers));
    a->headers[a->request.header_count++] = (struct http_header){str_from(pairs[0]), str_from(pairs[1])};
  }
}

/* The value of the only line of that name; NULL: there is none. */
static inline const char *line_of(const struct http_fields *f, const char *name, char *text, size_t size) {
  struct str rest = str_of(f->bytes, f->n), line, is, value;
  const char *found = NULL;
  assert_false(f->bad);
  for (bool more = true; more;) {
    more = str_cut(rest, '\n', &line, &rest);
    if (!str_cut(line, ':', &is, &value) || !str_eq(is, str_from(name))) continue;
    assert_null(found);
    value = str_trim(value);
    assert_true(value.n && value.p[value.n - 1] == '\r');
    assert_int_equal(str_copy(text, size, str_head(value, value.n - 1)), OK);
    found = text;
  }
  return found;
}
