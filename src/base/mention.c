/* mention.c - see mention.h. One pass over the text; in JSON it knows whether it is within a string. */
#include "base/mention.h"

enum { BETWEEN_MAX = 2 };
#define GONE STR("[\xe2\x80\xa6]") /* five bytes: a number has at least seven digits */

static bool is_digit_at(struct str text, size_t i) {
  return i < text.n && text.p[i] >= '0' && text.p[i] <= '9';
}

static bool is_between(char c) {
  return c == ' ' || c == '-' || c == '.' || c == '(' || c == ')' || c == '/';
}

/* The end of the number that begins with the digit at i; 0: none does. */
static size_t end_of(struct str text, size_t i, struct str digits, int between_max) {
  int between = 0;
  size_t k = 0;
  for (; k < digits.n && i < text.n; i++) {
    if (text.p[i] == digits.p[k]) {
      k++;
      between = 0;
    } else if (k == 0 || !is_between(text.p[i]) || ++between > between_max) {
      return 0;
    }
  }
  return k == digits.n && !is_digit_at(text, i) ? i : 0;
}

/* The same, also with 00 in front. */
static size_t end_of_number(struct str text, size_t i, struct str digits) {
  size_t end = end_of(text, i, digits, BETWEEN_MAX);
  if (!end && str_starts(str_skip(text, i), STR("00"))) end = end_of(text, i + 2, digits, BETWEEN_MAX);
  return end;
}

/* A value of JSON that is no string: it must be these digits and nothing else. */
static size_t end_of_value(struct str text, size_t i, struct str digits) {
  size_t end = end_of(text, i, digits, 0);
  bool begins = i == 0 || (text.p[i - 1] != '-' && text.p[i - 1] != '+' && text.p[i - 1] != '.' &&
                           text.p[i - 1] != 'e' && text.p[i - 1] != 'E');
  bool ends = end && (end == text.n || (text.p[end] != '.' && text.p[end] != 'e' && text.p[end] != 'E'));
  return begins && ends ? end : 0;
}

/* How many bytes a character of a JSON string has, an escape being one. */
static size_t length_of_character(struct str text, size_t i) {
  size_t n = text.p[i] != '\\' ? 1 : i + 1 < text.n && text.p[i + 1] == 'u' ? 6 : 2;
  return n < text.n - i ? n : text.n - i;
}

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
  *ret_found = false;
  for (size_t i = 0; i < text.n;) {
    size_t end = 0;
    if (!after_digit && is_digit_at(text, i))
      end = in_string ? end_of_number(text, i, t->digits) : end_of_value(text, i, t->digits);
    if (end) {
      size_t from = in_string && i > t->copied && text.p[i - 1] == '+' ? i - 1 : i;
      *ret_found = true;
      TRY(take_out(t, from, end, in_string ? GONE : STR("null")));
      i = end;
      after_digit = false;
      continue;
    }
    if (t->kind == MENTION_JSON && text.p[i] == '"') in_string = !in_string;
    after_digit = is_digit_at(text, i);
    i += t->kind == MENTION_JSON && in_string ? length_of_character(text, i) : 1;
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

/* The numbers that begin with the digit at i. */
static enum err each_from(struct str text, size_t i, mention_each_fn *fn, void *arg) {
  char digits[MENTION_DIGITS_MAX];
  size_t n = 0;
  int between = 0;
  if (!is_digit_at(text, i) || text.p[i] == '0') return OK;
  for (; i < text.n; i++) {
    if (is_digit_at(text, i)) {
      if (n == MENTION_DIGITS_MAX) return OK;
      digits[n++] = text.p[i];
      between = 0;
      if (n >= MENTION_DIGITS_LEAST && !is_digit_at(text, i + 1)) TRY(fn(arg, str_of(digits, n)));
    } else if (!is_between(text.p[i]) || ++between > BETWEEN_MAX) {
      return OK;
    }
  }
  return OK;
}

enum err mention_each(struct str text, mention_each_fn *fn, void *arg) {
  for (size_t i = 0; i < text.n; i++) {
    if (!is_digit_at(text, i) || (i > 0 && is_digit_at(text, i - 1))) continue;
    TRY(each_from(text, i, fn, arg));
    if (str_starts(str_skip(text, i), STR("00"))) TRY(each_from(text, i + 2, fn, arg));
  }
  return OK;
}
