/* speech_pieces.c - passes a recording through decoding, resampling, finding spans and packing pieces.
 *
 *   bytes -> audio.c -> pieces_take (any rate) -> soxr -> pieces_add (16 kHz) -> frames of each channel -> speech_spans ->
 *   speech_pack -> on_piece
 *
 * Invariants
 *  (1) Both channels have the same number of frames. speech_spans reports each frame within SPANS_AROUND and HANG frames, so the
 *      timeline needs no more than TIMELINE frames.
 *  (2) error is the first failure. Nothing is done after it.
 *  (3) No piece is given before LEAST_MS of speech were heard: a piece that is full has more. */
#include "audio/speech_pieces.h"

#include <soxr.h>
#include <stdlib.h>
#include <string.h>

#include "audio/audio.h"
#include "audio/speech_pack.h"

enum { TIMELINE = 1024, OUT_FRAMES = 4096, RATE_MIN = 4000, RATE_MAX = 192000, REPORTED = 1, SPEAKING = 2 };

struct pieces_channel {
  struct speech_spans spans;
  struct speech_pack pack;
  uint8_t timeline[TIMELINE]; /* by frame: REPORTED: it was reported; SPEAKING */
  int64_t speech_frames;
};

struct speech_pieces {
  struct speech_pieces_config config;
  enum err error; /* (2) */
  struct audio *audio;
  soxr_t soxr; /* NULL: the recording has SPEECH_PIECES_RATE */
  int rate;    /* of the recording; 0: no sample came yet */
  int channels;
  int64_t decoded; /* samples a channel */
  int16_t frame[SPANS_FRAME_SAMPLES * SPEECH_PIECES_CHANNELS];
  size_t frame_samples; /* a channel, of the frame that is not complete */
  int64_t summed;       /* frames of the timeline that were added up */
  int64_t silence_frames, overlap_frames;
  struct pieces_channel channel[SPEECH_PIECES_CHANNELS];
};

/* ---- talk, silence, overlap (1) ---- */

static bool was_told(const struct speech_pieces *p, size_t at) {
  for (int c = 0; c < p->channels; c++) {
    if (!(p->channel[c].timeline[at] & REPORTED)) return false;
  }
  return true;
}

static void add_up(struct speech_pieces *p) {
  for (size_t at; was_told(p, at = (size_t)(p->summed % TIMELINE)); p->summed++) {
    int speaking = 0;
    for (int c = 0; c < p->channels; c++) {
      bool speaks = p->channel[c].timeline[at] & SPEAKING;
      p->channel[c].speech_frames += speaks;
      speaking += speaks;
      p->channel[c].timeline[at] = 0;
    }
    p->silence_frames += speaking == 0;
    p->overlap_frames += speaking > 1;
  }
}

static void channel_report(void *arg, int64_t from, int64_t to, bool is_speech) {
  struct pieces_channel *c = arg;
  for (int64_t i = from; i < to; i++) c->timeline[i % TIMELINE] = is_speech ? REPORTED | SPEAKING : REPORTED;
}

/* ---- spans to pieces ---- */

static enum err channel_begin(void *arg, int64_t frame) {
  struct pieces_channel *c = arg;
  return speech_pack_begin(&c->pack, frame);
}

static enum err channel_add(void *arg, const struct spans_frame *frame) {
  struct pieces_channel *c = arg;
  return speech_pack_add(&c->pack, frame);
}

static void channel_end(void *arg, size_t drop, bool is_speech) {
  struct pieces_channel *c = arg;
  speech_pack_end(&c->pack, drop, is_speech);
}

static const struct spans_events EVENTS = {
    .begin = channel_begin, .add = channel_add, .end = channel_end, .report = channel_report};

/* ---- frames ---- */

static double power_of(const int16_t *samples, int step) {
  int64_t sum = 0, squares = 0;
  for (int i = 0; i < SPANS_FRAME_SAMPLES; i++) {
    int64_t v = samples[i * step];
    sum += v;
    squares += v * v;
  }
  double mean = (double)sum / SPANS_FRAME_SAMPLES, square = (double)squares / SPANS_FRAME_SAMPLES - mean * mean;
  return square > 0 ? square / (32768.0 * 32768.0) : 0;
}

