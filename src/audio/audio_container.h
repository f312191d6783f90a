/* audio_container.h - reads the duration of audio that is not decoded from its container or frames, as its bytes arrive.
 *
 *   container_init(&c, AUDIO_OGG);  container_feed(&c, bytes) …;  container_duration_ms(&c);   from the file's first byte on
 *
 * Thread rule: one owner. */
#pragma once

#include <stdint.h>

#include "audio/audio_kind.h"
#include "base/str.h"

enum { CONTAINER_HEAD_BYTES = 27 + 255 + 64 }; /* of an Ogg page: header, lengths, and the start of its first packet */

enum container_state {
  CONTAINER_HEADER, /* of the file, a frame, a page or a box */
  CONTAINER_LENGTHS,
  CONTAINER_BODY,
  CONTAINER_OVER, /* the rest is not read */
};

struct container {
  enum audio_kind kind;
  enum container_state state;
  char head[CONTAINER_HEAD_BYTES]; /* what is being parsed */
  size_t head_bytes, wanted_bytes;
  uint64_t left;           /* bytes to skip */
  bool has_begun;          /* what begins the file was read */
  bool is_wide;            /* AMR-WB */
  bool has_media;          /* an MP4 has a box of sound, or an Ogg stream is of a codec that is not counted */
  unsigned char adts[2];   /* what the headers of all frames of the stream have in common */
  char serial[4];          /* of the Ogg stream that counts */
  uint64_t delay;          /* samples at its start that are not played */
  int channels;            /* 0: unknown */
  int64_t sample_rate;     /* units a second of `samples`; 0: unknown */
  uint64_t samples;        /* per channel, so far */
  uint64_t samples_behind; /* what samples will be once the bytes in `left` were received */
};

/* kind: one that is neither MP3 nor WAV. */
void container_init(struct container *c, enum audio_kind kind);
void container_feed(struct container *c, struct str bytes);
int64_t container_duration_ms(const struct container *c); /* -1: unknown */
/* False if there are headers only. Whether FLAC and WebM have more is not known: always true. */
bool container_has_sound(const struct container *c);
/* False if the bytes end within a frame, page or box. */
bool container_is_whole(const struct container *c);
