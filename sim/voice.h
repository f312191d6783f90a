/* voice.h - phrases that people say, as samples and as MP3 frames.
 *
 * Telephone quality: 8 kHz, 16 bit; MP3 of 32 kbit/s without a bit reservoir, so that frames of different phrases can stand
 * side by side: a conversation of any length is put together from them without encoding anything again.
 * Thread rule: any thread after voice_new. */
#pragma once

#include <stdint.h>

#include "base/str.h"

enum {
  VOICE_RATE = 8000,
  VOICE_FRAME_SAMPLES = 576,
  VOICE_FRAME_BYTES = 288,
  VOICE_DELAY_SAMPLES = 1105, /* of encoder and decoder together */
};

/* How a phrase is encoded: alone, or as one side of a conversation. */
enum voice_side { VOICE_MONO, VOICE_LEFT, VOICE_RIGHT, VOICE_SIDES };

struct voice;
/* Phrases from the *.wav files of a directory (8 kHz, 16 bit, mono; others are passed over); where there are none, phrases
 * of a made-up tongue: see voice_is_real. */
CHECKED enum err voice_new(const char *directory, struct voice **ret_voice);
struct voice *voice_free(struct voice *v);
bool voice_is_real(const struct voice *v);

size_t voice_count(const struct voice *v);
/* The samples of phrase i. */
const int16_t *voice_samples(const struct voice *v, size_t i, size_t *ret_count);
/* How many frames phrase i takes, its tail included. */
size_t voice_frame_count(const struct voice *v, size_t i);
/* Those frames, voice_frame_count of them; encoded at the first call. NULL when out of memory. */
const uint8_t *voice_frames(struct voice *v, size_t i, enum voice_side side);
/* One frame in which nobody speaks; of two channels, or of one. */
const uint8_t *voice_silence(const struct voice *v, unsigned channels);