/* Whether two channels have the same sound, if one may be louder by up to 12 dB. */
static bool is_alike(const int16_t *samples, double left_power, double right_power) {
  int64_t products = 0;
  for (size_t i = 0; i < 2 * SPANS_FRAME_SAMPLES; i += 2) products += (int64_t)samples[i] * samples[i + 1];
  double both = (double)products / SPANS_FRAME_SAMPLES / (32768.0 * 32768.0);
  bool is_close = left_power < 16 * right_power && right_power < 16 * left_power;
  return is_close && both > 0 && both * both >= 0.9 * left_power * right_power;
}

static enum err frame_complete(struct speech_pieces *p) {
  double power[SPEECH_PIECES_CHANNELS] = {0};
  p->frame_samples = 0;
  for (int c = 0; c < p->channels; c++) power[c] = power_of(p->frame + c, p->channels);
  bool alike = p->channels == 2 && is_alike(p->frame, power[0], power[1]);
  for (int c = 0; c < p->channels; c++) {
    struct spans_frame f = {.power = power[c], .is_alike = alike};
    for (int i = 0; i < SPANS_FRAME_SAMPLES; i++) f.samples[i] = p->frame[i * p->channels + c];
    TRY(speech_spans_add(&p->channel[c].spans, &f));
  }
  add_up(p);
  return OK;
}

/* Samples of 16 kHz. */
static enum err pieces_add(struct speech_pieces *p, const int16_t *samples, size_t count) {
  size_t channels = (size_t)p->channels;
  while (count > 0) {
    size_t room = SPANS_FRAME_SAMPLES - p->frame_samples, n = count < room ? count : room;
    memcpy(p->frame + p->frame_samples * channels, samples, n * channels * sizeof(*samples));
    p->frame_samples += n;
    samples += n * channels;
    count -= n;
    if (p->frame_samples == SPANS_FRAME_SAMPLES) TRY(frame_complete(p));
  }
  return OK;
}

/* ---- samples ---- */

static enum err pieces_begin(struct speech_pieces *p, int rate, int channels) {
  if (channels > SPEECH_PIECES_CHANNELS || rate < RATE_MIN || rate > RATE_MAX) return ERR_UNSUPPORTED;
  p->rate = rate;
  p->channels = channels;
  if (rate == SPEECH_PIECES_RATE) return OK;
  soxr_error_t error = NULL;
  soxr_io_spec_t io = soxr_io_spec(SOXR_INT16_I, SOXR_INT16_I);
  io.flags = SOXR_NO_DITHER; /* the same recording gives the same pieces */
  soxr_quality_spec_t quality = soxr_quality_spec(SOXR_MQ, 0);
  soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
  p->soxr = soxr_create(rate, SPEECH_PIECES_RATE, (unsigned)channels, &error, &io, &quality, &runtime);
  return p->soxr ? OK : ERR_NOMEM;
}

/* samples NULL: there are no more. */
static enum err pieces_resample(struct speech_pieces *p, const int16_t *samples, size_t count) {
  int16_t out[OUT_FRAMES * SPEECH_PIECES_CHANNELS];
  size_t used, made;
  do {
    used = made = 0;
    if (soxr_process(p->soxr, samples, count, &used, out, OUT_FRAMES, &made)) return ERR_NOMEM;
    TRY(pieces_add(p, out, made));
    if (samples) samples += used * (size_t)p->channels;
    count -= used;
  } while (count > 0 || made == OUT_FRAMES);
  return OK;
}

static void pieces_take(void *arg, int rate, int channels, const int16_t *samples, size_t frames) {
  struct speech_pieces *p = arg;
  if (p->error == OK && p->rate == 0) p->error = pieces_begin(p, rate, channels);
  if (p->error != OK) return; /* (2) */
  p->decoded += (int64_t)frames;
  p->error = p->soxr ? pieces_resample(p, samples, frames) : pieces_add(p, samples, frames);
}

/* ---- the whole ---- */

