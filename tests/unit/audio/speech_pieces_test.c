/* Speech is cut out of recordings in pieces whose tables say where it was; noise, clicks and silence are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <lame/lame.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/speech_pieces.h"
#include "base/buf.h"
#include "../sizes.h"
#include "sound.h"

enum { PIECES_MAX = 64, BYTES_MAX = 128 << 20 };

/* A recording that is made up. */
struct tape_made {
  int rate, channels;
  size_t frames;
  int16_t *samples;
};

static struct tape_made made_new(int rate, int channels, double seconds) {
  struct tape_made m = {rate, channels, (size_t)(seconds * rate), NULL};
  m.samples = calloc(m.frames * (size_t)channels + 1, sizeof(*m.samples));
  assert_non_null(m.samples);
  return m;
}

static void made_free(struct tape_made *m) {
  free(m->samples);
}

static int16_t clamp(double v) {
  return (int16_t)(v > 32767 ? 32767 : v < -32768 ? -32768 : v);
}

/* Adds noise with syllables, five a second, that reach `amplitude`. */
static void made_talk(struct tape_made *m, int channel, double from, double to, double amplitude) {
  unsigned seed = (unsigned)(from * 1000) + (unsigned)channel + 1;
  for (size_t i = (size_t)(from * m->rate); i < (size_t)(to * m->rate) && i < m->frames; i++) {
    double t = (double)i / m->rate - from, syllable = sin(M_PI * 5 * t);
    int16_t *at = &m->samples[i * (size_t)m->channels + (size_t)channel];
    *at = clamp(*at + amplitude * syllable * syllable * ((double)rand_r(&seed) / RAND_MAX * 2 - 1));
  }
}

static void made_noise(struct tape_made *m, int channel, double amplitude) {
  unsigned seed = 7;
  for (size_t i = 0; i < m->frames; i++) {
    int16_t *at = &m->samples[i * (size_t)m->channels + (size_t)channel];
    *at = clamp(*at + amplitude * ((double)rand_r(&seed) / RAND_MAX * 2 - 1));
  }
}

static void made_wav(const struct tape_made *m, struct buf *b) {
  size_t bytes = m->frames * (size_t)m->channels * 2;
  sound_wav(b, 1, (unsigned)m->channels, (unsigned)m->rate, 16, (uint32_t)bytes, 0);
  sound_add(b, str_of((const char *)m->samples, bytes));
}

static void made_mp3(const struct tape_made *m, struct buf *b) {
  lame_t lame = lame_init();
  unsigned char out[16384];
  lame_set_in_samplerate(lame, m->rate);
  lame_set_out_samplerate(lame, m->rate);
  lame_set_num_channels(lame, m->channels);
  lame_set_mode(lame, m->channels == 1 ? MONO : STEREO);
  lame_set_brate(lame, 32);
  lame_set_quality(lame, 9);
  assert_true(lame_init_params(lame) >= 0);
  for (size_t at = 0; at < m->frames; at += 1152) {
    int n = m->frames - at < 1152 ? (int)(m->frames - at) : 1152;
    int16_t *p = m->samples + at * (size_t)m->channels;
    int bytes = m->channels == 1 ? lame_encode_buffer(lame, p, p, n, out, sizeof(out))
                                 : lame_encode_buffer_interleaved(lame, p, n, out, sizeof(out));
    assert_true(bytes >= 0);
    sound_add(b, str_of((const char *)out, (size_t)bytes));
  }
  int bytes = lame_encode_flush(lame, out, sizeof(out));
  sound_add(b, str_of((const char *)out, (size_t)bytes));
  lame_close(lame);
}

/* The pieces that came out. */
struct cut {
  enum err error;
  struct speech_summary summary;
  size_t count;
  struct speech_piece pieces[PIECES_MAX];
  double mean[PIECES_MAX]; /* of the samples' magnitudes */
  size_t most_samples;
  enum err answer;
};

static enum err on_piece(void *arg, const struct speech_piece *piece) {
  struct cut *c = arg;
  assert_true(c->count < PIECES_MAX);
  double sum = 0;
  for (size_t i = 0; i < piece->count; i++) sum += abs(piece->samples[i]);
  c->mean[c->count] = sum / (double)piece->count;
  if (piece->count > c->most_samples) c->most_samples = piece->count;
  c->pieces[c->count++] = *piece;
  return c->answer;
}

