/* header.c - finds a request's header fields and builds an answer's. */
#include "http/http.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "http/parse.h"

static bool may_have(const struct http_request *r, struct str name) {
  return r->names == 0 || (r->names & http_name_bit(name)) != 0;
}

struct str http_header_get(const struct http_request *r, struct str name) {
  if (!may_have(r, name)) return STR_NONE;
  for (size_t i = 0; i < r->header_count; i++)
    if (r->headers[i].name.n == name.n && str_eq_nocase(r->headers[i].name, name)) return r->headers[i].value;
  return STR_NONE;
}

size_t http_header_count(const struct http_request *r, struct str name) {
  size_t count = 0;
  if (!may_have(r, name)) return 0;
  for (size_t i = 0; i < r->header_count; i++)
    if (r->headers[i].name.n == name.n && str_eq_nocase(r->headers[i].name, name)) count++;
  return count;
}

void http_fields_init(struct http_fields *f) {
  f->n = 0;
  f->bad = false;
}

static void append_text(struct http_fields *f, struct str s) {
  if (s.n == 0) return;
  memcpy(f->bytes + f->n, s.p, s.n);
  f->n += s.n;
}

void http_field(struct http_fields *f, struct str name, struct str value) {
  if (!http_is_token(name) || !http_is_field_value(value) || name.n > sizeof(f->bytes) || value.n > sizeof(f->bytes) ||
      f->n + name.n + value.n + 4 > sizeof(f->bytes))
    f->bad = true;
  if (f->bad) return;
  append_text(f, name);
  append_text(f, STR(": "));
  append_text(f, value);
  append_text(f, STR("\r\n"));
}

void http_fieldf(struct http_fields *f, struct str name, const char *format, ...) {
  char text[sizeof(f->bytes)];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  if (n < 0 || (size_t)n >= sizeof(text))
    f->bad = true;
  else
    http_field(f, name, str_of(text, (size_t)n));
}
