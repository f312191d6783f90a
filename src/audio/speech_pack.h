/* speech_pack.h - packs the spans of a channel into pieces.
 *
 *   speech_pack_init(&k, channel, on_piece, arg);
 *   speech_pack_begin, speech_pack_add …, speech_pack_end for each span;   speech_pack_flush(&k);
 *
 * For speech_pieces.c. Thread rule: one owner. */
#pragma once

#include "audio/speech_spans.h"

enum { PACK_FRAMES = SPEECH_PIECES_MAX_MS / SPANS_FRAME_MS };

struct pack_span {
  size_t first, count; /* frames in the piece */
  int64_t start;       /* frame of the recording */
};

struct speech_pack {
  enum err (*on_piece)(void *arg, const struct speech_piece *piece);
  void *arg;
  int channel;
  int pieces, pieces_alike; /* given, and left out because the other channel has the same sound */
  size_t frames;            /* in the piece, with those of the span that is open */
  size_t span_count;        /* complete ones */
  struct pack_span open;    /* the span that is open */
  struct pack_span spans[SPEECH_PIECES_SPANS];
  double power[PACK_FRAMES]; /* of each frame */
  bool is_loud[PACK_FRAMES], is_alike[PACK_FRAMES];
  int16_t samples[PACK_FRAMES * SPANS_FRAME_SAMPLES];
  struct speech_piece piece; /* for on_piece */
};

void speech_pack_init(struct speech_pack *k, int channel,
                      enum err (*on_piece)(void *arg, const struct speech_piece *piece), void *arg);
/* As the events of struct spans_events; these return what on_piece returned. */
CHECKED enum err speech_pack_begin(struct speech_pack *k, int64_t frame);
CHECKED enum err speech_pack_add(struct speech_pack *k, const struct spans_frame *frame);
void speech_pack_end(struct speech_pack *k, size_t drop, bool is_speech);
CHECKED enum err speech_pack_flush(struct speech_pack *k); /* gives what is there */
