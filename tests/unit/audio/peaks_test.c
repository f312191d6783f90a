#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <mpg123.h>
#include <stdlib.h>
#include <string.h>

#include "audio/audio_pcm.h"
#include "sound.h"

#define NEW_SOUND(name) struct buf name CLEANUP(buf_done) = BUF_INIT(SOUND_MAX_BYTES)

/* A waveform as it is stored, read by itself. */
struct picture {
  int version, flags, rate, frames_a_point, points, channels;
  const signed char *values; /* least, greatest of each channel of each point */
};

static int le32_at(const char *p) {
  const unsigned char *u = (const unsigned char *)p;
  return (int)((uint32_t)u[3] << 24 | (uint32_t)u[2] << 16 | (uint32_t)u[1] << 8 | u[0]);
}

static struct picture read_picture(struct str s) {
  assert_true(s.n >= 24);
  struct picture p = {le32_at(s.p),
                      le32_at(s.p + 4),
                      le32_at(s.p + 8),
                      le32_at(s.p + 12),
                      le32_at(s.p + 16),
                      le32_at(s.p + 20),
                      (const signed char *)s.p + 24};
  assert_int_equal(p.version, 2);
  assert_int_equal(p.flags, 1);
  assert_int_equal(s.n, 24 + p.points * p.channels * 2);
  return p;
}

/* Computes the waveform of samples by its definition, without merging. */
static void assert_picture_of(struct str stored, const int16_t *samples, size_t frames, int channels, int rate) {
  struct picture p = read_picture(stored);
  assert_int_equal(p.channels, channels);
  assert_int_equal(p.rate, rate);
  size_t step = (size_t)p.frames_a_point;
  assert_int_equal(p.points, (frames + step - 1) / step);
  assert_true(p.points <= PEAKS_POINTS_MAX);
  if (step > 16) assert_true(p.points >= PEAKS_POINTS_MAX / 2);
  for (size_t i = 0; i < (size_t)p.points; i++) {
    for (int c = 0; c < channels; c++) {
      int least = INT16_MAX, greatest = INT16_MIN;
      for (size_t f = i * step; f < (i + 1) * step && f < frames; f++) {
        int v = samples[f * (size_t)channels + (size_t)c];
        if (v < least) least = v;
        if (v > greatest) greatest = v;
      }
      size_t at = (i * (size_t)channels + (size_t)c) * 2;
      assert_int_equal(p.values[at], least / 256);
      assert_int_equal(p.values[at + 1], greatest / 256);
    }
  }
}

static int16_t *noise(size_t count) {
  int16_t *samples = malloc(count * sizeof(*samples) + 1);
  uint32_t x = 12345;
  assert_non_null(samples);
  for (size_t i = 0; i < count; i++) {
    x = x * 1664525 + 1013904223;
    samples[i] = (int16_t)(x >> 16) / (int16_t)(1 + i % 7);
  }
  return samples;
}

static void a_waveform_covers_every_sample_of_any_length(void **state) {
  (void)state;
  static const size_t lengths[] = {1, 15, 16, 17, 32767, 32768, 32769, 65535, 65536, 480001};
  static struct peaks p;
  static char bytes[PEAKS_BYTES_MAX];
  for (int channels = 1; channels <= 2; channels++) {
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
      int16_t *samples = noise(lengths[i] * (size_t)channels);
      peaks_init(&p, channels, 8000);
      for (size_t at = 0, n; at < lengths[i]; at += n) {
        n = lengths[i] - at < 1000 ? lengths[i] - at : 1000;
        peaks_add(&p, samples + at * (size_t)channels, n);
      }
      size_t n = peaks_write(&p, bytes);
      assert_picture_of(str_of(bytes, n), samples, lengths[i], channels, 8000);
      free(samples);
    }
  }
}

static void silence_without_samples_and_many_channels_have_no_waveform(void **state) {
  static struct peaks p;
  static char bytes[PEAKS_BYTES_MAX];
  int16_t *samples = noise(300);
  (void)state;
  peaks_init(&p, 1, 8000);
  assert_int_equal(peaks_write(&p, bytes), 0);
  peaks_init(&p, 3, 8000);
  peaks_add(&p, samples, 100);
  assert_int_equal(peaks_write(&p, bytes), 0);
  free(samples);
}

