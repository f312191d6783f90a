#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <mpg123.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audio/audio_decode.h"
#include "audio/audio_mp3.h"
#include "base/fs.h"
#include "sound.h"

#include "../sizes.h"

#define NEW_SOUND(name) struct buf name CLEANUP(buf_done) = BUF_INIT(SOUND_MAX_BYTES)

/* The number of samples per channel that libmpg123 decodes. */
static int64_t decoded_samples(struct str bytes, int rate, int channels) {
  mpg123_init();
  mpg123_handle *m = mpg123_new(NULL, NULL);
  assert_non_null(m);
  mpg123_param(m, MPG123_ADD_FLAGS, MPG123_QUIET, 0);
  mpg123_format_none(m);
  mpg123_format(m, rate, channels == 1 ? MPG123_MONO : MPG123_STEREO, MPG123_ENC_SIGNED_16);
  assert_int_equal(mpg123_open_feed(m), MPG123_OK);
  assert_int_equal(mpg123_feed(m, (const unsigned char *)bytes.p, bytes.n), MPG123_OK);
  int64_t total = 0;
  unsigned char out[32768];
  size_t done;
  int code;
  while ((code = mpg123_read(m, out, sizeof(out), &done)) == MPG123_OK || code == MPG123_NEW_FORMAT || done > 0) {
    total += (int64_t)done;
  }
  mpg123_delete(m);
  return total / (2 * channels);
}

static void an_mp3_lasts_as_long_as_it_decodes(void **state) {
  (void)state;
  const struct {
    int rate, channels, kbit;
    double seconds;
    bool vbr, index;
  } cases[] = {
      {8000, 1, 32, 10, false, false},  {8000, 1, 32, 10, false, true},  {8000, 2, 32, 3.3, false, true},
      {11025, 1, 40, 2, false, true},   {16000, 1, 48, 5, false, true},  {22050, 2, 64, 5, false, true},
      {24000, 2, 48, 5, true, true},    {32000, 1, 64, 2, false, true},  {44100, 2, 128, 4, false, true},
      {44100, 2, 320, 2, false, false}, {48000, 1, 64, 2.5, true, true}, {48000, 2, 96, 60, true, true},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    NEW_SOUND(b);
    sound_mp3(&b, cases[i].rate, cases[i].channels, cases[i].kbit, cases[i].seconds, cases[i].vbr, cases[i].index);
    struct heard heard = sound_hear(buf_str(&b), 65536, false);
    assert_int_equal(heard.kind, AUDIO_MP3);
    assert_int_equal(heard.info.kind, AUDIO_MP3);
    assert_int_equal(heard.info.channels, cases[i].channels);
    assert_int_equal(heard.info.sample_rate, cases[i].rate);
    assert_int_equal(heard.info.bytes, b.n);
    assert_true(heard.info.whole);
    int64_t samples = decoded_samples(buf_str(&b), cases[i].rate, cases[i].channels);
    if (cases[i].index) {
      assert_int_equal(samples, (int64_t)(cases[i].seconds * cases[i].rate)); /* of the oracle: it trims too */
      assert_int_equal(heard.info.duration_ms, samples * 1000 / cases[i].rate);
    } else {
      /* Without the encoder's word the decoder trims nothing, but its own delay. */
      assert_in_range(heard.info.duration_ms - samples * 1000 / cases[i].rate, 0, 70);
    }
  }
}

