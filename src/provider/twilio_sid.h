/* twilio_sid.h - Twilio's identifiers: two capitals that name the kind, and 32 hexadecimal digits.
 * Thread rule: pure. */
#pragma once

#include "base/str.h"

enum { TWILIO_SID_SIZE = 34 };

/* kind: "CA", "RE", "AC", "CF", "SK" … */
bool twilio_sid_is(struct str id, const char *kind);
bool twilio_sid_is_call(struct str id);
bool twilio_sid_is_recording(struct str id);
bool twilio_sid_is_account(struct str id);
bool twilio_sid_is_conference(struct str id);