static struct cut *cut_bytes(struct str bytes, size_t at_once) {
  static struct cut c;
  enum err answer = c.answer;
  memset(&c, 0, sizeof(c));
  c.answer = answer;
  struct speech_pieces_config config = {.arg = &c, .on_piece = on_piece};
  struct speech_pieces *p;
  assert_int_equal(speech_pieces_new(&config, &p), OK);
  while (bytes.n > 0 && c.error == OK) {
    struct str head = str_head(bytes, at_once);
    c.error = speech_pieces_feed(p, head);
    bytes = str_skip(bytes, head.n);
  }
  if (c.error == OK) c.error = speech_pieces_finish(p, &c.summary);
  speech_pieces_free(p);
  return &c;
}

static struct cut *cut_made(const struct tape_made *m) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(BYTES_MAX);
  made_wav(m, &b);
  return cut_bytes(buf_str(&b), 64 * 1024);
}

static void assert_near(int64_t value, int64_t expected, int64_t most) {
  if (llabs(value - expected) > most) fail_msg("%lld is not near %lld", (long long)value, (long long)expected);
}

/* Each span is whole, in order, apart by the pause, and the last one ends with the piece. */
static void assert_table(const struct speech_piece *p) {
  int64_t at = 0;
  assert_true(p->span_count > 0 && p->count <= SPEECH_PIECES_RATE / 1000 * SPEECH_PIECES_MAX_MS);
  for (size_t i = 0; i < p->span_count; i++) {
    const struct speech_span *s = &p->spans[i];
    assert_int_equal(s->piece_start_ms, at);
    assert_true(s->end_ms > s->start_ms);
    if (i > 0) assert_true(s->start_ms >= p->spans[i - 1].end_ms);
    at += s->end_ms - s->start_ms + 300;
  }
  assert_int_equal(p->count * 1000 / SPEECH_PIECES_RATE, at - 300);
}

static void silences_are_shortened_and_the_table_says_where_speech_was(void **state) {
  (void)state;
  struct tape_made m CLEANUP(made_free) = made_new(8000, 1, 60);
  made_talk(&m, 0, 3, 5, 8000);
  made_talk(&m, 0, 30, 31.4, 8000);
  made_talk(&m, 0, 55, 58, 8000);
  const struct cut *c = cut_made(&m);
  assert_int_equal(c->error, OK);
  assert_int_equal(c->count, 1);
  const struct speech_piece *p = &c->pieces[0];
  assert_table(p);
  assert_int_equal(p->span_count, 3);
  static const int64_t expected[3][2] = {{2800, 5200}, {29800, 31600}, {54800, 58200}};
  for (size_t i = 0; i < 3; i++) {
    assert_near(p->spans[i].start_ms, expected[i][0], 60);
    assert_near(p->spans[i].end_ms, expected[i][1], 60);
  }
  assert_int_equal(c->summary.duration_ms, 60000);
  assert_int_equal(c->summary.decoded_ms, 60000);
  assert_near(c->summary.speech_ms[0], 6400, 200);
  assert_near(c->summary.silence_ms, 53600, 200);
  assert_int_equal(c->summary.overlap_ms, 0);
  assert_true(c->summary.has_speech && !c->summary.channels_alike);
  assert_true(c->mean[0] > 500);
}

static void channels_are_apart_and_talk_silence_and_overlap_are_measured(void **state) {
  (void)state;
  struct tape_made m CLEANUP(made_free) = made_new(8000, 2, 20);
  made_talk(&m, 0, 1, 5, 8000);
  made_talk(&m, 1, 4, 10, 4000);
  for (int as_mp3 = 0; as_mp3 < 2; as_mp3++) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(BYTES_MAX);
    if (as_mp3)
      made_mp3(&m, &b);
    else
      made_wav(&m, &b);
    const struct cut *c = cut_bytes(buf_str(&b), 5000);
    assert_int_equal(c->error, OK);
    assert_int_equal(c->count, 2);
    assert_int_equal(c->pieces[0].channel, 0);
    assert_int_equal(c->pieces[1].channel, 1);
    int64_t most = as_mp3 ? 300 : 60; /* an encoder adds silence at the start */
    assert_near(c->pieces[0].spans[0].start_ms, 800, most);
    assert_near(c->pieces[1].spans[0].start_ms, 3800, most);
    assert_near(c->pieces[1].spans[0].end_ms, 10200, most);
    assert_near(c->summary.speech_ms[0], 4000, 200);
    assert_near(c->summary.speech_ms[1], 6000, 200);
    assert_near(c->summary.overlap_ms, 1000, 200);
    assert_near(c->summary.silence_ms, 11000, 300);
    assert_int_equal(c->summary.channels, 2);
    assert_true(c->mean[0] > 1.5 * c->mean[1]);
  }
}

