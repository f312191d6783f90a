/* audio_wav.h - the chunks of a RIFF/WAVE file, walked as they pass. One owner.
 *
 *   wav_init(&w);  wav_feed(&w, bytes) …;   from the file's first byte on, which audio_sniff has judged */
#pragma once

#include <stdint.h>

#include "audio/audio_pcm.h"

enum { WAV_HEAD_BYTES = 40 };

enum wav_state { WAV_RIFF, WAV_CHUNK, WAV_FORMAT, WAV_SKIP, WAV_DATA, WAV_AFTER, WAV_BAD };

struct wav {
  enum wav_state state;
  char head[WAV_HEAD_BYTES]; /* of the RIFF header, a chunk's header or the format */
  size_t head_bytes;
  uint64_t left;         /* bytes to skip, of the format chunk's rest too */
  uint64_t before_bytes; /* of chunks before the samples */
  bool has_format;
  int channels;
  int sample_rate;
  enum pcm_kind samples;  /* NONE: compressed in blocks */
  int bits;               /* of a sample, where they are not compressed */
  int64_t frame_bytes;    /* of one sample of all channels; 0: compressed in blocks */
  int64_t bytes_a_second; /* of the compressed */
  bool size_known;
  uint64_t data_size;
  uint64_t data_bytes; /* seen */
};

void wav_init(struct wav *w);
/* sound (may be NULL) is called with the bytes of samples, as they pass. */
void wav_feed(struct wav *w, struct str bytes, void (*sound)(void *arg, struct str bytes), void *arg);
bool wav_is_bad(const struct wav *w); /* no WAV after all */
bool wav_has_samples(const struct wav *w);
int64_t wav_duration_ms(const struct wav *w);
bool wav_is_whole(const struct wav *w); /* its samples are all here, or it does not say how many there are */
