/* fold.h - text as a search compares it: without case, accents, apostrophes, hyphens, vowel points and direction marks, with
 * digits in ASCII. "O’Neill" becomes "oneill", "Müller" "muller", "Straße" "strasse", "בֶּן־גּוּרִיוֹן" "בןגוריון".
 *
 *   TRY(fold_text(name, FOLD_JOIN, &folded));
 *
 * Thread rule: pure. */
#pragma once

#include "base/buf.h"

/* How a hyphen between words is folded. */
enum fold_hyphens { FOLD_JOIN, FOLD_SPLIT }; /* nothing; a space */

/* Appends text to b, folded: never longer than twice the text. Bytes that are no UTF-8 are left out. */
CHECKED enum err fold_text(struct str text, enum fold_hyphens hyphens, struct buf *b);
/* Whether the character is folded to a space or to nothing, as a hyphen is. */
bool fold_is_space_or_left_out(uint32_t code);
/* The digit, of any common script, that the character is; -1: none. */
int fold_digit(uint32_t code);
