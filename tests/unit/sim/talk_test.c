#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <mpg123.h>

#include "talk.h"

#define SID STR("RE00112233445566778899aabbccddeeff")

/* Without a directory the phrases are the made-up ones: the same on every machine. */
static int set_up(void **state) {
  struct voice *voice;
  assert_int_equal(voice_new("/nonexistent", &voice), OK);
  assert_false(voice_is_real(voice));
  *state = voice;
  return 0;
}

static int tear_down(void **state) {
  *state = voice_free(*state);
  return 0;
}

static uint8_t *read_whole(struct voice *voice, enum talk_format format, int64_t seconds, unsigned channels,
                           size_t step) {
  size_t size = (size_t)talk_size(format, seconds, channels), at = 0, n;
  uint8_t *bytes = malloc(size + step);
  struct talk *t;
  assert_non_null(bytes);
  assert_int_equal(talk_new(voice, SID, format, seconds, channels, &t), OK);
  do {
    assert_int_equal(talk_read(t, (int64_t)at, step, bytes + at, &n), OK);
    at += n;
  } while (n > 0 && at < size);
  assert_int_equal(at, size);
  assert_int_equal(talk_read(t, (int64_t)size, step, bytes + at, &n), OK);
  assert_int_equal(n, 0);
  talk_free(t);
  return bytes;
}

static void a_part_is_the_same_as_in_the_whole(void **state) {
  for (enum talk_format format = TALK_WAV; format <= TALK_MP3; format++) {
    for (unsigned channels = 1; channels <= 2; channels++) {
      uint8_t *whole = read_whole(*state, format, 20, channels, 1 << 20);
      uint8_t *pieces = read_whole(*state, format, 20, channels, 997);
      assert_memory_equal(whole, pieces, (size_t)talk_size(format, 20, channels));
      free(whole);
      free(pieces);
    }
  }
}

static void sizes_are_those_of_telephone_recordings(void **state) {
  (void)state;
  assert_int_equal(talk_size(TALK_WAV, 10, 1), 44 + 160000);
  assert_int_equal(talk_size(TALK_WAV, 10, 2), 44 + 320000);
  assert_int_equal(talk_size(TALK_MP3, 10, 1), 40032);
  assert_int_equal(talk_size(TALK_MP3, 10, 2), 40032);
  assert_int_equal(talk_size(TALK_WAV, 0, 1), 44);
}

/* Decodes to samples of one channel; returns how many. */
static size_t decode(const uint8_t *mp3, size_t size, unsigned channels, unsigned channel, int16_t *ret, size_t room) {
  int error, count, encoding;
  long rate;
  size_t n = 0, done;
  int16_t block[4608];
  mpg123_handle *h = mpg123_new(NULL, &error);
  assert_non_null(h);
  mpg123_param(h, MPG123_REMOVE_FLAGS, MPG123_GAPLESS, 0);
  assert_int_equal(mpg123_open_feed(h), MPG123_OK);
  assert_int_equal(mpg123_feed(h, mp3, size), MPG123_OK);
  for (;;) {
    int result = mpg123_read(h, (unsigned char *)block, sizeof(block), &done);
    if (result == MPG123_NEW_FORMAT) {
      assert_int_equal(mpg123_getformat(h, &rate, &count, &encoding), MPG123_OK);
      assert_int_equal(rate, VOICE_RATE);
      assert_int_equal(count, channels);
      continue;
    }
    for (size_t i = channel; i < done / 2 && n < room; i += channels) ret[n++] = block[i];
    if (result != MPG123_OK || done == 0) break;
  }
  mpg123_delete(h);
  return n;
}

static double likeness(const int16_t *a, const uint8_t *wav, unsigned channels, unsigned channel, size_t n) {
  double ab = 0, aa = 1, bb = 1;
  for (size_t i = 0; i < n; i++) {
    const uint8_t *p = wav + TALK_WAV_HEADER + 2 * (i * channels + channel);
    double x = a[i], y = (int16_t)(p[0] | p[1] << 8);
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab * ab / (aa * bb);
}

static void the_mp3_sounds_like_the_wav_in_each_channel(void **state) {
  enum { SECONDS = 30, SAMPLES = SECONDS * VOICE_RATE };
  int16_t *samples = calloc(SAMPLES, sizeof(*samples));
  assert_non_null(samples);
  for (unsigned channels = 1; channels <= 2; channels++) {
    uint8_t *mp3 = read_whole(*state, TALK_MP3, SECONDS, channels, 1 << 16);
    uint8_t *wav = read_whole(*state, TALK_WAV, SECONDS, channels, 1 << 16);
    for (unsigned channel = 0; channel < channels; channel++) {
      size_t n = decode(mp3, (size_t)talk_size(TALK_MP3, SECONDS, channels), channels, channel, samples, SAMPLES);
      assert_int_equal(n, SAMPLES);
      assert_true(likeness(samples, wav, channels, channel, n) > 0.9);
    }
    free(mp3);
    free(wav);
  }
  free(samples);
}

static void two_recordings_are_two_conversations(void **state) {
  struct talk *a, *b;
  uint8_t one[20000], other[20000];
  size_t n;
  assert_int_equal(talk_new(*state, SID, TALK_MP3, 60, 1, &a), OK);
  assert_int_equal(talk_new(*state, STR("RE00112233445566778899aabbccddeef0"), TALK_MP3, 60, 1, &b), OK);
  assert_int_equal(talk_read(a, 0, sizeof(one), one, &n), OK);
  assert_int_equal(talk_read(b, 0, sizeof(other), other, &n), OK);
  assert_memory_not_equal(one, other, sizeof(one));
  talk_free(a);
  talk_free(b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_part_is_the_same_as_in_the_whole),
      cmocka_unit_test(sizes_are_those_of_telephone_recordings),
      cmocka_unit_test(the_mp3_sounds_like_the_wav_in_each_channel),
      cmocka_unit_test(two_recordings_are_two_conversations),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