static void the_verdict_does_not_depend_on_how_bytes_are_split(void **state) {
  (void)state;
  NEW_SOUND(mp3);
  NEW_SOUND(tagged);
  NEW_SOUND(wav);
  NEW_SOUND(page);
  NEW_SOUND(bad_wav);
  sound_mp3(&mp3, 8000, 1, 32, 1, false, true);
  sound_id3(&tagged, 700);
  sound_mp3(&tagged, 16000, 1, 24, 0.5, true, false);
  sound_wav(&wav, 1, 1, 8000, 16, 2000, 2000);
  sound_add(&wav, STR("LIST\x04\0\0\0abcd"));
  sound_add(&page, STR("<?xml version='1.0'?><TwilioResponse><RestException/></TwilioResponse>"));
  sound_add(&bad_wav, STR("RIFF\x10\0\0\0WAVEdata\x10\0\0\0"));
  sound_zeros(&bad_wav, 2000);
  const struct buf *files[] = {&mp3, &tagged, &wav, &page, &bad_wav};
  for (size_t i = 0; i < COUNT_OF(files); i++) {
    for (size_t n = 0; n <= files[i]->n; n += TEST_SIZE(1, 7)) {
      struct str prefix = str_of(files[i]->p, n);
      struct heard whole = sound_hear(prefix, files[i]->n + 1, false);
      struct heard pieces = sound_hear(prefix, n % 97 + 1, true);
      struct heard bytes = n % 13 == 0 ? sound_hear(prefix, 1, false) : whole;
      assert_memory_equal(&whole.info, &pieces.info, sizeof(whole.info));
      assert_memory_equal(&whole.info, &bytes.info, sizeof(whole.info));
      assert_int_equal(whole.before, pieces.before);
      assert_int_equal(whole.before, bytes.before);
      assert_int_equal(whole.kind, pieces.kind);
      assert_int_equal(whole.after, pieces.after);
    }
  }
}

static void a_verdict_is_final_while_bytes_arrive(void **state) {
  (void)state;
  NEW_SOUND(b);
  sound_mp3(&b, 8000, 1, 32, 2, false, false);
  enum audio_verdict last = AUDIO_UNDECIDED;
  struct audio *a;
  assert_int_equal(audio_new(&a), OK);
  for (size_t i = 0; i < b.n; i++) {
    assert_int_equal(audio_feed(a, str_of(b.p + i, 1)), OK);
    enum audio_verdict now = audio_verdict(a);
    assert_true(last == AUDIO_UNDECIDED || now == last);
    assert_int_equal(audio_kind(a), now == AUDIO_YES ? AUDIO_MP3 : AUDIO_NONE);
    last = now;
  }
  assert_int_equal(last, AUDIO_YES);
  audio_free(a);
  assert_null(audio_free(NULL));
}

/* Where the frames of a file without tags begin, and its end. */
static size_t boundaries(struct str s, size_t *ret_at, size_t max) {
  size_t n = 0, at = 0;
  while (at + 4 <= s.n && n + 1 < max) {
    const unsigned char *h = (const unsigned char *)s.p + at;
    ret_at[n++] = at;
    at += (size_t)(72 * 32000 / 8000 + (h[2] >> 1 & 1)); /* of 8 kHz at 32 kbit/s */
  }
  ret_at[n++] = at;
  return n;
}

static void a_cut_mp3_is_not_whole(void **state) {
  (void)state;
  NEW_SOUND(b);
  size_t at[128];
  sound_mp3(&b, 8000, 1, 32, 3, false, false);
  size_t n = boundaries(buf_str(&b), at, COUNT_OF(at));
  assert_int_equal(at[n - 1], b.n);
  size_t next = 0;
  for (size_t length = AUDIO_LEAST_BYTES; length <= b.n; length += TEST_SIZE(1, 7)) {
    while (at[next] < length) next++;
    struct heard heard = sound_hear(str_of(b.p, length), 65536, false);
    assert_int_equal(heard.info.kind, AUDIO_MP3);
    bool at_boundary = at[next] == length;
    assert_int_equal(heard.info.whole, at_boundary);
    int64_t frames = (int64_t)(at_boundary ? next : next - 1);
    assert_int_equal(heard.info.duration_ms, frames * 576 * 1000 / 8000);
  }
}

