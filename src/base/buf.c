/* buf.c - a byte buffer that grows up to a ceiling.
 *
 * Invariants
 *  (1) n <= max, and n < cap wherever p is not NULL: there is always room for a NUL after the content.
 *  (2) A call that fails leaves p[0, n) as it was. */
#include "base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAP = 64 };

void buf_init(struct buf *b, size_t max) {
  *b = (struct buf)BUF_INIT(max);
}

void buf_done(struct buf *b) {
  free(b->p);
  buf_init(b, b->max);
}

void buf_clear(struct buf *b) {
  b->n = 0;
}

enum err buf_reserve(struct buf *b, size_t extra) {
  if (extra > b->max - b->n) return ERR_TOO_BIG;
  size_t need = b->n + extra;
  if (b->p && need < b->cap) return OK;
  if (need == SIZE_MAX) return ERR_NOMEM;
  size_t cap = b->cap ? b->cap : FIRST_CAP;
  while (cap <= need) cap = cap > SIZE_MAX / 2 ? need + 1 : cap * 2;
  if (cap > b->max && b->max < SIZE_MAX) cap = b->max + 1;
  char *p = realloc(b->p, cap);
  if (!p) return ERR_NOMEM;
  b->p = p;
  b->cap = cap;
  assert(b->n + extra < b->cap); /* (1) */
  return OK;
}

enum err buf_add(struct buf *b, struct str s) {
  if (s.n == 0) return OK;
  assert(!b->p || s.p + s.n <= b->p ||
         s.p >= b->p + b->cap); /* s must not be a view of b: growing may move b's bytes */
  TRY(buf_reserve(b, s.n));
  memcpy(b->p + b->n, s.p, s.n);
  b->n += s.n;
  return OK;
}

enum err buf_add_char(struct buf *b, char c) {
  return buf_add(b, str_of(&c, 1));
}

enum err buf_addf(struct buf *b, const char *format, ...) {
  va_list args;
  va_start(args, format);
  enum err e = buf_vaddf(b, format, args);
  va_end(args);
  return e;
}

enum err buf_vaddf(struct buf *b, const char *format, va_list args) {
  va_list again;
  va_copy(again, args);
  size_t room = b->p ? b->cap - b->n : 0;
  int size = vsnprintf(b->p ? b->p + b->n : NULL, room, format, args);
  enum err e = size < 0 ? ERR_INVALID : buf_reserve(b, (size_t)size);
  if (e == OK && (size_t)size >= room) size = vsnprintf(b->p + b->n, b->cap - b->n, format, again);
  va_end(again);
  if (e == OK) b->n += (size_t)size;
  return e;
}

static enum err add_json_char(struct buf *b, struct str whole, size_t *at) {
  static const char letters[32] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
  uint32_t code;
  size_t size = str_utf8_at(whole, *at, &code);
  struct str raw = str_head(str_skip(whole, *at), size ? size : 1);
  *at += raw.n;
  if (size == 0) return buf_add(b, STR("\xef\xbf\xbd"));
  if (code < 32 && letters[code]) return buf_addf(b, "\\%c", letters[code]);
  if (code < 32) return buf_addf(b, "\\u%04x", (unsigned)code);
  if (code == '"' || code == '\\') TRY(buf_add_char(b, '\\'));
  return buf_add(b, raw);
}

enum err buf_add_json(struct buf *b, struct str s) {
  size_t before = b->n;
  enum err e = buf_add_char(b, '"');
  for (size_t at = 0; e == OK && at < s.n;) e = add_json_char(b, s, &at);
  if (e == OK) e = buf_add_char(b, '"');
  if (e != OK) b->n = before; /* (2) */
  return e;
}

void buf_drop_front(struct buf *b, size_t bytes) {
  if (bytes > b->n) bytes = b->n;
  if (bytes == 0) return;
  b->n -= bytes;
  memmove(b->p, b->p + bytes, b->n);
}

enum err buf_terminate(struct buf *b, const char **ret_text) {
  TRY(buf_reserve(b, 0));
  b->p[b->n] = '\0';
  *ret_text = b->p;
  return OK;
}

struct str buf_str(const struct buf *b) {
  return str_of(b->p, b->n);
}
