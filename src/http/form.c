/* form.c - percent-decodes path segments, queries and forms. */
#include "http/route.h"

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* Appends s, decoded, to b; on failure b is unchanged. */
static enum err form_decode(struct str s, bool plus_is_space, bool nul_allowed, struct buf *b, struct str *ret_value) {
  TRY(buf_reserve(b, s.n));
  size_t from = b->n, n = b->n;
  for (size_t i = 0; i < s.n; i++) {
    char c = s.p[i];
    if (c == '+' && plus_is_space) {
      c = ' ';
    } else if (c == '%') {
      int high = i + 2 < s.n ? hex_value(s.p[i + 1]) : -1, low = i + 2 < s.n ? hex_value(s.p[i + 2]) : -1;
      if (high < 0 || low < 0) return ERR_INVALID;
      c = (char)(high << 4 | low);
      i += 2;
    }
    if (c == '\0' && !nul_allowed) return ERR_INVALID;
    b->p[n++] = c;
  }
  b->n = n;
  *ret_value = n > from ? str_of(b->p + from, n - from) : STR("");
  return OK;
}

enum err http_segment_decode(struct str segment, struct buf *b, struct str *ret_value) {
  return form_decode(segment, false, false, b, ret_value);
}

enum err http_form_next(struct http_form *f, struct buf *b, struct str *ret_name, struct str *ret_value) {
  while (f->rest.n > 0) {
    struct str pair, rest, raw_name, raw_value, name, value;
    if (!str_cut(f->rest, '&', &pair, &rest)) rest = STR_NONE;
    f->rest = rest;
    if (pair.n == 0) continue;
    if (!str_cut(pair, '=', &raw_name, &raw_value)) raw_value = STR("");
    TRY(buf_reserve(b, pair.n)); /* so that decoding the value does not move the name */
    size_t before = b->n;
    TRY(form_decode(raw_name, true, true, b, &name));
    enum err e = form_decode(raw_value, true, true, b, &value);
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

enum err http_query_get(struct str query, struct str name, struct buf *b, struct str *ret_value) {
  struct http_form f = {query};
  for (;;) {
    size_t before = b->n;
    struct str found, value;
    TRY(http_form_next(&f, b, &found, &value));
    if (!str_eq(found, name)) {
      b->n = before;
      continue;
    }
    *ret_value = value;
    return OK;
  }
}
