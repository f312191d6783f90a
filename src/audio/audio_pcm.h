/* audio_pcm.h - converts the samples of a WAV to 16 bits as their bytes arrive.
 *
 *   if (pcm_init(&p, PCM_MU_LAW, 8, 1, false)) pcm_feed(&p, bytes, take, arg);
 *
 * Thread rule: one owner. */
#pragma once

#include <stdint.h>

#include "base/str.h"

enum pcm_kind { PCM_NONE, PCM_LINEAR, PCM_FLOAT, PCM_A_LAW, PCM_MU_LAW };
enum { PCM_FRAME_BYTES_MAX = 16 }; /* two channels of 64 bits */

struct pcm {
  enum pcm_kind kind;
  size_t sample_bytes;
  size_t channels;
  bool is_big_endian;
  unsigned char carry[PCM_FRAME_BYTES_MAX]; /* the first bytes of a frame that was split between two feeds */
  size_t carry_bytes;
};

/* False: samples of this kind, size or number of channels are not supported. */
bool pcm_init(struct pcm *p, enum pcm_kind kind, int bits, int channels, bool is_big_endian);
/* Calls take with complete frames, in order. */
void pcm_feed(struct pcm *p, struct str bytes, void (*take)(void *arg, const int16_t *samples, size_t frames),
              void *arg);
