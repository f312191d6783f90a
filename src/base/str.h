/* str.h - views of bytes: pointer and length, never owned, not NUL-terminated.
 *
 * Outside bytes are a `struct str` until a parser made a whole value of them.
 * Thread rule: pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct str {
  const char *p; /* may be NULL when n is 0 */
  size_t n;      /* bytes */
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_NONE ((struct str){NULL, 0})
/* For printf: printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) (int)(s).n, (s).p

struct str str_from(const char *nul_terminated); /* NULL gives the empty view */
struct str str_of(const char *p, size_t n);
bool str_eq(struct str a, struct str b);
bool str_eq_nocase(struct str a, struct str b); /* ASCII case only */
int str_cmp(struct str a, struct str b);        /* bytewise, shorter first */
bool str_starts(struct str s, struct str prefix);
bool str_starts_nocase(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
/* Index of the first c at or after from, or s.n. */
size_t str_index(struct str s, char c, size_t from);
bool str_contains(struct str s, struct str part);
struct str str_skip(struct str s, size_t bytes); /* without its first bytes; empty when there are fewer */
struct str str_head(struct str s, size_t bytes); /* at most its first bytes */
struct str str_head_utf8(struct str s, size_t bytes); /* likewise, of UTF-8: no character is cut in two */
struct str str_trim(struct str s);               /* without spaces and tabs at both ends */
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
bool str_is_utf8(struct str s); /* well-formed UTF-8 without NUL (RFC 3629) */
/* Copies s NUL-terminated into dst of size bytes; ERR_TOO_BIG if it does not fit, ERR_INVALID if it has a NUL. */
CHECKED enum err str_copy(char *dst, size_t size, struct str s);

/* For owned text: char *name CLEANUP(free_char) = … */
void free_char(char **p);