static void tags_behind_an_mp3_are_no_cut(void **state) {
  (void)state;
  static const char id3v1[128] = "TAGtitle";
  static const char ape[32 + 40 + 32] = "APETAGEX\xd0\x07\0\0\x48\0\0\0\x01\0\0\0\0\0\0\xa0";
  static const char lyrics[] = "LYRICSBEGININD00002LYR00010some\xff\xfbwords000051LYRICS200";
  const struct {
    const char *name;
    struct str tails[3];
    bool whole;
  } cases[] = {
      {"nothing", {STR_NONE}, true},
      {"ID3v1", {str_of(id3v1, 128)}, true},
      {"half an ID3v1", {str_of(id3v1, 60)}, true},
      {"two letters", {str_of(id3v1, 2)}, true},
      {"APEv2", {str_of(ape, sizeof(ape))}, true},
      {"APEv2 and ID3v1", {str_of(ape, sizeof(ape)), str_of(id3v1, 128)}, true},
      {"Lyrics3 and ID3v1", {str_of(lyrics, sizeof(lyrics) - 1), str_of(id3v1, 128)}, true},
      {"ID3v2 behind", {STR("ID3\4\0\0\0\0\0\3abc")}, true},
      {"zeros", {STR("\0\0\0\0\0\0\0\0\0\0\0")}, true},
      {"zeros and ID3v1", {STR("\0\0\0"), str_of(id3v1, 128)}, true},
      {"half a header", {STR("\xff\xe3")}, false},
      {"a header of another stream", {STR("\xff\xfb\x90\x00zzzz")}, false},
      {"an error page", {STR("<html>upstream died</html>")}, false},
      {"text", {STR("TRAILER")}, false},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    NEW_SOUND(b);
    sound_mp3(&b, 8000, 1, 32, 2, false, false);
    int64_t duration_ms = sound_hear(buf_str(&b), 4096, false).info.duration_ms;
    for (size_t k = 0; k < 3; k++) sound_add(&b, cases[i].tails[k]);
    struct heard heard = sound_hear(buf_str(&b), 64, true);
    if (heard.info.whole != cases[i].whole) fail_msg("%s", cases[i].name);
    assert_int_equal(heard.info.kind, AUDIO_MP3);
    assert_int_equal(heard.info.duration_ms, duration_ms);
  }
}

static void note_heard(void *arg, struct str bytes) {
  sound_add(arg, bytes);
}

/* Feeds an ID3v2 header that announces `claims` bytes, and as many bytes of junk, in pieces. */
static void feed_tag(struct mp3 *m, size_t claims) {
  static char piece[64 * 1024];
  const char header[] = {'I',
                         'D',
                         '3',
                         4,
                         0,
                         0,
                         (char)(claims >> 21 & 127),
                         (char)(claims >> 14 & 127),
                         (char)(claims >> 7 & 127),
                         (char)(claims & 127)};
  memset(piece, 'x', sizeof(piece));
  mp3_feed(m, str_of(header, sizeof(header)));
  for (size_t left = claims; left > 0;) {
    size_t n = left < sizeof(piece) ? left : sizeof(piece);
    mp3_feed(m, str_of(piece, n));
    left -= n;
  }
}

static void only_frames_reach_the_decoder_of_a_file_with_a_large_tag(void **state) {
  (void)state;
  NEW_SOUND(mp3);
  NEW_SOUND(heard);
  struct mp3 m;
  size_t at[2000], count;
  sound_mp3(&mp3, 8000, 1, 32, 10, false, false);
  count = boundaries(buf_str(&mp3), at, COUNT_OF(at));
  assert_true(count > 40);
  mp3_init(&m, buf_str(&mp3), note_heard, &heard);
  mp3_feed(&m, str_head(buf_str(&mp3), at[20]));
  feed_tag(&m, 120 * 1000 * 1000);
  mp3_feed(&m, str_skip(buf_str(&mp3), at[20]));
  assert_true(mp3_is_whole(&m));
  assert_int_equal(heard.n, mp3.n);
  assert_memory_equal(heard.p, mp3.p, mp3.n);
}

static void ignore_samples(void *arg, const int16_t *samples, size_t frames) {
  (void)arg, (void)samples, (void)frames;
}

