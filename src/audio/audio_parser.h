/* audio_parser.h - what the parsers of single kinds of containers share. For audio_container.c and its parsers.
 *
 *   static void step(struct container *c, const unsigned char *head)   is called when c->head has the bytes that were wanted;
 *   it wants more of them (container_want), or skips what follows and wants the next head (container_skip), or ends the
 *   reading (c->state = CONTAINER_OVER)
 *
 * Thread rule: one owner. */
#pragma once

#include <stdint.h>

#include "audio/audio_kind.h"
#include "base/str.h"

enum { CONTAINER_HEAD_BYTES = 27 + 255 + 64 }; /* of an Ogg page: header, lengths, and the start of its first packet */

enum container_state {
  CONTAINER_HEADER, /* of the file, a frame, a page, a box or an element */
  CONTAINER_LENGTHS,
  CONTAINER_BODY,
  CONTAINER_OVER, /* the rest is not read */
};

/* Values from the boxes of an MP4. Tracks are 0 while unknown. */
struct container_boxes {
  uint64_t movie_units, movie_duration;    /* units a second, and units; a duration of 0 is unknown */
  uint64_t track, track_units;             /* of the track whose boxes are being read */
  uint64_t sound_track, sound_units;       /* of the first track with sound */
  uint64_t default_units;                  /* that a sample of the track lasts, for all fragments */
  uint64_t fragment_track, fragment_units; /* of the fragment that is being read */
  uint64_t fragments;                      /* units of the samples of all fragments of the sound track */
  uint64_t entries_left;                   /* of the run of samples that is being read */
  size_t entry_bytes;
  uint64_t table;    /* units of the samples of the sound track that are in no fragment */
  bool is_table;     /* the entries are of stts */
  uint64_t run_left; /* bytes of the run's box behind its entries */
  bool is_too_long;  /* the sum does not fit */
};

/* Values from the elements of a WebM. */
struct container_elements {
  uint64_t scale_ns; /* a unit */
  double duration;   /* units, as the file says; 0: unknown */
  uint64_t cluster;  /* time of the cluster that is being read, units */
  uint64_t block;    /* time of its last block */
};

struct container {
  enum audio_kind kind;
  enum container_state state;
  char head[CONTAINER_HEAD_BYTES]; /* what is being parsed */
  size_t head_bytes, wanted_bytes;
  uint64_t fed_bytes;      /* to container_feed */
  uint64_t end;            /* where the file's own size says that it ends; 0: unknown */
  uint64_t left;           /* bytes to skip */
  bool has_begun;          /* what begins the file was read */
  bool is_wide;            /* AMR-WB */
  bool has_media;          /* an MP4, FLAC or WebM has a box of sound, a frame or a block */
  bool is_last_block;      /* of FLAC's metadata: frames follow */
  unsigned char adts[2];   /* what the headers of all frames of the stream have in common */
  char serial[4];          /* of the Ogg stream that counts */
  uint64_t delay;          /* samples at its start that are not played */
  int channels;            /* 0: unknown */
  int64_t sample_rate;     /* units a second of `samples`; 0: unknown */
  uint64_t samples;        /* per channel, so far; of a WebM, its units */
  uint64_t samples_behind; /* what samples will be once the bytes in `left` were received */
  struct container_boxes boxes;
  struct container_elements elements;
};

/* Reads on until the head has that many bytes, at most CONTAINER_HEAD_BYTES, and then calls the parser again. */
void container_want(struct container *c, enum container_state state, size_t bytes);
/* Skips bytes behind the head, and then reads a head of next_head_bytes. */
void container_skip(struct container *c, uint64_t bytes, size_t next_head_bytes);
/* units of a part of 1 / units_a_second, as ms; -1: unknown. */
int64_t container_ms(uint64_t units, uint64_t units_a_second);
uint64_t container_big(const unsigned char *p, size_t n); /* a big-endian number of n <= 8 bytes */
