/* audio_pcm.h - samples of a WAV as 16 bits, from its bytes as they pass. One owner.
 *
 *   if (pcm_init(&p, PCM_MU_LAW, 8, 1)) pcm_feed(&p, bytes, take, arg); */
#pragma once

#include <stdint.h>

#include "base/str.h"

enum pcm_kind { PCM_NONE, PCM_LINEAR, PCM_FLOAT, PCM_A_LAW, PCM_MU_LAW };
enum { PCM_FRAME_BYTES_MAX = 16 }; /* two channels of 64 bits */

struct pcm {
  enum pcm_kind kind;
  size_t sample_bytes;
  size_t channels;
  unsigned char carry[PCM_FRAME_BYTES_MAX]; /* of a frame that was cut */
  size_t carry_bytes;
};

/* False: such samples are not understood here. */
bool pcm_init(struct pcm *p, enum pcm_kind kind, int bits, int channels);
/* Calls take with whole frames, in order. */
void pcm_feed(struct pcm *p, struct str bytes, void (*take)(void *arg, const int16_t *samples, size_t frames),
              void *arg);
