/* mention.c - see mention.h. One pass over the text, character by character, an escape of JSON being one. In JSON it knows
 * whether it is within a string. */
#include "base/mention.h"

#include "base/fold.h"

enum { BETWEEN_MAX = 8, NO_CHARACTER = 0xffff };
#define GONE \
  STR("[\xe2\x80\xa6]") /* five bytes: a number has at least seven digits. None of them stands between digits */

/* What is dialled before a number's country code. */
static const struct str prefixes[] = {{"00", 2}, {"011", 3}, {"0011", 4}};

/* ---- characters ---- */

/* In any script. -1: it is none. */
static int digit_of(uint32_t code) {
  if (code < 0x80) return code >= '0' && code <= '9' ? (int)(code - '0') : -1;
  return fold_digit(code);
}

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  char lower = (char)(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static uint32_t code_of_escape(struct str text, size_t i) {
  static const char names[] = "bfnrt", codes[] = "\b\f\n\r\t";
  uint32_t code = 0;
  char c = text.p[i + 1];
  for (size_t k = 0; k + 1 < sizeof(names); k++)
    if (c == names[k]) return (uint8_t)codes[k];
  if (c != 'u') return (uint8_t)c;
  for (size_t k = i + 2; k < i + 6; k++) {
    int digit = hex_value(text.p[k]);
    if (digit < 0) return NO_CHARACTER;
    code = code << 4 | (uint32_t)digit;
  }
  return code;
}

/* The length of the character at i, at least 1. Within a string of JSON its end is no character. */
static size_t character_at(struct str text, size_t i, enum mention_kind kind, uint32_t *ret_code) {
  bool is_json = kind == MENTION_JSON;
  *ret_code = NO_CHARACTER;
  if (is_json && text.p[i] == '"') return 1;
  if (is_json && text.p[i] == '\\') {
    size_t n = i + 1 < text.n && text.p[i + 1] == 'u' ? 6 : 2;
    if (n > text.n - i) return text.n - i;
    *ret_code = code_of_escape(text, i);
    return n;
  }
  size_t n = str_utf8_at(text, i, ret_code);
  if (!n) *ret_code = NO_CHARACTER;
  return n ? n : 1;
}

/* The digit at i, in any script; -1: none. */
static int digit_at(struct str text, size_t i, enum mention_kind kind) {
  uint32_t code;
  if (i >= text.n) return -1;
  (void)character_at(text, i, kind, &code);
  return digit_of(code);
}

/* What searches leave out, and what else people put between a number's digits. Not what ends an address. */
static bool is_between(uint32_t code) {
  static const uint32_t others[] = {'.',  '(',    ')',    '/',    ',',    '_',    '*',    '~',
                                    0xb7, 0x30fb, 0xff08, 0xff09, 0xff0c, 0xff0e, 0xff0f, 0xff3f};
  for (size_t i = 0; i < COUNT_OF(others); i++)
    if (code == others[i]) return true;
  return fold_is_space_or_left_out(code);
}

static bool is_plus(uint32_t code) {
  return code == '+' || code == 0xff0b;
}

/* ---- numbers ---- */

/* The end of the number that begins at i: with its first digit, or, behind a prefix, with what stands before that. 0: none
 * does. */
static size_t end_of(struct str text, size_t i, struct str digits, enum mention_kind kind, bool is_behind_prefix) {
  int between = 0;
  size_t k = 0;
  while (k < digits.n && i < text.n) {
    uint32_t code;
    size_t n = character_at(text, i, kind, &code);
    int digit = digit_of(code);
    if (digit >= 0 && digit == digits.p[k] - '0') {
      k++;
      between = 0;
    } else if (digit >= 0 || (k == 0 && !is_behind_prefix) || !is_between(code) || ++between > BETWEEN_MAX) {
      return 0;
    }
    i += n;
  }
  return k == digits.n && digit_at(text, i, kind) < 0 ? i : 0;
}

/* Behind the prefix; 0: it does not stand at i. */
static size_t end_of_prefix(struct str text, size_t i, struct str prefix, enum mention_kind kind) {
  for (size_t k = 0; k < prefix.n; k++) {
    uint32_t code;
    if (i >= text.n || digit_at(text, i, kind) != prefix.p[k] - '0') return 0;
    i += character_at(text, i, kind, &code);
  }
  return i;
}

/* The same, also with a prefix in front. */
static size_t end_of_number(struct str text, size_t i, struct str digits, enum mention_kind kind) {
  size_t end = end_of(text, i, digits, kind, false);
  for (size_t p = 0; p < COUNT_OF(prefixes) && !end; p++) {
    size_t behind = end_of_prefix(text, i, prefixes[p], kind);
    if (behind) end = end_of(text, behind, digits, kind, true);
  }
  return end;
}

static bool is_digit_at(struct str text, size_t i) {
  return i < text.n && text.p[i] >= '0' && text.p[i] <= '9';
}

/* A value of JSON that is no string: it must be these digits and nothing else. */
static size_t end_of_value(struct str text, size_t i, struct str digits) {
  size_t end = i + digits.n;
  if (!str_starts(str_skip(text, i), digits) || is_digit_at(text, end)) return 0;
  bool begins = i == 0 || str_index(STR("-+.eE"), text.p[i - 1], 0) == STR("-+.eE").n;
  bool ends = end == text.n || str_index(STR(".eE"), text.p[end], 0) == STR(".eE").n;
  return begins && ends ? end : 0;
}

/* ---- texts ---- */

struct erasing_text {
  struct str text, digits;
  enum mention_kind kind;
  struct buf *b; /* NULL: it only looks */
  size_t copied; /* the text up to here is in b */
};

static enum err take_out(struct erasing_text *t, size_t from, size_t to, struct str instead) {
  if (!t->b) return OK;
  TRY(buf_add(t->b, str_of(t->text.p + t->copied, from - t->copied)));
  t->copied = to;
  return buf_add(t->b, instead);
}

static enum err mention_walk(struct erasing_text *t, bool *ret_found) {
  struct str text = t->text;
  bool in_string = t->kind == MENTION_PLAIN, after_digit = false;
  size_t last_at = 0;
  uint32_t last = NO_CHARACTER;
  *ret_found = false;
  for (size_t i = 0; i < text.n;) {
    uint32_t code;
    enum mention_kind kind = in_string ? t->kind : MENTION_PLAIN;
    size_t n = character_at(text, i, kind, &code), end = 0;
    bool is_digit = in_string ? digit_of(code) >= 0 : is_digit_at(text, i);
    if (!after_digit && is_digit)
      end = in_string ? end_of_number(text, i, t->digits, kind) : end_of_value(text, i, t->digits);
    if (end) {
      size_t from = in_string && i > t->copied && is_plus(last) ? last_at : i;
      *ret_found = true;
      TRY(take_out(t, from, end, in_string ? GONE : STR("null")));
    }
    if (t->kind == MENTION_JSON && text.p[i] == '"') in_string = !in_string;
    after_digit = !end && is_digit;
    last = end ? NO_CHARACTER : code;
    last_at = i;
    i = end ? end : i + n;
  }
  return t->b ? buf_add(t->b, str_skip(text, t->copied)) : OK;
}

bool mention_is_in(struct str text, struct str digits, enum mention_kind kind) {
  struct erasing_text t = {.text = text, .digits = digits, .kind = kind};
  bool found = false;
  IGNORE(mention_walk(&t, &found)); /* it writes nothing */
  return found;
}

enum err mention_erase(struct str text, struct str digits, enum mention_kind kind, struct buf *ret_text,
                       bool *ret_found) {
  struct erasing_text t = {.text = text, .digits = digits, .kind = kind, .b = ret_text};
  return mention_walk(&t, ret_found);
}

/* The numbers that begin at i: with their first digit, or, behind a prefix, with what stands before that. */
static enum err each_from(struct str text, size_t i, bool is_behind_prefix, mention_each_fn *fn, void *arg) {
  char digits[MENTION_DIGITS_MAX];
  size_t n = 0;
  int between = 0;
  while (i < text.n) {
    uint32_t code;
    i += character_at(text, i, MENTION_PLAIN, &code);
    int digit = digit_of(code);
    if (digit >= 0) {
      if (n == MENTION_DIGITS_MAX || (n == 0 && digit == 0)) return OK;
      digits[n++] = (char)('0' + digit);
      between = 0;
      if (n >= MENTION_DIGITS_LEAST && digit_at(text, i, MENTION_PLAIN) < 0) TRY(fn(arg, str_of(digits, n)));
    } else if ((n == 0 && !is_behind_prefix) || !is_between(code) || ++between > BETWEEN_MAX) {
      return OK;
    }
  }
  return OK;
}

enum err mention_each(struct str text, mention_each_fn *fn, void *arg) {
  bool after_digit = false;
  uint32_t code;
  for (size_t i = 0, n; i < text.n; i += n) {
    n = character_at(text, i, MENTION_PLAIN, &code);
    bool begins = digit_of(code) >= 0 && !after_digit;
    after_digit = digit_of(code) >= 0;
    if (!begins) continue;
    TRY(each_from(text, i, false, fn, arg));
    for (size_t p = 0; p < COUNT_OF(prefixes); p++) {
      size_t behind = end_of_prefix(text, i, prefixes[p], MENTION_PLAIN);
      if (behind) TRY(each_from(text, behind, true, fn, arg));
    }
  }
  return OK;
}