static void the_json_has_the_values_of_the_bytes(void **state) {
  static struct peaks p;
  static char bytes[PEAKS_BYTES_MAX];
  struct buf b CLEANUP(buf_done) = BUF_INIT(1024);
  const int16_t samples[] = {256, -32768, 32767, 0, -256, 255};
  (void)state;
  peaks_init(&p, 2, 8000);
  peaks_add(&p, samples, 3);
  size_t n = peaks_write(&p, bytes);
  assert_int_equal(peaks_to_json(str_of(bytes, n), &b), OK);
  assert_true(str_eq(buf_str(&b), STR("{\"version\":2,\"channels\":2,\"sample_rate\":8000,\"samples_per_pixel\":16,"
                                      "\"bits\":8,\"length\":1,\"data\":[-1,127,-128,0]}")));
  assert_int_equal(peaks_to_json(str_of(bytes, n - 1), &b), ERR_CORRUPT);
  assert_int_equal(peaks_to_json(str_of(bytes, 23), &b), ERR_CORRUPT);
  bytes[0] = 1;
  assert_int_equal(peaks_to_json(str_of(bytes, n), &b), ERR_CORRUPT);
}

/* ---- samples of WAV ---- */

struct taken {
  int16_t samples[64];
  size_t count;
};
static void take(void *arg, const int16_t *samples, size_t frames) {
  struct taken *t = arg;
  memcpy(t->samples + t->count, samples, frames * sizeof(*samples)); /* mono */
  t->count += frames;
}

static void samples_of_every_kind_are_converted_exactly(void **state) {
  (void)state;
  static const struct {
    enum pcm_kind kind;
    int bits;
    struct str bytes;
    int16_t want[4];
    size_t count;
  } rows[] = {
      {PCM_LINEAR, 8, STR("\x80\x00\xff"), {0, -32768, 127 * 256}, 3},
      {PCM_LINEAR, 16, STR("\x00\x80\xff\x7f\xff\xff"), {-32768, 32767, -1}, 3},
      {PCM_LINEAR, 24, STR("\x11\x00\x80\x11\xff\x7f"), {-32768, 32767}, 2},
      {PCM_LINEAR, 32, STR("\x11\x11\x00\x80\x00\x00\x01\x00"), {-32768, 1}, 2},
      {PCM_FLOAT,
       32,
       STR("\x00\x00\x80\x3f\x00\x00\x80\xbf\x00\x00\x00\x00\x00\x00\xc0\x7f"),
       {32767, -32768, 0, -32768},
       4},
      {PCM_FLOAT, 64, STR("\0\0\0\0\0\0\xe0\x3f\0\0\0\0\0\0\0\xc0"), {16383, -32768}, 2},
      {PCM_MU_LAW, 8, STR("\xff\x7f\x00\x80"), {0, 0, -32124, 32124}, 4},
      {PCM_A_LAW, 8, STR("\xd5\x55\xaa\x2a"), {8, -8, 32256, -32256}, 4},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    for (size_t piece = 1; piece <= rows[i].bytes.n; piece++) {
      struct pcm p;
      struct taken t = {.count = 0};
      assert_true(pcm_init(&p, rows[i].kind, rows[i].bits, 1, false));
      for (struct str rest = rows[i].bytes; rest.n > 0; rest = str_skip(rest, piece))
        pcm_feed(&p, str_head(rest, piece), take, &t);
      assert_int_equal(t.count, rows[i].count);
      for (size_t k = 0; k < t.count; k++)
        if (t.samples[k] != rows[i].want[k]) fail_msg("row %zu sample %zu: %d", i, k, t.samples[k]);
    }
  }
}

/* ---- whole files ---- */

static int16_t *decode(struct str mp3, int rate, int channels, size_t *ret_frames) {
  mpg123_handle *m = mpg123_new(NULL, NULL);
  int16_t *samples = malloc(SOUND_MAX_BYTES);
  size_t n = 0, done = 0;
  assert_non_null(samples);
  mpg123_param(m, MPG123_ADD_FLAGS, MPG123_QUIET, 0);
  mpg123_format_none(m);
  mpg123_format(m, rate, channels == 1 ? MPG123_MONO : MPG123_STEREO, MPG123_ENC_SIGNED_16);
  assert_int_equal(mpg123_open_feed(m), MPG123_OK);
  assert_int_equal(mpg123_feed(m, (const unsigned char *)mp3.p, mp3.n), MPG123_OK);
  int code;
  do {
    code = mpg123_read(m, (unsigned char *)samples + n, SOUND_MAX_BYTES - n, &done);
    n += done;
  } while (code == MPG123_OK || code == MPG123_NEW_FORMAT);
  mpg123_delete(m);
  *ret_frames = n / 2 / (size_t)channels;
  return samples;
}

