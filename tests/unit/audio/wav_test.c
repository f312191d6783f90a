/* wav_test.c - how long WAV files last, and what their chunks may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "sound.h"

#define NEW_SOUND(name) struct buf name CLEANUP(buf_done) = BUF_INIT(SOUND_MAX_BYTES)

static void a_wav_lasts_as_long_as_its_samples(void **state) {
  (void)state;
  const struct {
    const char *name;
    unsigned format, channels, rate, bits;
    uint32_t claimed;
    size_t bytes;
    int64_t duration_ms;
    bool whole;
  } cases[] = {
      {"PCM", 1, 1, 8000, 16, 16000, 16000, 1000, true},
      {"dual", 1, 2, 8000, 16, 32000, 32000, 1000, true},
      {"24 bit", 1, 2, 48000, 24, 288000, 288000, 1000, true},
      {"8 bit", 1, 1, 8000, 8, 8000, 8000, 1000, true},
      {"float", 3, 1, 16000, 32, 64000, 64000, 1000, true},
      {"A-law", 6, 1, 8000, 8, 8000, 8000, 1000, true},
      {"mu-law", 7, 2, 8000, 8, 16000, 16000, 1000, true},
      {"a codec that nothing counts", 0x55, 1, 8000, 4, 4000, 4000, -1, true},
      {"cut", 1, 1, 8000, 16, 16000, 8000, 500, false},
      {"one byte short", 1, 1, 8000, 16, 16000, 15999, 999, false},
      {"more behind", 1, 1, 8000, 16, 16000, 20000, 1000, true},
      {"size 0 as streamed", 1, 1, 8000, 16, 0, 16000, 1000, true},
      {"size unknown as streamed", 1, 1, 8000, 16, UINT32_MAX, 16000, 1000, true},
      {"size unknown as sox says it", 1, 1, 8000, 16, 0x7ffff000, 16000, 1000, true},
      {"hostile size", 1, 1, 8000, 16, 0x7fffefff, 16000, 1000, false},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    NEW_SOUND(b);
    sound_wav(&b, cases[i].format, cases[i].channels, cases[i].rate, cases[i].bits, cases[i].claimed, cases[i].bytes);
    struct heard heard = sound_hear(buf_str(&b), 1000, true);
    if (heard.info.kind != AUDIO_WAV) fail_msg("%s: no WAV", cases[i].name);
    if (heard.info.whole != cases[i].whole) fail_msg("%s: whole is %d", cases[i].name, heard.info.whole);
    assert_int_equal(heard.info.duration_ms, cases[i].duration_ms);
    assert_int_equal(heard.info.channels, cases[i].channels);
    assert_int_equal(heard.info.sample_rate, cases[i].rate);
  }
}

static void a_bare_wav_header_is_not_audio(void **state) {
  (void)state;
  const uint32_t claims[] = {0, 16000, UINT32_MAX};
  for (size_t i = 0; i < COUNT_OF(claims); i++) {
    NEW_SOUND(b);
    sound_wav(&b, 1, 1, 8000, 16, claims[i], 0);
    assert_int_equal(sound_hear(buf_str(&b), 44, false).before, AUDIO_UNDECIDED);
    assert_int_equal(sound_hear(buf_str(&b), 44, false).after, AUDIO_NO);
    sound_add(&b, STR("x")); /* half a sample */
    assert_int_equal(sound_hear(buf_str(&b), 44, false).before, AUDIO_UNDECIDED);
    sound_add(&b, STR("y"));
    assert_int_equal(sound_hear(buf_str(&b), 44, false).before, AUDIO_YES);
    assert_int_equal(sound_hear(buf_str(&b), 44, false).after, AUDIO_NO);
  }
}

static void wav_header(struct buf *b, const char *riff, const char *chunks, size_t chunks_bytes) {
  sound_add(b, str_from(riff));
  sound_le32(b, 0);
  sound_add(b, STR("WAVE"));
  sound_add(b, str_of(chunks, chunks_bytes));
}

