/* speech_map.h - puts an engine's answer for a piece at the recording's times.
 *
 *   speech_map_answer(&answer, &place, &document);      document: segments of that piece; write it and store it
 *
 * An engine's times wander over a silence that was cut out. So a phrase (words up to a comma, full stop, question or exclamation
 * mark) belongs to the span that holds 60 % of it, and its words are clamped to that span; else each word goes to the span that
 * holds its middle. Segments that the engine made up are left out (see speech_map.c). Thread rule: pure. */
#pragma once

#include "speech/speech_engine.h"
#include "speech/speech_place.h"

/* Counts of the answer's segments. */
struct speech_mapped {
  size_t dropped; /* segments that were left out */
};

/* Fills *d, which is initialised and empty. ERR_NOMEM, ERR_TOO_BIG. */
CHECKED enum err speech_map_answer(const struct speech_answer *answer, const struct speech_place *place,
                                   struct speech_document *d, struct speech_mapped *ret_mapped);
/* Appends the prompt: the vocabulary, cleaned, at most SPEECH_PROMPT_MAX bytes. Earlier speech is not in it: with it, Whisper
 * tiny.en had three times as many words wrong, and a quarter of all sentences at wrong times. */
CHECKED enum err speech_map_prompt(struct str vocabulary, struct buf *b);

/* The language of a recording, found once. A piece with 10 s of speech settles the language of its channel; until then a channel
 * uses what the other channel found. */
struct speech_language {
  struct {
    char code[SPEECH_LANGUAGE_SIZE];
    int64_t speech_ms; /* of the piece that said so; 0: none did */
  } found[SPEECH_CHANNELS_MAX];
};
/* The language to request for a piece of a channel that holds so much speech: a code, or "auto". */
const char *speech_language_next(const struct speech_language *l, int channel, int64_t speech_ms);
/* The engine found a language in a piece that was sent with "auto". */
void speech_language_note(struct speech_language *l, int channel, int64_t speech_ms, const char *code);
/* The recording's: that of the piece with most speech; "": unknown. */
const char *speech_language_of_recording(const struct speech_language *l);
