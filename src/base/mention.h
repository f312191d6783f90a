/* mention.h - finds a telephone number in a text, and takes it out.
 *
 *   TRY(mention_erase(text, STR("972501234567"), MENTION_PLAIN, &b, &found));      "call +972 50-123 4567" -> "call […]"
 *
 * A number is there if its digits are, one after the other, in any script, and no digit before or behind. Between two of them
 * may stand up to eight characters of those that a search leaves out (base/fold.h: blanks of any kind, ends of lines, dashes,
 * quotes, accents, what is not seen) and of . ( ) / , _ * ~. So what a search finds is found. A + or one of 00, 011, 0011 in
 * front belongs to it. Thread rule: pure. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum mention_kind {
  MENTION_PLAIN,
  MENTION_JSON, /* valid JSON stays valid; a JSON number that is the telephone number becomes null */
};

/* Whether the text names the number. */
bool mention_is_in(struct str text, struct str digits, enum mention_kind kind);
/* Appends the text without the number to ret_text. It is at most as long as before. */
CHECKED enum err mention_erase(struct str text, struct str digits, enum mention_kind kind, struct buf *ret_text,
                               bool *ret_found);

/* Calls fn with the digits of each telephone number that the text names: with those for which mention_is_in(text, digits,
 * MENTION_PLAIN) is true. Digits of a number: MENTION_DIGITS_LEAST to MENTION_DIGITS_MAX, the first is not 0. The same digits may
 * come twice. */
enum { MENTION_DIGITS_LEAST = 7, MENTION_DIGITS_MAX = 15 };
typedef enum err mention_each_fn(void *arg, struct str digits);
CHECKED enum err mention_each(struct str text, mention_each_fn *fn, void *arg);
