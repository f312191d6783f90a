/* twilio_sid.c - Twilio's identifiers. */
#include "provider/twilio_sid.h"

static bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool twilio_sid_is(struct str id, const char *kind) {
  if (id.n != TWILIO_SID_SIZE || id.p[0] != kind[0] || id.p[1] != kind[1]) return false;
  for (size_t i = 2; i < TWILIO_SID_SIZE; i++)
    if (!is_hex(id.p[i])) return false;
  return true;
}

bool twilio_sid_is_call(struct str id) {
  return twilio_sid_is(id, "CA");
}

bool twilio_sid_is_recording(struct str id) {
  return twilio_sid_is(id, "RE");
}

bool twilio_sid_is_account(struct str id) {
  return twilio_sid_is(id, "AC");
}

bool twilio_sid_is_conference(struct str id) {
  return twilio_sid_is(id, "CF");
}
