/* twilio_delivery.h - what Twilio's words mean, for webhooks and lists alike.
 * Thread rule: pure. */
#pragma once

#include "base/buf.h"
#include "domain/delivery.h"
#include "provider/provider.h"

/* Appends a field. Nothing for an empty value; ERR_TOO_BIG past DELIVERY_FIELDS_MAX. */
CHECKED enum err twilio_part_add(struct delivery_part *part, const char *name, struct str value);

/* Where a status stands in Twilio's list. An unknown one of a call comes after the known ones and is not terminal, for
 * the list is open; one of a recording is ERR_INVALID. */
void twilio_call_rank(struct str status, struct delivery_rank *rank);
CHECKED enum err twilio_recording_rank(struct str status, struct delivery_rank *rank);
/* "inbound" or "outbound", as seen from the business. */
struct str twilio_direction(struct str provider_direction);

enum twilio_verdict {
  TWILIO_KEEP, /* *ret_text is set */
  TWILIO_DROP, /* says nothing */
  TWILIO_BAD,
};

/* Values as callreel writes them. Texts that are made are appended to storage, which has room already. */
enum twilio_verdict twilio_call_duration(struct str value, struct buf *storage, struct str *ret_text);
enum twilio_verdict twilio_recording_duration(struct str value, struct buf *storage, struct str *ret_text);
enum twilio_verdict twilio_channels(struct str value, struct buf *storage, struct str *ret_text);
enum twilio_verdict twilio_error_code(struct str value, struct buf *storage, struct str *ret_text);
/* RFC 2822 or RFC 3339, into UNIX milliseconds. */
enum twilio_verdict twilio_time(struct str value, struct buf *storage, struct str *ret_text);