static void a_decoder_that_makes_no_samples_fails(void **state) {
  (void)state;
  NEW_SOUND(mp3);
  struct decoder *d;
  static char piece[16 * 1024];
  static const char header[] = {'I', 'D', '3', 4, 0, 0, 57, 0, 0, 0}; /* a tag of 120 MB */
  sound_mp3(&mp3, 8000, 1, 32, 3, false, false);
  assert_int_equal(decoder_new(8000, 1, &d), OK);
  assert_int_equal(decoder_feed(d, buf_str(&mp3), ignore_samples, NULL), OK);
  enum err e = decoder_feed(d, str_of(header, sizeof(header)), ignore_samples, NULL);
  size_t fed = 0;
  for (; e == OK && fed < 120 * 1000 * 1000; fed += sizeof(piece))
    e = decoder_feed(d, str_of(piece, sizeof(piece)), ignore_samples, NULL);
  assert_int_equal(e, ERR_CORRUPT);
  assert_true(fed < 1024 * 1024);
  decoder_free(d);
}

static void counting_continues_after_damage(void **state) {
  (void)state;
  NEW_SOUND(b);
  size_t at[128];
  sound_mp3(&b, 8000, 1, 32, 3, false, false);
  size_t n = boundaries(buf_str(&b), at, COUNT_OF(at));
  struct heard before = sound_hear(buf_str(&b), 4096, false);
  b.p[at[10]] = 'x';                              /* a header's sync */
  b.p[at[20] + 3] = (char)(b.p[at[20] + 3] & 63); /* mono becomes stereo */
  struct heard after = sound_hear(buf_str(&b), 100, true);
  assert_int_equal(after.info.channels, 1);
  assert_true(after.info.whole);
  /* Of 43 frames at most the two damaged ones and, where sound looks like a header, a neighbour each are missed. */
  assert_true(n > 40);
  assert_in_range(before.info.duration_ms - after.info.duration_ms, 2 * 72, 4 * 72);
}

static void other_content_is_refused_at_once(void **state) {
  (void)state;
  const struct {
    const char *name;
    struct str bytes;
  } cases[] = {
      {"XML", STR("<?xml version=\"1.0\"?>")},
      {"HTML", STR("<!DOCTYPE html>")},
      {"JSON", STR("{\"code\":20404}")},
      {"spaces", STR("   <html>")},
      {"a mark", STR("\xef\xbb\xbf<?xml")},
      {"UTF-16", STR("\xff\xfe<\0")},
      {"AVI", STR("RIFF\x10\0\0\0AVI LIST")},
      {"zip", STR("PK\3\4")},
      {"PDF", STR("%PDF-1.7")},
      {"gzip", STR("\x1f\x8b\x08\0")},
      {"WAV without a format", STR("RIFF\x10\0\0\0WAVEdata\x10\0\0\0")},
      {"a short format", STR("RIFF\x10\0\0\0WAVEfmt \x0f\0\0\0")},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct heard heard = sound_hear(cases[i].bytes, 4096, false);
    if (heard.before != AUDIO_NO) fail_msg("%s: %d", cases[i].name, heard.before);
    assert_int_equal(heard.info.kind, AUDIO_NONE);
    assert_int_equal(heard.info.duration_ms, -1);
    assert_false(heard.info.whole);
  }
}

static void noise_and_zeros_are_not_audio(void **state) {
  (void)state;
  unsigned seed = 7;
  static char bytes[AUDIO_SNIFF_BYTES];
  for (int round = 0; round < 50; round++) {
    for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (char)(rand_r(&seed) >> 7);
    if (round % 2) bytes[0] = (char)0xff;
    assert_int_equal(sound_hear(str_of(bytes, sizeof(bytes)), 4096, true).before, AUDIO_NO);
  }
  memset(bytes, 0, sizeof(bytes));
  assert_int_equal(sound_hear(str_of(bytes, AUDIO_JUNK_BYTES), 4096, true).before, AUDIO_UNDECIDED);
  assert_int_equal(sound_hear(str_of(bytes, AUDIO_SNIFF_BYTES), 4096, true).before, AUDIO_NO);
  assert_int_equal(sound_hear(str_of(bytes, 3000), 4096, true).after, AUDIO_NO);
  assert_int_equal(sound_hear(STR_NONE, 1, false).after, AUDIO_NO);
}

