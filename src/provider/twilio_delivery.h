/* twilio_delivery.h - turns Twilio's values into callreel's, for webhooks and lists.
 * Thread rule: pure. */
#pragma once

#include "base/buf.h"
#include "domain/delivery.h"
#include "provider/provider.h"

/* Appends a field. Writes a known status in Twilio's own letters, whatever their case. Cuts a value past DELIVERY_TEXT_MAX at a
 * character and appends the field's mark. Does nothing for an empty value. ERR_TOO_BIG past DELIVERY_FIELDS_MAX. */
CHECKED enum err twilio_part_add(struct delivery_part *part, const char *name, struct str value);

/* Sets the status's place in Twilio's list, whatever the case of its letters is, and whether it is terminal. A call's unknown
 * status is not terminal and ranks after the known ones, since Twilio may add some. A recording's unknown status ranks below
 * every known one, with any sequence and timestamp: its meaning is unknown. */
void twilio_call_rank(struct str status, struct delivery_rank *rank);
void twilio_recording_rank(struct str status, struct delivery_rank *rank);
/* "inbound" or "outbound", as seen from the business. */
struct str twilio_direction(struct str provider_direction);

enum twilio_verdict {
  TWILIO_KEEP, /* *ret_text is set */
  TWILIO_DROP, /* no value: the field is left out */
};

/* Values in callreel's form. New texts are appended to storage, which the caller has reserved. */
enum twilio_verdict twilio_call_duration(struct str value, struct buf *storage, struct str *ret_text);
enum twilio_verdict twilio_recording_duration(struct str value, struct buf *storage, struct str *ret_text);
enum twilio_verdict twilio_channels(struct str value, struct buf *storage, struct str *ret_text);
enum twilio_verdict twilio_error_code(struct str value, struct buf *storage, struct str *ret_text);
/* RFC 2822 or RFC 3339, into UNIX milliseconds. */
enum twilio_verdict twilio_time(struct str value, struct buf *storage, struct str *ret_text);