static void the_pieces_do_not_depend_on_how_bytes_were_fed(void **state) {
  (void)state;
  struct tape_made m CLEANUP(made_free) = made_new(11025, 2, 8);
  made_talk(&m, 0, 1, 3, 8000);
  made_talk(&m, 1, 4, 7.3, 8000);
  struct buf b CLEANUP(buf_done) = BUF_INIT(BYTES_MAX);
  made_wav(&m, &b);
  struct cut whole = *cut_bytes(buf_str(&b), SIZE_MAX), *parts = cut_bytes(buf_str(&b), 997);
  assert_int_equal(whole.count, 2);
  assert_int_equal(parts->count, 2);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(whole.pieces[i].count, parts->pieces[i].count);
    assert_true(whole.mean[i] == parts->mean[i]);
    assert_memory_equal(whole.pieces[i].spans, parts->pieces[i].spans, sizeof(whole.pieces[i].spans[0]));
  }
}

static void a_long_call_is_cut_at_the_borders_of_spans(void **state) {
  (void)state;
  struct tape_made m CLEANUP(made_free) = made_new(8000, 1, 130);
  for (int i = 0; i < 12; i++) made_talk(&m, 0, i * 10 + 1, i * 10 + 8, 8000);
  const struct cut *c = cut_made(&m);
  size_t spans = 0;
  int64_t before = -1;
  assert_int_equal(c->error, OK);
  for (size_t i = 0; i < c->count; i++) {
    assert_table(&c->pieces[i]);
    assert_int_equal(c->pieces[i].index, i);
    for (size_t k = 0; k < c->pieces[i].span_count; k++, spans++) {
      assert_near(c->pieces[i].spans[k].start_ms, (int64_t)spans * 10000 + 800, 60);
      assert_near(c->pieces[i].spans[k].end_ms, (int64_t)spans * 10000 + 8200, 60);
      assert_true(c->pieces[i].spans[k].start_ms > before);
      before = c->pieces[i].spans[k].start_ms;
    }
  }
  assert_int_equal(spans, 12);
  assert_int_equal(c->count, 4); /* three spans of 7.4 s fit */
  assert_int_equal(c->summary.pieces, 4);
}

static void a_long_span_is_cut_at_its_quietest_frame_and_nothing_is_lost(void **state) {
  (void)state;
  struct tape_made m CLEANUP(made_free) = made_new(8000, 1, 80);
  made_talk(&m, 0, 1, 22.6, 8000); /* then 0.3 s of silence: too short to end the span */
  made_talk(&m, 0, 22.9, 75, 8000);
  const struct cut *c = cut_made(&m);
  assert_int_equal(c->error, OK);
  assert_in_range(c->count, 3, 6); /* each is cut in its second half */
  for (size_t i = 0; i < c->count; i++) {
    assert_table(&c->pieces[i]);
    assert_int_equal(c->pieces[i].span_count, 1);
    if (i > 0) assert_int_equal(c->pieces[i].spans[0].start_ms, c->pieces[i - 1].spans[0].end_ms);
  }
  assert_near(c->pieces[0].spans[0].end_ms, 22750, 160);
  assert_near(c->pieces[c->count - 1].spans[0].end_ms, 75200, 60);
}

/* Sentences of 10 s with a pause in their middle: the room that a piece has left takes the first half of the next one. */
static void a_piece_is_filled_up_to_a_pause_within_a_span(void **state) {
  (void)state;
  enum { TALKS = 15 };
  struct tape_made m CLEANUP(made_free) = made_new(8000, 1, 12 * TALKS + 2);
  for (int i = 0; i < TALKS; i++) {
    made_talk(&m, 0, i * 12 + 1, i * 12 + 5.8, 8000);
    made_talk(&m, 0, i * 12 + 6.2, i * 12 + 11, 8000);
  }
  const struct cut *c = cut_made(&m);
  int64_t end = 0;
  int cuts = 0;
  assert_int_equal(c->error, OK);
  assert_int_equal(c->count, 6); /* two and a half in each; 8 with two in each */
  for (size_t i = 0; i < c->count; i++) {
    assert_table(&c->pieces[i]);
    for (size_t k = 0; k < c->pieces[i].span_count; k++) {
      const struct speech_span *span = &c->pieces[i].spans[k];
      if (k == 0 && span->start_ms == end && i > 0) {
        assert_near(span->start_ms % 12000, 6000, 160); /* in the pause */
        cuts++;
      }
      end = span->end_ms;
    }
  }
  assert_true(cuts > 0);
}

