/* twilio_text.c - makes UTF-8 and JSON of any bytes. */
#include "provider/twilio_text.h"

#include <string.h>

#define REPLACEMENT STR("\xef\xbf\xbd") /* U+FFFD */

/* How many bytes at `at`, where no character is, one U+FFFD stands for: the longest beginning of a character, else one
 * (Unicode 15, section 3.9, "U+FFFD Substitution of Maximal Subparts"). */
static size_t broken_length(struct str s, size_t at) {
  const unsigned char *p = (const unsigned char *)s.p + at;
  size_t left = s.n - at, size = p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 1, n = 1;
  unsigned least = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
  unsigned most = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
  while (n < size && n < left && p[n] >= least && p[n] <= most) {
    n++;
    least = 0x80;
    most = 0xbf;
  }
  return n;
}

enum err twilio_text_repair(struct str s, struct buf *storage, struct str *ret_text) {
  *ret_text = s;
  if (str_is_utf8(s)) return OK;
  size_t start = storage->n;
  for (size_t at = 0, size; at < s.n; at += size) {
    char character[4]; /* a copy, since s may be a view of storage */
    uint32_t code = 1;
    size = str_utf8_at(s, at, &code);
    struct str piece = size ? str_of(character, size) : REPLACEMENT;
    if (size)
      memcpy(character, s.p + at, size);
    else
      size = broken_length(s, at);
    if (code != 0) TRY(buf_add(storage, piece));
  }
  *ret_text = storage->n > start ? str_of(storage->p + start, storage->n - start) : STR("");
  return OK;
}

/* The code unit of an escape like \u00e9 at `at`; -1: there is none. */
static int escaped_unit(struct str s, size_t at) {
  int unit = 0;
  if (s.n - at < 6 || s.p[at] != '\\' || s.p[at + 1] != 'u') return -1;
  for (size_t i = at + 2; i < at + 6; i++) {
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *digit = s.p[i] ? strchr(digits, s.p[i]) : NULL;
    if (!digit) return -1;
    int value = (int)(digit - digits);
    unit = unit * 16 + (value < 16 ? value : value - 6);
  }
  return unit;
}

/* Appends what begins at `at` within a string, and returns how many bytes of s that is. */
static enum err repair_in_string(struct str s, size_t at, struct buf *b, size_t *ret_bytes) {
  uint32_t code = 0;
  size_t size = str_utf8_at(s, at, &code);
  int unit = escaped_unit(s, at);
  bool is_high = unit >= 0xd800 && unit < 0xdc00, is_low = unit >= 0xdc00 && unit < 0xe000;
  int next = is_high ? escaped_unit(s, at + 6) : -1;
  bool is_pair = is_high && next >= 0xdc00 && next < 0xe000;
  *ret_bytes = is_pair ? 12 : unit >= 0 ? 6 : size == 0 ? broken_length(s, at) : size;
  if (unit < 0 && s.p[at] == '\\' && at + 1 < s.n && (unsigned char)s.p[at + 1] >= ' ' && s.p[at + 1] > 0)
    *ret_bytes = 2;
  bool is_broken = size == 0 || code < ' ' || is_low || (is_high && !is_pair);
  return buf_add(b, is_broken ? REPLACEMENT : str_of(s.p + at, *ret_bytes));
}

enum err twilio_json_repair(struct str s, struct buf *b) {
  bool in_string = false;
  for (size_t at = 0, bytes = 1; at < s.n; at += bytes) {
    bytes = 1;
    if (s.p[at] == '"')
      in_string = !in_string;
    else if (in_string) {
      TRY(repair_in_string(s, at, b, &bytes));
      continue;
    }
    TRY(buf_add(b, str_of(s.p + at, 1)));
  }
  return OK;
}
