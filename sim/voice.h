/* voice.h - spoken phrases, as samples and as MP3 frames.
 *
 * Telephone quality: 8 kHz, 16 bit. The MP3 has 32 kbit/s and no bit reservoir, so frames of different phrases can follow each
 * other: audio of any length is put together without encoding again.
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

/* How a phrase is encoded: mono, or as one channel of two. */
enum voice_side { VOICE_MONO, VOICE_LEFT, VOICE_RIGHT, VOICE_SIDES };

struct voice;
/* Loads phrases from the *.wav files of a directory (8 kHz, 16 bit, mono; skips others). If there is none, generates tones
 * instead: see voice_is_real. */
CHECKED enum err voice_new(const char *directory, struct voice **ret_voice);
struct voice *voice_free(struct voice *v);
bool voice_is_real(const struct voice *v);

size_t voice_count(const struct voice *v);
/* The samples of phrase i. */
const int16_t *voice_samples(const struct voice *v, size_t i, size_t *ret_count);
/* The number of frames of phrase i, with its tail. */
size_t voice_frame_count(const struct voice *v, size_t i);
/* The voice_frame_count frames of phrase i; encoded at the first call. NULL: out of memory. */
const uint8_t *voice_frames(struct voice *v, size_t i, enum voice_side side);
/* One silent frame of two channels or of one. */
const uint8_t *voice_silence(const struct voice *v, unsigned channels);
