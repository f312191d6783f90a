/* audio_hidden.h - searches a tag for audio that begins in it, because the tag claims more bytes than it has.
 *
 *   hidden_init(&h);
 *   bytes = str_skip(bytes, hidden_search(&h, bytes)) …;   until h.kind is known
 *   feed the parser of that kind with hidden_head(&h), and then with the rest of the bytes
 *
 * MP3 is searched for by mp3_run_feed. Thread rule: one owner. */
#pragma once

#include <stdint.h>

#include "audio/audio_sniff.h"

enum {
  HIDDEN_ADTS_FRAMES = 8, /* so many adjacent frames of AAC are sound */
  HIDDEN_ADTS_HEADER_BYTES = 7
};

struct hidden {
  enum audio_kind kind;              /* AUDIO_NONE: nothing was found yet */
  char head[AUDIO_TAG_HEADER_BYTES]; /* the last bytes, fewer than its size; or those with which a container begins */
  size_t head_bytes;
  /* adjacent frames of AAC */
  char header[HIDDEN_ADTS_HEADER_BYTES]; /* what is here of the next one's header */
  size_t header_bytes;
  unsigned char common[2]; /* what all headers have in common */
  size_t left;             /* bytes up to the next header */
  unsigned frames;         /* headers */
  unsigned blocks;         /* in the complete frames */
};

void hidden_init(struct hidden *h);
/* Consumes bytes up to those with which the sound begins, or all, and returns how many. h->kind is AUDIO_NONE before. */
size_t hidden_search(struct hidden *h, struct str bytes);
/* The first bytes of what was found; they were consumed. Of AAC, h->blocks blocks of samples were before them. */
struct str hidden_head(const struct hidden *h);
