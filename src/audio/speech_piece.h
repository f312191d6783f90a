/* speech_piece.h - a piece of a recording that a recogniser can take. speech_pieces.h makes them.
 * Thread rule: as the owner of the speech_pieces that made it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
  SPEECH_PIECES_RATE = 16000, /* samples a second */
  SPEECH_PIECES_MAX_MS = 28 * 1000,
  SPEECH_PIECES_SPANS = 64, /* of a piece, at most */
  SPEECH_PIECES_CHANNELS = 2,
  SPEECH_PIECES_LEAST_MS = 500, /* of speech in a recording, over all channels; less is no speech */
};

/* Speech that was cut out as a whole: from piece_start_ms on in the piece, from start_ms to end_ms in the recording. */
struct speech_span {
  int64_t piece_start_ms, start_ms, end_ms;
};

struct speech_piece {
  int channel;            /* from 0 */
  int index;              /* of the channel's pieces, from 0; the same recording gives the same pieces each time */
  const int16_t *samples; /* valid during the callback */
  size_t count;
  int64_t speech_ms; /* loud frames in it */
  struct speech_span spans[SPEECH_PIECES_SPANS];
  size_t span_count;
};
