/* speech_pack.c - packs the spans of a channel into pieces.
 *
 * Invariants
 *  (1) Complete spans, with PAUSE frames of silence between, are the first frames of the piece; those of the open span are the
 *      last.
 *  (2) A piece that is full is cut within the open span: in its last pause of CUT_PAUSE frames and more, if PART_LEAST frames
 *      of the span come before it; else before the span. If that span is the only one and has no such pause, it is cut at its
 *      quietest frame in the second half. At least REST_LEAST frames remain, so that they are worth a piece. An engine of
 *      Whisper's kind takes as long for a piece that is half full, so room that is left costs as much as speech.
 *  (3) A piece of the second channel is left out if nearly all that is loud in it is the first channel's sound. */
#include "audio/speech_pack.h"

#include <string.h>

enum {
  PAUSE = 300 / SPANS_FRAME_MS,
  REST_LEAST = 1000 / SPANS_FRAME_MS,
  PART_LEAST = 2000 / SPANS_FRAME_MS,
  CUT_PAUSE = 240 / SPANS_FRAME_MS,
  ALIKE_OF_10 = 9
};

void speech_pack_init(struct speech_pack *k, int channel,
                      enum err (*on_piece)(void *arg, const struct speech_piece *piece), void *arg) {
  *k = (struct speech_pack){.channel = channel, .on_piece = on_piece, .arg = arg};
}

/* ---- giving pieces ---- */

static size_t count_frames(const bool *flags, const bool *also, size_t count) {
  size_t n = 0;
  for (size_t i = 0; i < count; i++) n += flags[i] && (!also || also[i]);
  return n;
}

/* The first `frames` frames are a piece with all complete spans. */
static enum err pack_give(struct speech_pack *k, size_t frames) {
  size_t loud = count_frames(k->is_loud, NULL, frames), alike = count_frames(k->is_loud, k->is_alike, frames);
  size_t spans = k->span_count;
  k->span_count = 0;
  if (spans == 0) return OK;
  if (k->channel > 0 && alike * 10 >= loud * ALIKE_OF_10) { /* (3) */
    k->pieces_alike++;
    return OK;
  }
  struct speech_piece *p = &k->piece;
  p->channel = k->channel;
  p->index = k->pieces++;
  p->samples = k->samples;
  p->count = frames * SPANS_FRAME_SAMPLES;
  p->speech_ms = (int64_t)loud * SPANS_FRAME_MS;
  p->span_count = spans;
  for (size_t i = 0; i < spans; i++) {
    const struct pack_span *s = &k->spans[i];
    p->spans[i] = (struct speech_span){(int64_t)s->first * SPANS_FRAME_MS, s->start * SPANS_FRAME_MS,
                                       (s->start + (int64_t)s->count) * SPANS_FRAME_MS};
  }
  return k->on_piece(k->arg, p);
}

/* The frames from `from` on become the first ones of a new piece. */
static void pack_move(struct speech_pack *k, size_t from) {
  size_t n = k->frames - from;
  memmove(k->power, k->power + from, n * sizeof(k->power[0]));
  memmove(k->is_loud, k->is_loud + from, n * sizeof(k->is_loud[0]));
  memmove(k->is_alike, k->is_alike + from, n * sizeof(k->is_alike[0]));
  memmove(k->samples, k->samples + from * SPANS_FRAME_SAMPLES, n * SPANS_FRAME_SAMPLES * sizeof(k->samples[0]));
  k->frames = n;
}

static double power_around(const struct speech_pack *k, size_t frame) {
  double sum = 0;
  for (size_t i = frame - 2; i <= frame + 2; i++) sum += k->power[i];
  return sum;
}

static size_t quietest_frame(const struct speech_pack *k) {
  size_t found = PACK_FRAMES / 2;
  for (size_t i = found; i < PACK_FRAMES - REST_LEAST; i++) {
    if (power_around(k, i) < power_around(k, found)) found = i;
  }
  return found;
}

/* The middle of the last pause where the open span may be cut; 0: it has none. */
static size_t last_pause(const struct speech_pack *k) {
  size_t quiet = 0;
  for (size_t i = PACK_FRAMES - REST_LEAST; i-- > k->open.first + PART_LEAST;) {
    quiet = k->is_loud[i] ? 0 : quiet + 1;
    if (quiet == CUT_PAUSE) return i + CUT_PAUSE / 2;
  }
  return 0;
}

/* (2) */
static enum err pack_cut(struct speech_pack *k) {
  size_t at = last_pause(k);
  if (!at && k->span_count == 0) at = quietest_frame(k);
  if (at) {
    k->spans[k->span_count++] = (struct pack_span){k->open.first, at - k->open.first, k->open.start};
    TRY(pack_give(k, at));
    k->open.start += (int64_t)(at - k->open.first);
  } else {
    at = k->open.first;
    const struct pack_span *last = &k->spans[k->span_count - 1];
    TRY(pack_give(k, last->first + last->count));
  }
  pack_move(k, at);
  k->open.first = 0;
  return OK;
}

/* ---- spans ---- */

static void pack_pause(struct speech_pack *k) {
  for (size_t i = 0; i < PAUSE; i++, k->frames++) {
    k->power[k->frames] = 0;
    k->is_loud[k->frames] = k->is_alike[k->frames] = false;
    memset(k->samples + k->frames * SPANS_FRAME_SAMPLES, 0, SPANS_FRAME_SAMPLES * sizeof(k->samples[0]));
  }
}

enum err speech_pack_begin(struct speech_pack *k, int64_t frame) {
  if (k->frames + PAUSE + REST_LEAST > PACK_FRAMES || k->span_count == SPEECH_PIECES_SPANS - 1) {
    TRY(pack_give(k, k->frames));
    k->frames = 0;
  }
  if (k->span_count > 0) pack_pause(k);
  k->open = (struct pack_span){.first = k->frames, .start = frame};
  return OK;
}

enum err speech_pack_add(struct speech_pack *k, const struct spans_frame *frame) {
  if (k->frames == PACK_FRAMES) TRY(pack_cut(k));
  k->power[k->frames] = frame->power;
  k->is_loud[k->frames] = frame->is_loud;
  k->is_alike[k->frames] = frame->is_alike;
  memcpy(k->samples + k->frames * SPANS_FRAME_SAMPLES, frame->samples, sizeof(frame->samples));
  k->frames++;
  return OK;
}

void speech_pack_end(struct speech_pack *k, size_t drop, bool is_speech) {
  size_t count = k->frames - k->open.first;
  if (is_speech && count > drop) {
    k->open.count = count - drop;
    k->spans[k->span_count++] = k->open;
    k->frames -= drop;
    return;
  }
  const struct pack_span *last = k->span_count ? &k->spans[k->span_count - 1] : NULL;
  k->frames = last ? last->first + last->count : 0; /* without the pause */
}

enum err speech_pack_flush(struct speech_pack *k) {
  TRY(pack_give(k, k->frames));
  k->frames = 0;
  return OK;
}
