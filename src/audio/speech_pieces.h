/* speech_pieces.h - cuts the speech out of a recording, in pieces that a recogniser can take, as the recording's bytes come.
 *
 *   speech_pieces_new(&config, &p);
 *   speech_pieces_feed(p, bytes) …;   speech_pieces_finish(p, &summary);   speech_pieces_free(p);
 *
 * Each channel is heard apart, as 16 kHz. Speech is what is louder than the channel's own noise. A piece has speech of one
 * channel: spans with 0.3 s of silence between them, at most 28 s, and a table of where each span was. Memory does not depend on
 * the recording's length. Thread rule: one owner. */
#pragma once

#include "audio/speech_piece.h"
#include "base/str.h"

struct speech_summary {
  int channels;
  int64_t duration_ms;                       /* as audio.h says; -1: unknown */
  int64_t decoded_ms;                        /* less than the duration: the rest is damaged */
  int64_t speech_ms[SPEECH_PIECES_CHANNELS]; /* in the spans, without what was added at their sides */
  int64_t silence_ms, overlap_ms;            /* no channel speaks, both do */
  int pieces;                                /* of all channels */
  bool channels_alike;                       /* both have the same sound: only the first was cut into pieces */
  bool has_speech;                           /* SPEECH_PIECES_LEAST_MS and more; else there was no piece */
};

struct speech_pieces_config {
  void *arg;
  /* A piece is complete. Pieces of both channels come as they fill up. Any value but OK ends the pass: speech_pieces_feed or
   * speech_pieces_finish returns it. */
  enum err (*on_piece)(void *arg, const struct speech_piece *piece);
};

struct speech_pieces;

CHECKED enum err speech_pieces_new(const struct speech_pieces_config *config, struct speech_pieces **ret_pieces);
struct speech_pieces *speech_pieces_free(struct speech_pieces *p); /* NULL is allowed; always NULL */
/* ERR_UNSUPPORTED: a kind of audio that is not decoded, or more than two channels. ERR_CORRUPT: no audio. ERR_NOMEM; what
 * on_piece returned. After an error only speech_pieces_free may be called. */
CHECKED enum err speech_pieces_feed(struct speech_pieces *p, struct str bytes);
/* No bytes follow: gives the last pieces. The same errors. */
CHECKED enum err speech_pieces_finish(struct speech_pieces *p, struct speech_summary *ret_summary);
