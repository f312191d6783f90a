/* buf.h - a byte buffer that grows up to a ceiling, which is set when it is made.
 *
 *   struct buf b CLEANUP(buf_done) = BUF_INIT(64 * 1024);
 *   TRY(buf_addf(&b, "%d calls", n));
 *
 * After any failure the buffer keeps what it had. Thread rule: one owner at a time. */
#pragma once

#include <stdarg.h>

#include "base/str.h"

struct buf {
  char *p;    /* owned; NULL while nothing was added */
  size_t n;   /* bytes used */
  size_t cap; /* bytes allocated */
  size_t max; /* ceiling for n */
};

#define BUF_INIT(ceiling) \
  { .p = NULL, .n = 0, .cap = 0, .max = (ceiling) }

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);  /* frees; the buffer is empty afterwards and can be used again */
void buf_clear(struct buf *b); /* removes the content, keeps the memory */
/* Makes room for extra more bytes at b->p + b->n. ERR_TOO_BIG past the ceiling, ERR_NOMEM. */
CHECKED enum err buf_reserve(struct buf *b, size_t extra);
CHECKED enum err buf_add(struct buf *b, struct str s);
CHECKED enum err buf_add_char(struct buf *b, char c);
CHECKED enum err buf_addf(struct buf *b, const char *format, ...) PRINTF(2, 3);
CHECKED enum err buf_vaddf(struct buf *b, const char *format, va_list args) PRINTF(2, 0);
/* Appends s as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
CHECKED enum err buf_add_json(struct buf *b, struct str s);
/* Removes the first bytes, or all if there are fewer. */
void buf_drop_front(struct buf *b, size_t bytes);
/* Writes a NUL after the content, not counted in n. *ret_text is valid until the buffer changes. */
CHECKED enum err buf_terminate(struct buf *b, const char **ret_text);
struct str buf_str(const struct buf *b);
