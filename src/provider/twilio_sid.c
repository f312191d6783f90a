/* twilio_sid.c - Twilio's identifiers. */
#include "provider/twilio_sid.h"

static const bool hex[256] = {['0' ... '9'] = true, ['a' ... 'f'] = true, ['A' ... 'F'] = true};

bool twilio_sid_is(struct str id, const char *kind) {
  if (id.n != TWILIO_SID_SIZE || id.p[0] != kind[0] || id.p[1] != kind[1]) return false;
  unsigned all = true;
  for (size_t i = 2; i < TWILIO_SID_SIZE; i++) all &= hex[(unsigned char)id.p[i]];
  return all;
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
