/* audio_wav.h - parses the chunks of a RIFF/WAVE file as its bytes arrive.
 *
 *   wav_init(&w);  wav_feed(&w, bytes, on_samples, arg) …;   from the file's first byte on, after audio_sniff said AUDIO_WAV
 *
 * Thread rule: one owner. */
#pragma once

#include <stdint.h>

#include "audio/audio_pcm.h"

enum { WAV_HEAD_BYTES = 40 };
/* The sizes and numbers of a RIFX file are big-endian, and so are its samples. */

enum wav_state { WAV_RIFF, WAV_CHUNK, WAV_FORMAT, WAV_FACT, WAV_SIZES, WAV_SKIP, WAV_DATA, WAV_AFTER, WAV_BAD };

struct wav {
  enum wav_state state;
  char head[WAV_HEAD_BYTES]; /* bytes of the RIFF header, a chunk's header or the format */
  size_t head_bytes;
  uint64_t left; /* bytes left to skip, or of the chunk that is being read */
  bool is_big_endian;
  bool has_format;
  int channels;
  int sample_rate;
  enum pcm_kind samples; /* PCM_NONE: compressed in blocks */
  int bits;              /* that a sample takes in the file, if not compressed */
  int64_t frame_bytes;   /* of one sample of all channels, or of one block; 0: unknown */
  int64_t frame_samples; /* per channel; 1 if not compressed */
  int64_t fact_samples;  /* per channel, as the fact chunk says; 0: unknown */
  uint64_t long_size;    /* of the samples, as RF64 says; 0: unknown */
  bool size_known;
  uint64_t data_size;
  uint64_t data_bytes; /* received */
};

void wav_init(struct wav *w);
/* Calls sound, which may be NULL, with the bytes of samples. */
void wav_feed(struct wav *w, struct str bytes, void (*sound)(void *arg, struct str bytes), void *arg);
bool wav_is_bad(const struct wav *w); /* malformed */
bool wav_has_samples(const struct wav *w);
int64_t wav_duration_ms(const struct wav *w); /* -1: compressed, and nothing says how many samples there are */
bool wav_is_whole(const struct wav *w);       /* all samples were received, or their number is not stated */