static enum err pieces_on_piece(void *arg, const struct speech_piece *piece) {
  const struct speech_pieces *p = arg;
  return p->config.on_piece(p->config.arg, piece);
}

enum err speech_pieces_new(const struct speech_pieces_config *config, struct speech_pieces **ret_pieces) {
  struct speech_pieces *p = calloc(1, sizeof(*p));
  if (!p) return ERR_NOMEM;
  p->config = *config;
  enum err e = audio_new(&p->audio);
  if (e != OK) {
    speech_pieces_free(p);
    return e;
  }
  audio_set_take(p->audio, pieces_take, p);
  for (int c = 0; c < SPEECH_PIECES_CHANNELS; c++) {
    speech_spans_init(&p->channel[c].spans, &EVENTS, &p->channel[c]);
    speech_pack_init(&p->channel[c].pack, c, pieces_on_piece, p);
  }
  *ret_pieces = p;
  return OK;
}

struct speech_pieces *speech_pieces_free(struct speech_pieces *p) {
  if (!p) return NULL;
  audio_free(p->audio);
  if (p->soxr) soxr_delete(p->soxr);
  free(p);
  return NULL;
}

enum err speech_pieces_feed(struct speech_pieces *p, struct str bytes) {
  if (p->error == OK) {
    enum err e = audio_feed(p->audio, bytes);
    if (p->error == OK) p->error = e;
  }
  if (p->error != OK) return p->error;
  if (audio_verdict(p->audio) == AUDIO_NO) return ERR_CORRUPT;
  enum audio_kind kind = audio_kind(p->audio);
  return kind == AUDIO_NONE || kind == AUDIO_MP3 || kind == AUDIO_WAV ? OK : ERR_UNSUPPORTED;
}

static enum err pieces_end_frames(struct speech_pieces *p) {
  if (p->soxr) TRY(pieces_resample(p, NULL, 0));
  if (p->frame_samples > 0) {
    size_t n = p->frame_samples * (size_t)p->channels;
    memset(p->frame + n, 0, sizeof(p->frame) - n * sizeof(p->frame[0]));
    TRY(frame_complete(p));
  }
  for (int c = 0; c < p->channels; c++) TRY(speech_spans_finish(&p->channel[c].spans));
  add_up(p);
  return OK;
}

static enum err pieces_end(struct speech_pieces *p, struct speech_summary *s) {
  TRY(pieces_end_frames(p));
  int64_t speech = p->channel[0].speech_frames + p->channel[1].speech_frames;
  s->has_speech = speech * SPANS_FRAME_MS >= SPEECH_PIECES_LEAST_MS;
  for (int c = 0; s->has_speech && c < p->channels; c++) TRY(speech_pack_flush(&p->channel[c].pack)); /* (3) */
  s->channels = p->channels;
  s->decoded_ms = p->decoded * 1000 / p->rate;
  s->pieces = p->channel[0].pack.pieces + p->channel[1].pack.pieces;
  s->channels_alike = p->channel[1].pack.pieces_alike > 0 && p->channel[1].pack.pieces == 0;
  int64_t silence = p->silence_frames, overlap = p->overlap_frames;
  if (s->channels_alike) overlap = 0;
  for (int c = 0; c < p->channels; c++) s->speech_ms[c] = p->channel[c].speech_frames * SPANS_FRAME_MS;
  if (s->channels_alike) s->speech_ms[1] = 0;
  s->silence_ms = silence * SPANS_FRAME_MS;
  s->overlap_ms = overlap * SPANS_FRAME_MS;
  return OK;
}

enum err speech_pieces_finish(struct speech_pieces *p, struct speech_summary *ret_summary) {
  struct audio_info info;
  struct speech_summary s = {0};
  if (p->error != OK) return p->error;
  audio_finish(p->audio, &info); /* decodes the last frames */
  if (p->error != OK) return p->error;
  if (info.kind == AUDIO_NONE) return ERR_CORRUPT;
  if (p->rate == 0) return ERR_UNSUPPORTED; /* nothing was decoded */
  s.duration_ms = info.duration_ms;
  TRY(pieces_end(p, &s));
  *ret_summary = s;
  return OK;
}
