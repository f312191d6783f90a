/* speech_spans.c - finds where a channel speaks, frame by frame.
 *
 *   QUIET --a loud frame, spans_decide--> IN SPAN --HANG frames without a loud one, spans_end--> QUIET
 *
 * Invariants
 *  (1) A frame is decided when SPANS_AROUND frames after it are known, or at the end. The ring has them, and SIDE before it.
 *  (2) The noise is the least smoothed power of the frames around: speech has such pauses within seconds.
 *  (3) A span with fewer than LOUD_LEAST loud frames is a click. It is reported as silence, and forgotten.
 *  (4) Frames are reported in order, each once. In a span that is known to be speech they are reported up to its last loud
 *      frame. */
#include "audio/speech_spans.h"

/* ENCODER_SILENCE: an MP3 begins with silence that says nothing about the noise of the line. */
enum { HANG = 30, SIDE = 10, LOUD_LEAST = 5, ENCODER_SILENCE = 15 };

/* Powers: 10^(dB / 10). */
static const double ON_POWER = 6.30957e-5;  /* -42 dBFS */
static const double OFF_POWER = 1.58489e-5; /* -48 dBFS */
static const double ON_OVER_NOISE = 3.98107, OFF_OVER_NOISE = 2.51189;

void speech_spans_init(struct speech_spans *s, const struct spans_events *events, void *arg) {
  *s = (struct speech_spans){.events = events, .arg = arg};
}

static struct spans_frame *frame_at(struct speech_spans *s, int64_t frame) {
  return &s->ring[frame % SPANS_RING];
}

/* ---- the noise (2) ---- */

static struct spans_least *least_at(struct speech_spans *s, size_t i) {
  return &s->least[(s->least_first + i) % COUNT_OF(s->least)];
}

static void least_add(struct speech_spans *s, int64_t frame, double power) {
  while (s->least_count && least_at(s, s->least_count - 1)->power >= power) s->least_count--;
  *least_at(s, s->least_count++) = (struct spans_least){frame, power};
}

static double noise_around(struct speech_spans *s, int64_t frame) {
  while (s->least_count > 1 && least_at(s, 0)->frame < frame - SPANS_AROUND) {
    s->least_first = (s->least_first + 1) % COUNT_OF(s->least);
    s->least_count--;
  }
  return least_at(s, 0)->power;
}

/* ---- spans ---- */

static void webhooks_until(struct speech_spans *s, int64_t to, bool is_speech) {
  if (to <= s->reported) return;
  s->events->report(s->arg, s->reported, to, is_speech);
  s->reported = to;
}

static enum err spans_begin(struct speech_spans *s, int64_t frame) {
  int64_t first = frame < SIDE ? 0 : frame - SIDE;
  webhooks_until(s, frame, false);
  s->in_span = true;
  s->loud_from = frame;
  s->loud_frames = 0;
  TRY(s->events->begin(s->arg, first));
  for (int64_t i = first; i < frame; i++) TRY(s->events->add(s->arg, frame_at(s, i)));
  return OK;
}

/* next: the frame that would have been the span's next one. */
static void spans_end(struct speech_spans *s, int64_t next) {
  int64_t end = s->loud_to + SIDE < next ? s->loud_to + SIDE : next;
  bool is_speech = s->loud_frames >= LOUD_LEAST; /* (3) */
  s->events->end(s->arg, (size_t)(next - end), is_speech);
  s->in_span = false;
  webhooks_until(s, next, false);
}

static enum err spans_decide(struct speech_spans *s) {
  int64_t at = s->decided++;
  struct spans_frame *f = frame_at(s, at);
  double noise = noise_around(s, at);
  double on = noise * ON_OVER_NOISE > ON_POWER ? noise * ON_OVER_NOISE : ON_POWER;
  double off = noise * OFF_OVER_NOISE > OFF_POWER ? noise * OFF_OVER_NOISE : OFF_POWER;
  f->is_loud = f->power >= (s->in_span ? off : on);
  if (!s->in_span && !f->is_loud) {
    webhooks_until(s, at + 1, false);
    return OK;
  }
  if (!s->in_span) TRY(spans_begin(s, at));
  TRY(s->events->add(s->arg, f));
  if (f->is_loud) {
    s->loud_to = at + 1;
    s->loud_frames++;
    if (s->loud_frames >= LOUD_LEAST) webhooks_until(s, at + 1, true); /* (4) */
  }
  if (at + 1 - s->loud_to >= HANG) spans_end(s, at + 1);
  return OK;
}

enum err speech_spans_add(struct speech_spans *s, const struct spans_frame *frame) {
  int64_t at = s->added++;
  s->smooth += frame->power;
  if (at >= SPANS_SMOOTH) s->smooth -= frame_at(s, at - SPANS_SMOOTH)->power;
  if (s->smooth < 0) s->smooth = 0; /* rounding */
  *frame_at(s, at) = *frame;
  frame_at(s, at)->is_loud = false;
  if (at >= ENCODER_SILENCE) least_add(s, at, s->smooth / SPANS_SMOOTH);
  return at >= SPANS_AROUND ? spans_decide(s) : OK; /* (1) */
}

enum err speech_spans_finish(struct speech_spans *s) {
  if (s->least_count == 0) least_add(s, 0, 0);
  while (s->decided < s->added) TRY(spans_decide(s));
  if (s->in_span) spans_end(s, s->added);
  webhooks_until(s, s->added, false);
  return OK;
}