static void what_is_no_speech_gives_no_piece(void **state) {
  (void)state;
  static const struct {
    const char *name;
    double noise, talk_from, talk_to, talk;
    double click;
    bool has_speech;
  } cases[] = {
      {"silence", 0, 0, 0, 0, 0, false},
      {"faint noise", 100, 0, 0, 0, 0, false},
      {"loud noise", 3000, 0, 0, 0, 0, false},
      {"very loud noise", 20000, 0, 0, 0, 0, false},
      {"a click", 0, 0, 0, 0, 20000, false},
      {"0.3 s", 0, 5, 5.3, 8000, 0, false},
      {"speech over loud noise", 1500, 5, 8, 15000, 0, true},
      {"quiet speech", 0, 5, 8, 1200, 0, true},
      {"a whisper in the noise of the line", 30, 5, 8, 100, 0, false},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct tape_made m CLEANUP(made_free) = made_new(8000, 1, 20);
    made_noise(&m, 0, cases[i].noise);
    if (cases[i].talk > 0) made_talk(&m, 0, cases[i].talk_from, cases[i].talk_to, cases[i].talk);
    if (cases[i].click > 0) made_talk(&m, 0, 5, 5.06, cases[i].click);
    const struct cut *c = cut_made(&m);
    bool ok = c->error == OK && c->summary.has_speech == cases[i].has_speech && (c->count > 0) == cases[i].has_speech;
    if (!ok)
      fail_msg("%s: %d, %zu pieces, %lld ms", cases[i].name, c->error, c->count, (long long)c->summary.speech_ms[0]);
    if (c->count == 0) continue;
    assert_near(c->pieces[0].spans[0].start_ms, (int64_t)(cases[i].talk_from * 1000) - 200, 100);
    assert_near(c->pieces[0].spans[0].end_ms, (int64_t)(cases[i].talk_to * 1000) + 200, 100);
  }
}

/* A voice without a pause, in a recording that has nothing else. */
static void a_sound_with_syllables_is_no_noise(void **state) {
  (void)state;
  struct tape_made m CLEANUP(made_free) = made_new(8000, 1, 12);
  for (size_t i = 0; i < m.frames; i++) {
    double t = (double)i / m.rate;
    m.samples[i] = clamp(9000 * (0.7 + 0.3 * sin(2 * M_PI * 4 * t)) * sin(2 * M_PI * 480 * t));
  }
  const struct cut *c = cut_made(&m);
  assert_int_equal(c->count, 1);
  assert_near(c->pieces[0].spans[0].start_ms, 0, 260);
  assert_near(c->pieces[0].spans[0].end_ms, 12000, 260);
}

static void channels_that_are_alike_are_heard_once(void **state) {
  (void)state;
  struct tape_made m CLEANUP(made_free) = made_new(8000, 2, 90);
  for (int i = 0; i < 8; i++) made_talk(&m, 0, i * 10 + 1, i * 10 + 9, 8000);
  for (size_t i = 0; i < m.frames; i++) m.samples[2 * i + 1] = (int16_t)(m.samples[2 * i] / 2);
  const struct cut *c = cut_made(&m);
  assert_int_equal(c->error, OK);
  assert_true(c->summary.channels_alike);
  assert_true(c->count == 3 && c->summary.pieces == 3);
  for (size_t i = 0; i < c->count; i++) assert_int_equal(c->pieces[i].channel, 0);
  assert_int_equal(c->summary.speech_ms[1], 0);
  assert_int_equal(c->summary.overlap_ms, 0);
}

static void what_is_not_decoded_is_refused_truthfully(void **state) {
  (void)state;
  struct buf amr CLEANUP(buf_done) = BUF_INIT(SOUND_MAX_BYTES), many CLEANUP(buf_done) = BUF_INIT(SOUND_MAX_BYTES),
                 html CLEANUP(buf_done) = BUF_INIT(SOUND_MAX_BYTES), gsm CLEANUP(buf_done) = BUF_INIT(SOUND_MAX_BYTES);
  sound_add(&amr, STR("#!AMR\n"));
  for (int i = 0; i < 100; i++) {
    sound_add(&amr, STR("\x3c")); /* a frame of 32 bytes */
    sound_zeros(&amr, 31);
  }
  assert_int_equal(cut_bytes(buf_str(&amr), 512)->error, ERR_UNSUPPORTED);
  sound_wav(&many, 1, 6, 8000, 16, 96000, 96000);
  assert_int_equal(cut_bytes(buf_str(&many), 512)->error, ERR_UNSUPPORTED);
  sound_wav(&gsm, 49, 1, 8000, 0, 65000, 65000);
  assert_int_equal(cut_bytes(buf_str(&gsm), 512)->error, ERR_UNSUPPORTED);
  sound_add(&html, STR("<html><body>not found</body></html>"));
  sound_zeros(&html, 4000);
  assert_int_equal(cut_bytes(buf_str(&html), 512)->error, ERR_CORRUPT);
  assert_int_equal(cut_bytes(STR(""), 512)->error, ERR_CORRUPT);
}