static void a_tag_at_the_start_is_skipped(void **state) {
  (void)state;
  const size_t sizes[] = {0, 1, 5, 6, 7, 9, 4085, 4086, 4096, 100000, 3 * 1024 * 1024};
  for (size_t i = 0; i < COUNT_OF(sizes); i++) {
    NEW_SOUND(b);
    sound_id3(&b, sizes[i]);
    assert_int_equal(sound_hear(buf_str(&b), 65536, true).before, AUDIO_UNDECIDED);
    sound_zeros(&b, 100); /* padding that the tag does not know of */
    sound_mp3(&b, 8000, 1, 32, 1, false, true);
    struct heard heard = sound_hear(buf_str(&b), 65536, true);
    assert_int_equal(heard.after, AUDIO_YES);
    assert_int_equal(heard.info.duration_ms, 1000);
  }
}

static void sound_behind_tags_and_junk_is_found(void **state) {
  (void)state;
  static const char ape[32 + 40] = "APETAGEX\xd0\x07\0\0\x28";
  static const char id3v1[128] = "TAGtitle";
  const struct {
    const char *name;
    struct str before;
    size_t junk_bytes;
    enum audio_verdict verdict;
  } cases[] = {
      {"a byte order mark", STR("\xef\xbb\xbf"), 0, AUDIO_YES},
      {"an APE tag", str_of(ape, sizeof(ape)), 0, AUDIO_YES},
      {"an old ID3v1 tag", str_of(id3v1, sizeof(id3v1)), 0, AUDIO_YES},
      {"what only begins like an ID3v2 tag", STR("ID3\xff\0\0\0\0\0\0........"), 0, AUDIO_YES},
      {"a byte of junk", STR("x"), 0, AUDIO_YES},
      {"a bracket of junk", STR("{\x80"), 0, AUDIO_YES},
      {"a frame's header without its frame", STR("\xff\xfb\x90\x00zzzz"), 0, AUDIO_YES},
      {"64 KiB of junk", STR_NONE, AUDIO_JUNK_BYTES, AUDIO_YES},
      {"more junk", STR_NONE, AUDIO_JUNK_BYTES + 1, AUDIO_NO},
      {"an error page", STR("<html>"), 100, AUDIO_NO},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    NEW_SOUND(b);
    sound_add(&b, cases[i].before);
    for (size_t k = 0; k < cases[i].junk_bytes; k++) sound_add(&b, STR("j"));
    sound_mp3(&b, 8000, 1, 32, 2, false, true);
    struct heard heard = sound_hear(buf_str(&b), 700, true);
    if (heard.after != cases[i].verdict) fail_msg("%s: %d", cases[i].name, heard.after);
    if (heard.after == AUDIO_YES) assert_int_equal(heard.info.duration_ms, 2000);
  }
}

static void sound_that_begins_with_half_a_frame_is_found(void **state) {
  (void)state;
  NEW_SOUND(b);
  sound_mp3(&b, 8000, 1, 32, 2, false, false);
  for (size_t cut = 1; cut < 300; cut += 7) {
    struct heard heard = sound_hear(str_skip(buf_str(&b), cut), 700, true);
    assert_int_equal(heard.info.kind, AUDIO_MP3);
    assert_in_range(heard.info.duration_ms, 1900, 2150);
  }
}

static void long_text_is_refused_before_its_end(void **state) {
  (void)state;
  NEW_SOUND(b);
  while (b.n < AUDIO_SNIFF_BYTES) sound_add(&b, STR("Not Found\n"));
  assert_int_equal(sound_hear(buf_str(&b), 700, true).before, AUDIO_NO);
  assert_int_equal(sound_hear(str_head(buf_str(&b), 2000), 700, true).after, AUDIO_NO);
}

static void an_mp3_whose_rate_changes_lasts_as_long_as_its_frames(void **state) {
  (void)state;
  NEW_SOUND(b);
  sound_mp3(&b, 8000, 1, 32, 4, false, false);
  int64_t first_ms = sound_hear(buf_str(&b), 65536, false).info.duration_ms;
  size_t first_bytes = b.n;
  sound_mp3(&b, 44100, 2, 128, 6, false, false);
  struct str second = str_skip(buf_str(&b), first_bytes);
  int64_t second_ms = sound_hear(second, 65536, false).info.duration_ms;
  struct heard both = sound_hear(buf_str(&b), 3000, true);
  assert_true(both.info.whole);
  assert_in_range(both.info.duration_ms, first_ms + second_ms, first_ms + second_ms + 1);
  assert_in_range(both.info.duration_ms, 10000, 10400);
}

