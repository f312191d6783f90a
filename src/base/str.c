/* str.c - views of bytes.
 *
 * Invariants
 *  (1) No function reads p[n] or looks for a NUL, str_from excepted.
 *  (2) p may be NULL where n is 0: it is never handed to memcmp or memcpy then. */
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_eq_nocase(struct str a, struct str b) {
  if (a.n != b.n) return false;
  if (str_eq(a, b)) return true; /* the common case */
  for (size_t i = 0; i < a.n; i++) {
    if (lower(a.p[i]) != lower(b.p[i])) return false;
  }
  return true;
}

int str_cmp(struct str a, struct str b) {
  size_t common = a.n < b.n ? a.n : b.n;
  int order = common ? memcmp(a.p, b.p, common) : 0;
  return order ? order : (a.n > b.n) - (a.n < b.n);
}

bool str_starts_nocase(struct str s, struct str prefix) {
  return s.n >= prefix.n && str_eq_nocase(str_head(s, prefix.n), prefix);
}

bool str_ends(struct str s, struct str suffix) {
  return s.n >= suffix.n && str_eq(str_skip(s, s.n - suffix.n), suffix);
}

bool str_contains(struct str s, struct str part) {
  if (part.n == 0) return true;
  return s.n >= part.n && memmem(s.p, s.n, part.p, part.n);
}

struct str str_head_utf8(struct str s, size_t bytes) {
  if (bytes < s.n)
    while (bytes > 0 && ((unsigned char)s.p[bytes] & 0xc0) == 0x80) bytes--;
  return str_head(s, bytes);
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

struct str str_trim(struct str s) {
  while (s.n > 0 && is_blank(s.p[0])) s = str_skip(s, 1);
  while (s.n > 0 && is_blank(s.p[s.n - 1])) s.n--;
  return s;
}

bool str_cut(struct str s, char sep, struct str *ret_left, struct str *ret_rest) {
  size_t at = str_index(s, sep, 0);
  *ret_left = str_head(s, at);
  *ret_rest = at < s.n ? str_skip(s, at + 1) : STR_NONE;
  return at < s.n;
}

enum err str_to_u64(struct str s, uint64_t max, uint64_t *ret_value) {
  uint64_t value = 0;
  if (s.n == 0) return ERR_INVALID;
  for (size_t i = 0; i < s.n; i++) {
    if (s.p[i] < '0' || s.p[i] > '9') return ERR_INVALID;
    uint64_t digit = (uint64_t)(s.p[i] - '0');
    if (value > max / 10 || digit > max - value * 10) return ERR_INVALID;
    value = value * 10 + digit;
  }
  *ret_value = value;
  return OK;
}

enum err str_to_i64(struct str s, int64_t min, int64_t max, int64_t *ret_value) {
  bool negative = s.n > 0 && s.p[0] == '-';
  uint64_t size;
  TRY(str_to_u64(negative ? str_skip(s, 1) : s, (uint64_t)INT64_MAX + (negative ? 1 : 0), &size));
  int64_t value = negative ? (int64_t)(0 - size) : (int64_t)size;
  if (value < min || value > max) return ERR_INVALID;
  *ret_value = value;
  return OK;
}

char *str_dup(struct str s) {
  if (s.n == SIZE_MAX) return NULL;
  char *copy = malloc(s.n + 1);
  if (!copy) return NULL;
  if (s.n) memcpy(copy, s.p, s.n);
  copy[s.n] = '\0';
  return copy;
}

size_t str_utf8_at(struct str s, size_t at, uint32_t *ret_code) {
  if (at >= s.n) return 0;
  const unsigned char *p = (const unsigned char *)s.p + at;
  size_t left = s.n - at, size;
  uint32_t code, least;
  if (p[0] < 0x80) {
    *ret_code = p[0];
    return 1;
  }
  if ((p[0] & 0xe0) == 0xc0) {
    size = 2, code = p[0] & 0x1f, least = 0x80;
  } else if ((p[0] & 0xf0) == 0xe0) {
    size = 3, code = p[0] & 0x0f, least = 0x800;
  } else if ((p[0] & 0xf8) == 0xf0) {
    size = 4, code = p[0] & 0x07, least = 0x10000;
  } else {
    return 0;
  }
  if (left < size) return 0;
  for (size_t i = 1; i < size; i++) {
    if ((p[i] & 0xc0) != 0x80) return 0;
    code = code << 6 | (p[i] & 0x3f);
  }
  if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return 0;
  *ret_code = code;
  return size;
}

size_t str_utf8_count(struct str s) {
  uint32_t code;
  size_t count = 0;
  for (size_t at = 0, n; at < s.n && (n = str_utf8_at(s, at, &code)) > 0; at += n) count++;
  return count;
}

bool str_is_utf8(struct str s) {
  uint32_t code;
  for (size_t at = 0, size; at < s.n; at += size) {
    size = str_utf8_at(s, at, &code);
    if (size == 0 || code == 0) return false;
  }
  return true;
}

enum err str_copy(char *dst, size_t size, struct str s) {
  if (s.n >= size) return ERR_TOO_BIG;
  if (str_index(s, '\0', 0) < s.n) return ERR_INVALID;
  if (s.n) memcpy(dst, s.p, s.n);
  dst[s.n] = '\0';
  return OK;
}

void free_char(char **p) {
  free(*p);
}
