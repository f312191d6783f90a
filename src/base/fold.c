/* fold.c - see fold.h. fold_table.def has the letters; the ranges here have what is left out.
 *
 * Invariants
 *  (1) Folded text stays as it is when it is folded again. */
#include "base/fold.h"

#include <stdlib.h>

struct fold_entry {
  uint16_t code;
  char text[5];
};

static const struct fold_entry table[] = {
#define FOLD(code, text) {code, text},
#include "base/fold_table.def"
#undef FOLD
};

struct fold_range {
  uint32_t first, last;
};

/* Accents and vowel points, marks of direction, soft hyphens, apostrophes and quotation marks. */
static const struct fold_range left_out[] = {
    {'"', '"'},       {'\'', '\''},     {'`', '`'},       {0xa8, 0xa8},     {0xad, 0xad},     {0xb4, 0xb4},
    {0x2b9, 0x2bf},   {0x2c8, 0x2c8},   {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x5bf, 0x5bf},
    {0x5c1, 0x5c2},   {0x5c4, 0x5c5},   {0x5c7, 0x5c7},   {0x5f3, 0x5f4},   {0x610, 0x61a},   {0x640, 0x640},
    {0x64b, 0x65f},   {0x670, 0x670},   {0x6d6, 0x6dc},   {0x6df, 0x6e4},   {0x6e7, 0x6e8},   {0x6ea, 0x6ed},
    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x2018, 0x201f}, {0x202a, 0x202e}, {0x2032, 0x2036},
    {0x2060, 0x2069}, {0x20d0, 0x20f0}, {0xfb1e, 0xfb1e}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff},
    {0xff07, 0xff07}, {0xff40, 0xff40},
};

static const struct fold_range hyphen[] = {
    {'-', '-'},       {0x58a, 0x58a},   {0x5be, 0x5be},   {0x2010, 0x2015}, {0x2043, 0x2043},
    {0x2212, 0x2212}, {0xfe58, 0xfe58}, {0xfe63, 0xfe63}, {0xff0d, 0xff0d},
};

static const struct fold_range space[] = {
    {'\t', '\r'}, {' ', ' '}, {0xa0, 0xa0}, {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f}, {0x3000, 0x3000},
};

static int compare_range(const void *key, const void *element) {
  const uint32_t *code = key;
  const struct fold_range *range = element;
  return *code < range->first ? -1 : *code > range->last;
}

static bool is_in(uint32_t code, const struct fold_range *ranges, size_t count) {
  return bsearch(&code, ranges, count, sizeof(ranges[0]), compare_range);
}

static int compare_entry(const void *key, const void *element) {
  const uint32_t *code = key;
  const struct fold_entry *entry = element;
  return *code < entry->code ? -1 : *code > entry->code;
}

int fold_digit(uint32_t code) {
  static const uint32_t zeros[] = {'0',   0x660, 0x6f0, 0x966, 0x9e6, 0xa66, 0xae6,  0xb66,  0xbe6,
                                   0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20, 0x1040, 0x17e0, 0xff10};
  for (size_t i = 0; i < COUNT_OF(zeros); i++)
    if (code >= zeros[i] && code <= zeros[i] + 9) return (int)(code - zeros[i]);
  return -1;
}

bool fold_is_space_or_left_out(uint32_t code) {
  const struct fold_entry *entry = bsearch(&code, table, COUNT_OF(table), sizeof(table[0]), compare_entry);
  return is_in(code, space, COUNT_OF(space)) || is_in(code, left_out, COUNT_OF(left_out)) ||
         is_in(code, hyphen, COUNT_OF(hyphen)) || (entry && !entry->text[0]);
}

static enum err fold_character(uint32_t code, struct str as_it_is, enum fold_hyphens hyphens, struct buf *b) {
  if (code >= 'a' && code <= 'z') return buf_add_char(b, (char)code);
  if (code >= 'A' && code <= 'Z') return buf_add_char(b, (char)(code | 0x20));
  if ((code >= '0' && code <= '9') || code == ' ') return buf_add_char(b, (char)code);
  if (code >= 0x5d0 && code <= 0x5ea) return buf_add(b, as_it_is); /* Hebrew letters: none is in the lists below */
  if (is_in(code, left_out, COUNT_OF(left_out))) return OK;
  if (is_in(code, hyphen, COUNT_OF(hyphen))) return hyphens == FOLD_SPLIT ? buf_add_char(b, ' ') : OK;
  if (is_in(code, space, COUNT_OF(space))) return buf_add_char(b, ' ');
  int digit = fold_digit(code);
  if (digit >= 0) return buf_add_char(b, (char)('0' + digit));
  const struct fold_entry *entry = bsearch(&code, table, COUNT_OF(table), sizeof(table[0]), compare_entry);
  return buf_add(b, entry ? str_from(entry->text) : as_it_is);
}

enum err fold_text(struct str text, enum fold_hyphens hyphens, struct buf *b) {
  uint32_t code;
  for (size_t at = 0, n; at < text.n; at += n ? n : 1) {
    n = str_utf8_at(text, at, &code);
    if (n) TRY(fold_character(code, str_head(str_skip(text, at), n), hyphens, b));
  }
  return OK;
}