static void an_mp3s_picture_is_that_of_its_samples_however_it_comes(void **state) {
  (void)state;
  static const struct {
    int rate, channels, kbit;
    double seconds;
  } rows[] = {{8000, 1, 32, 20}, {8000, 2, 32, 3.3}, {22050, 2, 64, 12}, {44100, 1, 64, 1}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    NEW_SOUND(b);
    size_t frames;
    sound_id3(&b, 3000);
    size_t tag = b.n;
    sound_mp3(&b, rows[i].rate, rows[i].channels, rows[i].kbit, rows[i].seconds, false, true);
    int16_t *samples = decode(str_skip(buf_str(&b), tag), rows[i].rate, rows[i].channels, &frames);
    static const size_t pieces[] = {1, 777, 65536};
    for (size_t k = i == 0 ? 0 : 1; k < COUNT_OF(pieces); k++) {
      struct heard heard = sound_hear(buf_str(&b), pieces[k], k == 1);
      assert_picture_of(str_of(heard.info.peaks, heard.info.peaks_bytes), samples, frames, rows[i].channels,
                        rows[i].rate);
    }
    free(samples);
  }
}

static void the_waveform_of_a_wav_is_that_of_its_samples(void **state) {
  (void)state;
  for (unsigned channels = 1; channels <= 2; channels++) {
    NEW_SOUND(b);
    size_t frames = 100001;
    int16_t *samples = noise(frames * channels);
    sound_wav(&b, 1, channels, 8000, 16, (uint32_t)(frames * channels * 2), 0);
    sound_add(&b, str_of((const char *)samples, frames * channels * 2));
    struct heard heard = sound_hear(buf_str(&b), 4099, true);
    assert_picture_of(str_of(heard.info.peaks, heard.info.peaks_bytes), samples, frames, (int)channels, 8000);
    free(samples);
  }
}

static void files_that_are_not_decoded_have_no_waveform(void **state) {
  NEW_SOUND(page);
  NEW_SOUND(surround);
  NEW_SOUND(packed);
  (void)state;
  sound_add(&page, STR("<html>"));
  sound_zeros(&page, 5000);
  sound_wav(&surround, 1, 6, 8000, 16, 12000, 12000);
  sound_wav(&packed, 0x31, 1, 8000, 0, 12000, 12000); /* GSM 6.10 */
  struct buf *all[] = {&page, &surround, &packed};
  for (size_t i = 0; i < COUNT_OF(all); i++) {
    struct heard heard = sound_hear(buf_str(all[i]), 4096, false);
    assert_int_equal(heard.info.peaks_bytes, 0);
  }
}

static void a_damaged_mp3_is_as_long_as_before_whatever_its_decoder_makes_of_it(void **state) {
  NEW_SOUND(whole);
  (void)state;
  sound_mp3(&whole, 8000, 1, 32, 20, false, false);
  for (size_t at = 3000; at < whole.n; at += 7001) {
    NEW_SOUND(b);
    sound_add(&b, buf_str(&whole));
    memset(b.p + at, 0xff, 3); /* a header that claims another stream, or none */
    b.p[at + 1] = (char)0xfb;
    struct heard heard = sound_hear(buf_str(&b), 1000, false);
    assert_int_equal(heard.info.kind, AUDIO_MP3);
    if (heard.info.peaks_bytes) (void)read_picture(str_of(heard.info.peaks, heard.info.peaks_bytes));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_waveform_covers_every_sample_of_any_length),
      cmocka_unit_test(silence_without_samples_and_many_channels_have_no_waveform),
      cmocka_unit_test(the_json_has_the_values_of_the_bytes),
      cmocka_unit_test(samples_of_every_kind_are_converted_exactly),
      cmocka_unit_test(an_mp3s_picture_is_that_of_its_samples_however_it_comes),
      cmocka_unit_test(the_waveform_of_a_wav_is_that_of_its_samples),
      cmocka_unit_test(files_that_are_not_decoded_have_no_waveform),
      cmocka_unit_test(a_damaged_mp3_is_as_long_as_before_whatever_its_decoder_makes_of_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
