/* speech_spans.h - finds where a channel speaks, frame by frame.
 *
 *   speech_spans_init(&s, &events, arg);   speech_spans_add(&s, &frame) …;   speech_spans_finish(&s);
 *
 * A span begins 0.2 s before its first loud frame and ends 0.2 s after its last one; 0.6 s without one end it. Loud is what is
 * over -42 dBFS, and within a span over -48 dBFS, but never within 6 dB (4 dB) of the noise around it, 4 s before to 4 s after.
 * For speech_pieces.c. Thread rule: one owner. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "audio/speech_piece.h"
#include "base/err.h"

enum {
  SPANS_FRAME_SAMPLES = SPEECH_PIECES_RATE / 50, /* 20 ms */
  SPANS_FRAME_MS = 20,
  SPANS_AROUND = 200, /* frames before and after that tell the noise */
  SPANS_RING = 256,   /* frames that are kept: SPANS_AROUND, and what a span adds at its start */
  SPANS_SMOOTH = 5,   /* frames */
};

struct spans_frame {
  int16_t samples[SPANS_FRAME_SAMPLES];
  double power;  /* mean square, without the mean; full scale is 1 */
  bool is_loud;  /* set by speech_spans.c, once it is within a span */
  bool is_alike; /* the other channel has the same sound */
};

struct spans_events {
  /* A span begins with that frame of the recording. */
  enum err (*begin)(void *arg, int64_t frame);
  enum err (*add)(void *arg, const struct spans_frame *frame); /* the next frame of the span */
  /* The span ended `drop` frames ago. is_speech false: it was too short a noise, and is to be forgotten. */
  void (*end)(void *arg, size_t drop, bool is_speech);
  /* Frames from .. up to before `to` hold speech or not. Every frame is reported once, in order. */
  void (*report)(void *arg, int64_t from, int64_t to, bool is_speech);
};

struct spans_least { /* of the smoothed powers of frames from `frame` on */
  int64_t frame;
  double power;
};

struct speech_spans {
  const struct spans_events *events;
  void *arg;
  int64_t added;              /* frames */
  int64_t decided;            /* the next frame to decide about */
  int64_t reported;           /* frames about which `report` was called */
  int64_t loud_from, loud_to; /* of the span: first loud frame, and behind its last one */
  size_t loud_frames;
  bool in_span;
  double smooth;                                  /* sum of the last SPANS_SMOOTH powers */
  struct spans_least least[2 * SPANS_AROUND + 2]; /* a queue: frames and powers ascend */
  size_t least_first, least_count;
  struct spans_frame ring[SPANS_RING];
};

void speech_spans_init(struct speech_spans *s, const struct spans_events *events, void *arg);
/* Returns what an event returned. */
CHECKED enum err speech_spans_add(struct speech_spans *s, const struct spans_frame *frame);
CHECKED enum err speech_spans_finish(struct speech_spans *s);
