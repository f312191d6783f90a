/* form.c - percent-decodes path segments, queries and forms. */
#include "http/route.h"

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

enum decode {
  DECODE_PLUS = 1,        /* '+' is a space */
  DECODE_NUL = 2,         /* NUL is allowed */
  DECODE_BAD_ESCAPES = 4, /* a '%' that begins no escape stands for itself, as in WHATWG's URL standard */
};

/* Appends s, decoded, to b; on failure b is unchanged. how: of enum decode. */
static enum err form_decode(struct str s, unsigned how, struct buf *b, struct str *ret_value) {
  TRY(buf_reserve(b, s.n));
  size_t from = b->n, n = b->n;
  for (size_t i = 0; i < s.n; i++) {
    char c = s.p[i];
    if (c == '+' && how & DECODE_PLUS) {
      c = ' ';
    } else if (c == '%') {
      int high = i + 2 < s.n ? hex_value(s.p[i + 1]) : -1, low = i + 2 < s.n ? hex_value(s.p[i + 2]) : -1;
      bool is_escape = high >= 0 && low >= 0;
      if (!is_escape && !(how & DECODE_BAD_ESCAPES)) return ERR_INVALID;
      if (is_escape) c = (char)(high << 4 | low);
      if (is_escape) i += 2;
    }
    if (c == '\0' && !(how & DECODE_NUL)) return ERR_INVALID;
    b->p[n++] = c;
  }
  b->n = n;
  *ret_value = n > from ? str_of(b->p + from, n - from) : STR("");
  return OK;
}

enum err http_segment_decode(struct str segment, struct buf *b, struct str *ret_value) {
  return form_decode(segment, 0, b, ret_value);
}

enum err http_form_next(struct http_form *f, struct buf *b, struct str *ret_name, struct str *ret_value) {
  const unsigned how = DECODE_PLUS | DECODE_NUL | (f->takes_any_bytes ? DECODE_BAD_ESCAPES : 0);
  while (f->rest.n > 0) {
    struct str pair, rest, raw_name, raw_value, name, value;
    if (!str_cut(f->rest, '&', &pair, &rest)) rest = STR_NONE;
    f->rest = rest;
    if (pair.n == 0) continue;
    if (!str_cut(pair, '=', &raw_name, &raw_value)) raw_value = STR("");
    TRY(buf_reserve(b, pair.n)); /* so that decoding the value does not move the name */
    size_t before = b->n;
    TRY(form_decode(raw_name, how, b, &name));
    enum err e = form_decode(raw_value, how, b, &value);
    if (e != OK) {
      b->n = before;
      return e;
    }
    *ret_name = name;
    *ret_value = value;
    return OK;
  }
  return ERR_NOT_FOUND;
}

/* Whether another pair of the form has the name. A name that can't be decoded is another name. */
static bool form_names(struct http_form *f, struct str name, struct buf *b) {
  for (;;) {
    size_t before = b->n;
    struct str found, value;
    enum err e = http_form_next(f, b, &found, &value);
    bool is_it = e == OK && str_eq(found, name);
    b->n = before;
    if (is_it || (e != OK && e != ERR_INVALID)) return is_it;
  }
}

enum err http_query_get(struct str query, struct str name, struct buf *b, struct str *ret_value) {
  struct http_form f = {.rest = query};
  for (;;) {
    size_t before = b->n;
    struct str found, value;
    TRY(http_form_next(&f, b, &found, &value));
    if (!str_eq(found, name)) {
      b->n = before;
      continue;
    }
    size_t at = b->n - value.n;
    if (form_names(&f, name, b)) return ERR_EXISTS;
    *ret_value = value.n > 0 ? str_of(b->p + at, value.n) : value; /* b may have grown, and moved */
    return OK;
  }
}