static void real_prompts_are_recognised(void **state) {
  (void)state;
  const char *directory = "/usr/share/asterisk/sounds/en_US_f_Allison";
  DIR *d = opendir(directory);
  if (!d) {
    print_message("# skipped: %s is not there\n", directory);
    skip();
  }
  int files = 0, dir = dirfd(d);
  for (struct dirent *entry = readdir(d); entry; entry = readdir(d)) {
    if (!str_ends(str_from(entry->d_name), STR(".wav"))) continue;
    char *bytes;
    size_t size;
    assert_int_equal(fs_read_whole(dir, entry->d_name, SOUND_MAX_BYTES, &bytes, &size), OK);
    struct heard heard = sound_hear(str_of(bytes, size), 3000, true);
    if (size > 1044) {
      assert_int_equal(heard.info.kind, AUDIO_WAV);
      assert_int_equal(heard.info.sample_rate, 8000);
      assert_int_equal(heard.info.channels, 1);
      assert_in_range(heard.info.duration_ms, (size - 200) / 16, size / 16);
      assert_true(heard.info.whole);
      struct heard cut = sound_hear(str_of(bytes, size / 2 > 1001 ? size / 2 : 1001), 3000, true);
      assert_false(cut.info.whole);
    }
    free(bytes);
    files++;
  }
  closedir(d);
  assert_true(files > 100);
}

static void kinds_have_names(void **state) {
  (void)state;
  const struct {
    enum audio_kind kind;
    const char *extension, *type;
  } cases[] = {
      {AUDIO_MP3, "mp3", "audio/mpeg"},   {AUDIO_WAV, "wav", "audio/wav"},    {AUDIO_OGG, "ogg", "audio/ogg"},
      {AUDIO_FLAC, "flac", "audio/flac"}, {AUDIO_M4A, "m4a", "audio/mp4"},    {AUDIO_AMR, "amr", "audio/amr"},
      {AUDIO_AAC, "aac", "audio/aac"},    {AUDIO_WEBM, "webm", "audio/webm"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    assert_string_equal(audio_extension(cases[i].kind), cases[i].extension);
    assert_string_equal(audio_content_type(cases[i].kind), cases[i].type);
    assert_int_equal(audio_kind_of_extension(str_from(cases[i].extension)), cases[i].kind);
  }
  assert_int_equal(audio_kind_of_extension(STR("MP3")), AUDIO_MP3);
  const char *others[] = {"", "part", "bin", "mp", "mp33", "txt"};
  for (size_t i = 0; i < COUNT_OF(others); i++) {
    assert_int_equal(audio_kind_of_extension(str_from(others[i])), AUDIO_NONE);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_mp3_lasts_as_long_as_it_decodes),
      cmocka_unit_test(the_verdict_does_not_depend_on_how_bytes_are_split),
      cmocka_unit_test(a_verdict_is_final_while_bytes_arrive),
      cmocka_unit_test(a_cut_mp3_is_not_whole),
      cmocka_unit_test(tags_behind_an_mp3_are_no_cut),
      cmocka_unit_test(only_frames_reach_the_decoder_of_a_file_with_a_large_tag),
      cmocka_unit_test(a_decoder_that_makes_no_samples_fails),
      cmocka_unit_test(counting_continues_after_damage),
      cmocka_unit_test(other_content_is_refused_at_once),
      cmocka_unit_test(noise_and_zeros_are_not_audio),
      cmocka_unit_test(a_tag_at_the_start_is_skipped),
      cmocka_unit_test(sound_behind_tags_and_junk_is_found),
      cmocka_unit_test(sound_that_begins_with_half_a_frame_is_found),
      cmocka_unit_test(long_text_is_refused_before_its_end),
      cmocka_unit_test(an_mp3_whose_rate_changes_lasts_as_long_as_its_frames),
      cmocka_unit_test(real_prompts_are_recognised),
      cmocka_unit_test(kinds_have_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
