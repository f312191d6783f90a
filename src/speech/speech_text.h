/* speech_text.h - makes clean text of what an engine or a person wrote.
 *
 *   TRY(speech_text_clean(bytes, &b));
 *
 * Clean text is UTF-8 without control characters, without marks that turn the direction of text, without spaces at its ends, and
 * with single spaces within it. Thread rule: pure. */
#pragma once

#include "base/buf.h"

/* Appends text, cleaned: bytes that are no UTF-8 become U+FFFD, each control character, line break and space becomes a space,
 * marks and controls of direction (U+061C, U+200B, U+200E, U+200F, U+202A-202E, U+2060, U+2066-2069, U+FEFF) are left out.
 * ERR_NOMEM, ERR_TOO_BIG. */
CHECKED enum err speech_text_clean(struct str text, struct buf *b);
bool speech_text_is_clean(struct str text);
/* Whether the character is space, and whether it is punctuation that belongs to the word before it ("." "," "?" …). */
bool speech_text_is_space(uint32_t code);
bool speech_text_is_closing(uint32_t code);
/* Whether text ends with punctuation that ends a part of a sentence: a comma, a full stop … */
bool speech_text_ends_part(struct str text);
/* Whether the first letter of text is of a script that is written from right to left. */
bool speech_text_is_right_to_left(struct str text);
/* Whether the two have the same letters and digits in the same order, without regard to case, points and punctuation. */
CHECKED enum err speech_text_same(struct str a, struct str b, bool *ret_same);
