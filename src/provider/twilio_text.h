/* twilio_text.h - makes UTF-8 and JSON of any bytes, so that nothing essential is lost for a broken text beside it.
 *
 *   TRY(twilio_text_repair(bytes, &storage, &text));   TRY(twilio_json_repair(body, &storage, &json));
 *
 * Thread rule: pure. */
#pragma once

#include "base/buf.h"

/* The most bytes that one byte becomes. */
enum { TWILIO_TEXT_GROWTH = 3 };

/* s itself if it is UTF-8 without NUL, else a copy at the end of storage, without NUL and with U+FFFD for what is no UTF-8. s may
 * be a view of storage, whose room must have been reserved. ERR_NOMEM, ERR_TOO_BIG. */
CHECKED enum err twilio_text_repair(struct str s, struct buf *storage, struct str *ret_text);
/* Appends the JSON text s to an empty b with U+FFFD for what a string can't hold: bytes that are no UTF-8, control characters,
 * halves of surrogate pairs. ERR_NOMEM, ERR_TOO_BIG. */
CHECKED enum err twilio_json_repair(struct str s, struct buf *b);
