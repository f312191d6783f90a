/* speech_text.c - makes clean text of what an engine or a person wrote. */
#include "speech/speech_text.h"

#include "base/fold.h"

#define REPLACEMENT STR("\xef\xbf\xbd") /* U+FFFD */

struct code_range {
  uint32_t first, last;
};

static bool ranges_have(const struct code_range *ranges, size_t count, uint32_t code) {
  for (size_t i = 0; i < count; i++) {
    if (code >= ranges[i].first && code <= ranges[i].last) return true;
  }
  return false;
}

bool speech_text_is_space(uint32_t code) {
  static const struct code_range spaces[] = {{0, 0x20},        {0x7f, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
                                             {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}};
  if (code > 0x20 && code < 0x7f) return false;
  return ranges_have(spaces, COUNT_OF(spaces), code);
}

/* Marks that are not seen, and change the direction of what is around them or part words. */
static bool is_left_out(uint32_t code) {
  static const struct code_range marks[] = {{0x61c, 0x61c},   {0x200b, 0x200b}, {0x200e, 0x200f}, {0x202a, 0x202e},
                                            {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff}};
  return code >= 0x61c && ranges_have(marks, COUNT_OF(marks), code);
}

bool speech_text_is_closing(uint32_t code) {
  static const struct code_range closing[] = {
      {'!', '!'},       {'%', '%'},       {')', ')'},       {',', ','},       {'.', '.'},
      {':', ';'},       {'?', '?'},       {']', ']'},       {'}', '}'},       {0xbb, 0xbb},
      {0x5be, 0x5be},   {0x5c3, 0x5c3},   {0x60c, 0x60c},   {0x61b, 0x61b},   {0x61f, 0x61f},
      {0x6d4, 0x6d4},   {0x2019, 0x2019}, {0x201d, 0x201d}, {0x2026, 0x2026}, {0x3001, 0x3002},
      {0xff01, 0xff01}, {0xff0c, 0xff0c}, {0xff0e, 0xff0e}, {0xff1a, 0xff1b}, {0xff1f, 0xff1f}};
  return ranges_have(closing, COUNT_OF(closing), code);
}

bool speech_text_ends_part(struct str text) {
  size_t at = text.n;
  while (at > 0 && ((unsigned char)text.p[at - 1] & 0xc0) == 0x80) at--;
  uint32_t code = 0;
  if (at > 0) (void)str_utf8_at(text, at - 1, &code);
  static const uint32_t ends[] = {',',   '.',   '?',   '!',    ';',    ':',    0x2026, 0x60c,
                                  0x61b, 0x61f, 0x6d4, 0x3001, 0x3002, 0xff01, 0xff0c, 0xff1f};
  for (size_t i = 0; i < COUNT_OF(ends); i++) {
    if (ends[i] == code) return true;
  }
  return false;
}

/* How many bytes, from `at` on, are no character together. */
static size_t broken_length(struct str s, size_t at) {
  size_t n = 1;
  uint32_t code;
  while (n < 4 && at + n < s.n && ((unsigned char)s.p[at + n] & 0xc0) == 0x80 && !str_utf8_at(s, at + n, &code)) n++;
  return n;
}

enum err speech_text_clean(struct str text, struct buf *b) {
  size_t start = b->n;
  bool has_space = false;
  for (size_t at = 0, size; at < text.n; at += size) {
    uint32_t code = 0;
    size = str_utf8_at(text, at, &code);
    bool is_broken = size == 0;
    if (is_broken) size = broken_length(text, at);
    if (!is_broken && speech_text_is_space(code)) {
      has_space = true;
      continue;
    }
    if (!is_broken && is_left_out(code)) continue;
    if (has_space && b->n > start) TRY(buf_add_char(b, ' '));
    has_space = false;
    TRY(buf_add(b, is_broken ? REPLACEMENT : str_of(text.p + at, size)));
  }
  return OK;
}

bool speech_text_is_clean(struct str text) {
  bool was_space = true; /* at the start */
  for (size_t at = 0, size; at < text.n; at += size) {
    uint32_t code;
    size = str_utf8_at(text, at, &code);
    if (size == 0 || is_left_out(code)) return false;
    bool is_space = speech_text_is_space(code);
    if (is_space && (was_space || code != ' ')) return false;
    was_space = is_space;
  }
  return text.n == 0 || !was_space;
}

bool speech_text_is_right_to_left(struct str text) {
  static const struct code_range right[] = {
      {0x590, 0x8ff}, {0xfb1d, 0xfdff}, {0xfe70, 0xfefe}, {0x10800, 0x10fff}, {0x1e800, 0x1efff}};
  static const struct code_range neither[] = {{0x660, 0x669}, {0x6f0, 0x6f9}, {0x2000, 0x2bff}, {0x3000, 0x303f}};
  for (size_t at = 0, size; at < text.n; at += size) {
    uint32_t code;
    size = str_utf8_at(text, at, &code);
    if (size == 0) return false;
    bool is_latin = (code >= 'A' && code <= 'Z') || (code >= 'a' && code <= 'z');
    if ((code < 0xc0 && !is_latin) || ranges_have(neither, COUNT_OF(neither), code)) continue;
    return ranges_have(right, COUNT_OF(right), code);
  }
  return false;
}

/* The next character of folded text that is a letter, digit or symbol; 0 at the end. */
static uint32_t next_letter(struct str s, size_t *at) {
  while (*at < s.n) {
    uint32_t code;
    size_t size = str_utf8_at(s, *at, &code);
    *at += size ? size : 1;
    bool is_ascii_letter = (code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z');
    bool is_mark = (code < 0x80 && !is_ascii_letter) || (code >= 0x2000 && code <= 0x206f);
    if (size && !is_mark && !speech_text_is_space(code) && !speech_text_is_closing(code)) return code;
  }
  return 0;
}

enum err speech_text_same(struct str a, struct str b, bool *ret_same) {
  struct buf one CLEANUP(buf_done) = BUF_INIT(2 * a.n + 16), other CLEANUP(buf_done) = BUF_INIT(2 * b.n + 16);
  TRY(fold_text(a, FOLD_JOIN, &one));
  TRY(fold_text(b, FOLD_JOIN, &other));
  uint32_t code;
  size_t i = 0, j = 0;
  do {
    code = next_letter(buf_str(&one), &i);
    if (code != next_letter(buf_str(&other), &j)) {
      *ret_same = false;
      return OK;
    }
  } while (code);
  *ret_same = true;
  return OK;
}
