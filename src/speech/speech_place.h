/* speech_place.h - where a piece was in the recording. For speech_map.h. Thread rule: one owner. */
#pragma once

#include "audio/speech_piece.h"
#include "base/str.h"

struct speech_place {
  int channel; /* from 0 */
  int64_t piece_ms;
  const struct speech_span *spans;
  size_t span_count;
  struct str prompt; /* that was sent: an answer that only repeats it is dropped */
};
