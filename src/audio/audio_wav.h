/* audio_wav.h - parses the chunks of a RIFF/WAVE file as its bytes arrive.
 *
 *   wav_init(&w);  wav_feed(&w, bytes, on_samples, arg) …;   from the file's first byte on, after audio_sniff said AUDIO_WAV
 *
 * Thread rule: one owner. */
#pragma once

#include <stdint.h>

#include "audio/audio_pcm.h"

enum { WAV_HEAD_BYTES = 40 };

enum wav_state { WAV_RIFF, WAV_CHUNK, WAV_FORMAT, WAV_SKIP, WAV_DATA, WAV_AFTER, WAV_BAD };

struct wav {
  enum wav_state state;
  char head[WAV_HEAD_BYTES]; /* bytes of the RIFF header, a chunk's header or the format */
  size_t head_bytes;
  uint64_t left;         /* bytes left to skip, or of the format chunk */
  uint64_t before_bytes; /* bytes of chunks before the samples */
  bool has_format;
  int channels;
  int sample_rate;
  enum pcm_kind samples;  /* PCM_NONE: compressed in blocks */
  int bits;               /* per sample, if not compressed */
  int64_t frame_bytes;    /* of one sample of all channels; 0: compressed in blocks */
  int64_t bytes_a_second; /* if compressed */
  bool size_known;
  uint64_t data_size;
  uint64_t data_bytes; /* received */
};

void wav_init(struct wav *w);
/* Calls sound, which may be NULL, with the bytes of samples. */
void wav_feed(struct wav *w, struct str bytes, void (*sound)(void *arg, struct str bytes), void *arg);
bool wav_is_bad(const struct wav *w); /* malformed */
bool wav_has_samples(const struct wav *w);
int64_t wav_duration_ms(const struct wav *w);
bool wav_is_whole(const struct wav *w); /* all samples were received, or their number is not stated */
