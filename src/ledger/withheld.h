/* withheld.h - recognises the words and numbers that the provider writes where the caller withheld the number.
 *
 * Thread rule: pure. */
#pragma once

#include "base/str.h"

/* The digits on whose keys the letters of such a word stand, as +266696687 for ANONYMOUS; for SQL's `in (…)`. */
#define WITHHELD_NUMBERS "'+266696687', '+7378742833', '+2562533', '+8656696', '+86282452253', '+7748283'"

/* True for such a word, also as the user of an address ("sip:anonymous@…"), and for those numbers. */
bool withheld_number(struct str number);