static void chunks_of_any_size_are_parsed(void **state) {
  (void)state;
#define FORMAT "fmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0"
#define DATA "data\xd0\x07\0\0"
#define CASE(name, riff, text, verdict) \
  { name, riff, text, sizeof(text) - 1, verdict }
  const struct {
    const char *name, *riff, *chunks;
    size_t bytes;
    enum audio_verdict verdict;
  } cases[] = {
      CASE("plain", "RIFF", FORMAT DATA, AUDIO_YES),
      CASE("RF64", "RF64", "ds64\x1c\0\0\0............................" FORMAT "data\xff\xff\xff\xff", AUDIO_YES),
      CASE("a list before", "RIFF", FORMAT "LIST\x05\0\0\0abcde\0" DATA, AUDIO_YES),
      CASE("empty chunks", "RIFF", "JUNK\0\0\0\0fact\0\0\0\0" FORMAT DATA, AUDIO_YES),
      CASE("a longer format", "RIFF", "fmt \x12\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0\0\0" DATA,
           AUDIO_YES),
      CASE("an odd format", "RIFF", "fmt \x11\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0\0\0" DATA,
           AUDIO_YES),
      CASE("extensible", "RIFF",
           "fmt \x28\0\0\0\xfe\xff\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0"
           "\x16\0\x10\0\4\0\0\0\x01\0.............." DATA,
           AUDIO_YES),
      CASE("extensible, cut", "RIFF", "fmt \x10\0\0\0\xfe\xff\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0" DATA,
           AUDIO_YES),
      CASE("no channels", "RIFF", "fmt \x10\0\0\0\x01\0\0\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0" DATA, AUDIO_NO),
      CASE("no rate", "RIFF", "fmt \x10\0\0\0\x01\0\x01\0\0\0\0\0\x80\x3e\0\0\x02\0\x10\0" DATA, AUDIO_NO),
      CASE("13 bits", "RIFF", "fmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x0d\0" DATA, AUDIO_YES),
      CASE("two formats", "RIFF", FORMAT "fmt \x10\0\0\0\x01\0\x02\0\x44\xac\0\0\0\0\0\0\x04\0\x10\0" DATA, AUDIO_YES),
      CASE("a bit rate that lies", "RIFF", "fmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x01\0\0\0\x02\0\x10\0" DATA,
           AUDIO_YES),
      CASE("RIFX", "RIFX",
           "JUNK\0\0\0\2..fmt \0\0\0\x10\0\x01\0\x01\0\0\x1f\x40\0\0\x3e\x80\0\2\0\x10"
           "data\0\0\x07\xd0",
           AUDIO_YES),
      CASE("a chunk past the ceiling", "RIFF", FORMAT "JUNK\xff\xff\xff\xff", AUDIO_NO),
      CASE("a format past the ceiling", "RIFF",
           "fmt \xff\xff\xff\xff\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0" DATA, AUDIO_NO),
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    NEW_SOUND(b);
    wav_header(&b, cases[i].riff, cases[i].chunks, cases[i].bytes);
    sound_zeros(&b, 2000);
    struct heard heard = sound_hear(buf_str(&b), 50, true);
    if (heard.after != cases[i].verdict) fail_msg("%s: %d", cases[i].name, heard.after);
    if (heard.after == AUDIO_YES) assert_int_equal(heard.info.duration_ms, 125);
  }
}

static void compressed_wavs_last_as_long_as_their_blocks_or_their_fact(void **state) {
  (void)state;
#define HEADER(tag, align) "fmt \x10\0\0\0" tag "\0\x01\0\x40\x1f\0\0\x01\0\0\0" align "\0\x04\0"
  const struct {
    const char *name;
    struct str chunks;
    int64_t duration_ms;
  } cases[] = {
      {"IMA, 9 blocks of 433 samples", STR(HEADER("\x11", "\xdc") DATA), 433 * 9 * 1000 / 8000},
      {"GSM, 30 blocks of 320 samples", STR(HEADER("\x31", "\x41") DATA), 30 * 320 * 1000 / 8000},
      {"GSM whose last block is padded", STR(HEADER("\x31", "\x41") "fact\4\0\0\0\x61\x24\0\0" DATA),
       9313 * 1000 / 8000},
      {"GSM whose fact lies", STR(HEADER("\x31", "\x41") "fact\4\0\0\0\x61\x24\x0f\0" DATA), 30 * 320 * 1000 / 8000},
      {"another codec with a fact", STR(HEADER("\x55", "\x01") "fact\4\0\0\0\x40\x1f\0\0" DATA), 1000},
      {"another codec whose fact lies", STR(HEADER("\x55", "\x01") "fact\4\0\0\0\x40\x1f\0\x70" DATA), -1},
      {"another codec without", STR(HEADER("\x55", "\x01") DATA), -1},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    NEW_SOUND(b);
    wav_header(&b, "RIFF", cases[i].chunks.p, cases[i].chunks.n);
    sound_zeros(&b, 2000);
    struct heard heard = sound_hear(buf_str(&b), 50, true);
    assert_int_equal(heard.info.kind, AUDIO_WAV);
    if (heard.info.duration_ms != cases[i].duration_ms)
      fail_msg("%s: %lld ms", cases[i].name, (long long)heard.info.duration_ms);
  }
}

static void samples_begin_behind_chunks_of_megabytes(void **state) {
  (void)state;
  NEW_SOUND(b);
  wav_header(&b, "RIFF", FORMAT "LIST\0\0\x20\0", sizeof(FORMAT) - 1 + 8);
  sound_zeros(&b, 0x200000);
  sound_add(&b, STR(DATA));
  sound_zeros(&b, 2000);
  assert_int_equal(sound_hear(buf_str(&b), 65536, false).info.duration_ms, 125);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_wav_lasts_as_long_as_its_samples),
      cmocka_unit_test(a_bare_wav_header_is_not_audio),
      cmocka_unit_test(chunks_of_any_size_are_parsed),
      cmocka_unit_test(compressed_wavs_last_as_long_as_their_blocks_or_their_fact),
      cmocka_unit_test(samples_begin_behind_chunks_of_megabytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
