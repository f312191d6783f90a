/* str.h - views of bytes: pointer and length, never owned, not NUL-terminated.
 *
 * Bytes from outside stay a `struct str` until a parser has made a complete value of them.
 * Thread rule: pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

struct str {
  const char *p; /* may be NULL when n is 0 */
  size_t n;      /* bytes */
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_NONE ((struct str){NULL, 0})
/* For printf: printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) (int)(s).n, (s).p

/* The smallest functions are inline: every request calls them many times. */
static inline struct str str_of(const char *p, size_t n) {
  return (struct str){p, n};
}
/* NULL gives the empty view. */
static inline struct str str_from(const char *nul_terminated) {
  return nul_terminated ? str_of(nul_terminated, strlen(nul_terminated)) : STR_NONE;
}
static inline bool str_eq(struct str a, struct str b) {
  return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
bool str_eq_nocase(struct str a, struct str b); /* ASCII case only */
static inline bool str_is_digit(char c) {
  return c >= '0' && c <= '9';
}
static inline uint64_t str_hash_word(uint64_t h, uint64_t word) {
  __extension__ unsigned __int128 product = (unsigned __int128)(h ^ word) * UINT64_C(0x9E3779B97F4A7C15);
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}
/* For hash tables. If outsiders choose the texts, use a random seed that stays in the process: else they can force
 * collisions. */
static inline uint64_t str_hash(struct str s, uint64_t seed) {
  uint64_t h = str_hash_word(seed, s.n), word = 0;
  if (s.n < 8) {
    if (s.n) memcpy(&word, s.p, s.n);
    return str_hash_word(h, word);
  }
  const char *last = s.p + s.n - 8;
  for (const char *at = s.p; at < last; at += 8) {
    memcpy(&word, at, 8);
    h = str_hash_word(h, word + 1);
  }
  memcpy(&word, last, 8); /* overlaps the word before */
  return str_hash_word(h, word + 1);
}
int str_cmp(struct str a, struct str b); /* bytewise, shorter first */
/* s without its first bytes; empty if it has fewer. */
static inline struct str str_skip(struct str s, size_t bytes) {
  if (bytes == 0) return s;
  return bytes < s.n ? str_of(s.p + bytes, s.n - bytes) : STR_NONE;
}
/* The first bytes of s, at most as many as it has. */
static inline struct str str_head(struct str s, size_t bytes) {
  return str_of(s.p, bytes < s.n ? bytes : s.n);
}
static inline bool str_starts(struct str s, struct str prefix) {
  return s.n >= prefix.n && str_eq(str_head(s, prefix.n), prefix);
}
bool str_starts_nocase(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
/* Index of the first c at or after from, or s.n. */
static inline size_t str_index(struct str s, char c, size_t from) {
  if (from >= s.n) return s.n;
  const char *found = (const char *)memchr(s.p + from, c, s.n - from);
  return found ? (size_t)(found - s.p) : s.n;
}
bool str_contains(struct str s, struct str part);
struct str str_head_utf8(struct str s, size_t bytes); /* str_head, of UTF-8: no character is cut in two */
struct str str_trim(struct str s);                    /* without spaces and tabs at both ends */
/* Splits at the first sep: *ret_left before it, *ret_rest after it. False, and all in *ret_left, if there is none. */
bool str_cut(struct str s, char sep, struct str *ret_left, struct str *ret_rest);
/* Decimal digits only, the whole view, at most max. ERR_INVALID otherwise. */
CHECKED enum err str_to_u64(struct str s, uint64_t max, uint64_t *ret_value);
/* An optional '-' and decimal digits, the whole view, within min … max. ERR_INVALID otherwise. */
CHECKED enum err str_to_i64(struct str s, int64_t min, int64_t max, int64_t *ret_value);
/* A NUL-terminated copy for the caller to free(); NULL when out of memory. */
char *str_dup(struct str s);
/* Length in bytes of the well-formed UTF-8 character at offset at, and its code point; 0 where there is none. */
size_t str_utf8_at(struct str s, size_t at, uint32_t *ret_code);
/* How many characters (code points) UTF-8 text has, up to the first byte that is none. */
size_t str_utf8_count(struct str s);
bool str_is_utf8(struct str s); /* well-formed UTF-8 without NUL (RFC 3629) */
/* Copies s NUL-terminated into dst of size bytes; ERR_TOO_BIG if it does not fit, ERR_INVALID if it has a NUL. */
CHECKED enum err str_copy(char *dst, size_t size, struct str s);

/* For owned text: char *name CLEANUP(free_char) = … */
void free_char(char **p);
