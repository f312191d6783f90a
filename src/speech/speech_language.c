/* speech_language.c - the language of a recording, found once.
 *
 * Invariant
 *  (1) The language that a piece with SETTLING_MS of speech gave is final for its channel. That of a shorter piece counts only
 *      until a piece with more speech gives another one. */
#include "speech/speech_map.h"

enum { SETTLING_MS = 10 * 1000 };

static int language_longest(const struct speech_language *l) {
  int found = 0;
  for (int c = 1; c < SPEECH_CHANNELS_MAX; c++) {
    if (l->found[c].speech_ms > l->found[found].speech_ms) found = c;
  }
  return found;
}

const char *speech_language_next(const struct speech_language *l, int channel, int64_t speech_ms) {
  int best = language_longest(l);
  if (channel < 0 || channel >= SPEECH_CHANNELS_MAX) return "auto";
  if (l->found[channel].speech_ms >= SETTLING_MS) return l->found[channel].code;
  if (speech_ms >= SETTLING_MS || l->found[best].speech_ms < speech_ms) return "auto";
  return l->found[best].code;
}

void speech_language_note(struct speech_language *l, int channel, int64_t speech_ms, const char *code) {
  struct str text = str_from(code);
  if (channel < 0 || channel >= SPEECH_CHANNELS_MAX || text.n == 0 || text.n >= SPEECH_LANGUAGE_SIZE) return;
  if (l->found[channel].speech_ms >= SETTLING_MS || l->found[channel].speech_ms >= speech_ms) return; /* (1) */
  memcpy(l->found[channel].code, text.p, text.n);
  l->found[channel].code[text.n] = '\0';
  l->found[channel].speech_ms = speech_ms;
}

const char *speech_language_of_recording(const struct speech_language *l) {
  return l->found[language_longest(l)].code;
}
