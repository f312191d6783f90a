/* api_json_numbers.h - keeps the numbers of a JSON text as they are written: 1.10, 1e5 and 12345678901234567890 would come out of
 * a parser as other texts, or not at all.
 *
 *   json_numbers_hide(body, &hidden);   json_loadb(hidden …) … json_dumps(…);   json_numbers_show(dumped, &text);
 *
 * Hidden, a number is the string "\u0001#" and its text; a string or name that begins with U+0001 gets one more.
 * Thread rule: pure. */
#pragma once

#include <jansson.h>

#include "base/buf.h"

/* Appends the text with hidden numbers. A text that is not valid JSON stays as it is, so that the parser refuses it. */
CHECKED enum err json_numbers_hide(struct str text, struct buf *b);
/* Appends the compact JSON of a dump, with its numbers as they were. */
CHECKED enum err json_numbers_show(struct str dumped, struct buf *b);
/* The offset in text of the byte at offset `hidden_at` of what json_numbers_hide makes of it. */
CHECKED enum err json_numbers_origin(struct str text, size_t hidden_at, size_t *ret_at);
/* Makes the strings and hidden numbers of an object's member, and of its items if it is an array, strings and numbers again, for
 * code that reads them; their values may be cut. */
CHECKED enum err json_numbers_restore(json_t *object, const char *key);
