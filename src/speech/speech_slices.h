/* speech_slices.h - cuts JSON into the members of an object or the elements of an array, so that each can be loaded by itself: a
 * whole document of three hours takes ten times its size while it is loaded.
 *
 *   struct speech_slices s;   TRY(speech_slices_begin(text, '{', &s));
 *   while (speech_slices_next(&s, &key, &value)) …   TRY(s.error);
 *
 * The text between the slices is checked; a slice itself is not: give it to a JSON parser. Thread rule: pure. */
#pragma once

#include "base/str.h"

struct speech_slices {
  struct str text;
  size_t at;
  char close;     /* '}' or ']' */
  bool has_begun; /* a slice was returned */
  enum err error; /* ERR_INVALID: the text is no such value */
};

/* open: '{' or '['. ERR_INVALID: the text does not begin with it. */
CHECKED enum err speech_slices_begin(struct str text, char open, struct speech_slices *ret_slices);
/* False at the end, or with s->error. key: with its quotes; empty in an array. */
bool speech_slices_next(struct speech_slices *s, struct str *ret_key, struct str *ret_value);
