/* speech_filter.h - finds the phrases of an answer that the engine made up. For speech_map.c and speech_openai.c.
 * Thread rule: pure. */
#pragma once

#include "speech/speech_engine.h"
#include "speech/speech_place.h"

/* Sets is_made_up[i] for each phrase of the answer. ERR_NOMEM. */
CHECKED enum err speech_filter(const struct speech_answer *answer, const struct speech_place *place, bool *is_made_up);
/* Whether all of the text stands in brackets, or is music: "[BLANK_AUDIO]", "(music)", "*laughs*", "♪ … ♪". */
bool speech_filter_is_marker(struct str text);
/* Whether the engine is unsure both of the language that it found and of its words: then it heard no speech. */
bool speech_filter_is_guess(const struct speech_answer *answer);