static void the_callers_error_ends_the_pass(void **state) {
  (void)state;
  struct tape_made m CLEANUP(made_free) = made_new(8000, 1, 70);
  made_talk(&m, 0, 1, 69, 8000);
  struct cut *c = cut_made(&m);
  c->answer = ERR_CLOSED; /* kept by cut_bytes */
  c = cut_made(&m);
  assert_int_equal(c->error, ERR_CLOSED);
  assert_int_equal(c->count, 1);
  c->answer = OK;
}

static void a_cut_recording_gives_what_is_there(void **state) {
  (void)state;
  struct tape_made m CLEANUP(made_free) = made_new(8000, 2, 20);
  made_talk(&m, 0, 1, 8, 8000);
  made_talk(&m, 1, 10, 19, 8000);
  struct buf b CLEANUP(buf_done) = BUF_INIT(BYTES_MAX);
  made_mp3(&m, &b);
  const struct cut *c = cut_bytes(str_head(buf_str(&b), b.n / 2 + 100), 4096);
  assert_int_equal(c->error, OK);
  assert_int_equal(c->count, 1);
  assert_near(c->summary.decoded_ms, 10100, 300);
}

static enum err on_late_piece(void *arg, const struct speech_piece *piece) {
  struct speech_piece *last = arg;
  assert_table(piece);
  if (last->span_count) assert_true(piece->spans[0].start_ms >= last->spans[last->span_count - 1].end_ms);
  *last = *piece;
  return OK;
}

/* One minute again and again. Times stay true, and nothing grows: all memory is the struct. */
static void three_hours_have_true_times_to_the_end(void **state) {
  (void)state;
  int minutes = TEST_SIZE(180, 20);
  struct tape_made m CLEANUP(made_free) = made_new(16000, 1, 60);
  made_talk(&m, 0, 2, 20, 8000);
  made_talk(&m, 0, 30, 58, 8000);
  struct buf head CLEANUP(buf_done) = BUF_INIT(1024);
  struct speech_piece last = {0};
  struct speech_pieces_config config = {.arg = &last, .on_piece = on_late_piece};
  struct speech_pieces *p;
  struct speech_summary s;
  sound_wav(&head, 1, 1, 16000, 16, 0, 0);
  assert_int_equal(speech_pieces_new(&config, &p), OK);
  assert_int_equal(speech_pieces_feed(p, buf_str(&head)), OK);
  for (int i = 0; i < minutes; i++)
    assert_int_equal(speech_pieces_feed(p, str_of((const char *)m.samples, m.frames * 2)), OK);
  assert_int_equal(speech_pieces_finish(p, &s), OK);
  assert_int_equal(s.decoded_ms, minutes * 60000);
  assert_near(last.spans[last.span_count - 1].end_ms, minutes * 60000 - 1800, 60);
  assert_near(s.speech_ms[0], minutes * 46000, minutes * 100);
  speech_pieces_free(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(silences_are_shortened_and_the_table_says_where_speech_was),
      cmocka_unit_test(channels_are_apart_and_talk_silence_and_overlap_are_measured),
      cmocka_unit_test(the_pieces_do_not_depend_on_how_bytes_were_fed),
      cmocka_unit_test(a_long_call_is_cut_at_the_borders_of_spans),
      cmocka_unit_test(a_long_span_is_cut_at_its_quietest_frame_and_nothing_is_lost),
      cmocka_unit_test(a_piece_is_filled_up_to_a_pause_within_a_span),
      cmocka_unit_test(what_is_no_speech_gives_no_piece),
      cmocka_unit_test(a_sound_with_syllables_is_no_noise),
      cmocka_unit_test(channels_that_are_alike_are_heard_once),
      cmocka_unit_test(what_is_not_decoded_is_refused_truthfully),
      cmocka_unit_test(the_callers_error_ends_the_pass),
      cmocka_unit_test(a_cut_recording_gives_what_is_there),
      cmocka_unit_test(three_hours_have_true_times_to_the_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
