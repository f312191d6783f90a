/* Tags, also within a stream and such that claim more than they have; streams that change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "sound.h"

#define NEW_SOUND(name) struct buf name CLEANUP(buf_done) = BUF_INIT(SOUND_MAX_BYTES)

static void add_ape(struct buf *b, uint32_t claims, bool is_header) {
  sound_add(b, STR("APETAGEX\xd0\x07\0\0"));
  sound_le32(b, claims);
  sound_le32(b, 1);
  sound_le32(b, is_header ? 0xa0000000 : 0x80000000);
  sound_zeros(b, 8);
}

static void add_id3(struct buf *b, uint32_t claims) {
  const char head[] = {'I',
                       'D',
                       '3',
                       4,
                       0,
                       0,
                       (char)(claims >> 21),
                       (char)(claims >> 14 & 127),
                       (char)(claims >> 7 & 127),
                       (char)(claims & 127)};
  sound_add(b, str_of(head, sizeof(head)));
}

/* Frames of 8 kHz at 32 kbit/s have 288 bytes and last 72 ms. */
enum { FRAME_BYTES = 288, FRAME_MS = 72 };

/* claims: bytes that the tag says it has; here: that it really has. */
enum tag_kind { TAG_ID3, TAG_APE, TAG_LYRICS, TAG_ID3V1 };

struct tag {
  const char *name;
  enum tag_kind kind;
  uint32_t claims, here;
};

static const struct tag TAGS[] = {
    {"an ID3v2 tag", TAG_ID3, 5000, 5000},
    {"an empty ID3v2 tag", TAG_ID3, 0, 0},
    {"an ID3v2 tag that claims too much", TAG_ID3, 0xfffffff, 5000},
    {"an ID3v2 tag that claims all", TAG_ID3, 0xfffffff, 0},
    {"an APE tag", TAG_APE, 5000, 5000},
    {"an APE tag that claims too much", TAG_APE, 0xffffffff, 5000},
    {"lyrics", TAG_LYRICS, 0, 5000},
    {"an ID3v1 tag", TAG_ID3V1, 125, 125},
};

static void add_tag(struct buf *b, const struct tag *tag) {
  if (tag->kind == TAG_LYRICS)
    sound_add(b, STR("LYRICSBEGIN"));
  else if (tag->kind == TAG_ID3V1)
    sound_add(b, STR("TAG"));
  else if (tag->kind == TAG_APE)
    add_ape(b, tag->claims, true);
  else
    add_id3(b, tag->claims);
  for (uint32_t i = 0; i < tag->here; i++) sound_add(b, i % 7 ? STR("p") : STR("\xff"));
}

static void tags_do_not_hide_the_frames_behind_them(void **state) {
  (void)state;
  NEW_SOUND(mp3);
  sound_mp3(&mp3, 8000, 1, 32, 6, false, false);
  assert_int_equal(mp3.n % FRAME_BYTES, 0);
  for (size_t frames_behind = 4; frames_behind < 60; frames_behind += 11) {
    for (size_t i = 0; i < COUNT_OF(TAGS); i++) {
      for (int is_within = TAGS[i].kind == TAG_LYRICS; is_within <= 1; is_within++) {
        NEW_SOUND(b);
        if (is_within) sound_add(&b, str_head(buf_str(&mp3), 20 * FRAME_BYTES));
        add_tag(&b, &TAGS[i]);
        sound_add(&b, str_head(buf_str(&mp3), frames_behind * FRAME_BYTES));
        struct heard heard = sound_hear(buf_str(&b), 500, true), bytes = sound_hear(buf_str(&b), 1, false);
        int64_t frames = (int64_t)frames_behind + (is_within ? 20 : 0);
        if (heard.after != AUDIO_YES || heard.info.duration_ms != frames * FRAME_MS)
          fail_msg("%s, %d, %zu frames: %lld ms", TAGS[i].name, is_within, frames_behind,
                   (long long)heard.info.duration_ms);
        assert_true(heard.info.whole);
        assert_true(heard.info.peaks_bytes > 0);
        assert_int_equal(heard.info.kind, bytes.info.kind);
        assert_int_equal(heard.info.duration_ms, bytes.info.duration_ms);
        struct heard cut = sound_hear(str_head(buf_str(&b), b.n - 1), 500, true);
        if (cut.after == AUDIO_YES && TAGS[i].claims == TAGS[i].here) assert_false(cut.info.whole);
      }
    }
  }
}

/* 5 s of sound that is no MP3. */
static void add_other_sound(struct buf *b, enum audio_kind kind) {
  if (kind == AUDIO_WAV) {
    enum { BYTES = 80000 };
    sound_wav(b, 1, 1, 8000, 16, BYTES, 0);
    for (int i = 0; i < BYTES; i++) sound_add(b, str_of(&(char){(char)(i * 37)}, 1));
  } else if (kind == AUDIO_AMR) {
    sound_add(b, STR("#!AMR\n"));
    for (int i = 0; i < 250; i++) sound_add(b, STR("\x3c..............................."));
  } else if (kind == AUDIO_AAC) {
    for (int i = 0; i < 40; i++) sound_add(b, STR("\xff\xf1\x6c\x40\x02\x1f\xfc\xff\xf1......."));
    for (int i = 0; i < 40; i++)
      sound_add(b, STR("\xff\xf1\x6c\x40\x07\x1f\xfc................................................."));
  }
}

static void tags_do_not_hide_sound_of_other_kinds(void **state) {
  (void)state;
  static const enum audio_kind kinds[] = {AUDIO_WAV, AUDIO_AMR, AUDIO_AAC};
  static const int ms[] = {5000, 5000, 80 * 1024 / 8}; /* AAC of 8 kHz */
  for (size_t i = 0; i < COUNT_OF(kinds); i++) {
    for (size_t k = 0; k < COUNT_OF(TAGS); k++) {
      if (TAGS[k].kind != TAG_ID3 && TAGS[k].kind != TAG_APE) continue;
      struct tag tag = TAGS[k];
      for (int is_little_too_much = 0; is_little_too_much <= (tag.claims > 5000); is_little_too_much++) {
        NEW_SOUND(b);
        if (is_little_too_much) tag.claims = 6500;
        add_tag(&b, &tag);
        add_other_sound(&b, kinds[i]);
        struct heard heard = sound_hear(buf_str(&b), 500, true), bytes = sound_hear(buf_str(&b), 1, false);
        int64_t missing_ms = ms[i] - heard.info.duration_ms;
        if (heard.info.kind != kinds[i] || missing_ms < 0 || missing_ms > (kinds[i] == AUDIO_AAC ? 128 : 0))
          fail_msg("%s, %zu: kind %d, %lld ms", tag.name, i, heard.info.kind, (long long)heard.info.duration_ms);
        assert_true(heard.info.whole);
        assert_int_equal(heard.info.peaks_bytes > 0, kinds[i] == AUDIO_WAV);
        assert_int_equal(heard.info.duration_ms, bytes.info.duration_ms);
        assert_int_equal(heard.info.peaks_bytes, bytes.info.peaks_bytes);
      }
    }
  }
}

/* A tag may hold a sound, of whatever kind: what follows the tag counts. */
static void a_sound_in_a_true_tag_does_not_count(void **state) {
  (void)state;
  static const enum audio_kind kinds[] = {AUDIO_WAV, AUDIO_AMR, AUDIO_AAC};
  for (size_t i = 0; i < COUNT_OF(kinds); i++) {
    NEW_SOUND(b);
    NEW_SOUND(inside);
    add_other_sound(&inside, kinds[i]);
    add_id3(&b, (uint32_t)inside.n);
    sound_add(&b, buf_str(&inside));
    size_t tag_bytes = b.n;
    sound_mp3(&b, 8000, 1, 32, 6, false, false);
    struct heard heard = sound_hear(buf_str(&b), 500, true);
    assert_int_equal(heard.info.kind, AUDIO_MP3);
    assert_int_equal(heard.info.duration_ms, (b.n - tag_bytes) / FRAME_BYTES * FRAME_MS);
    assert_true(heard.info.peaks_bytes > 0);
  }
}

static void a_large_tag_within_is_skipped(void **state) {
  enum { PIECE_BYTES = 1024 * 1024, TAG_BYTES = 64 * PIECE_BYTES };
  (void)state;
  NEW_SOUND(mp3);
  NEW_SOUND(head);
  NEW_SOUND(piece);
  struct audio *a;
  struct audio_info info;
  sound_mp3(&mp3, 8000, 1, 32, 6, false, false);
  add_ape(&head, TAG_BYTES, true);
  while (piece.n < PIECE_BYTES) sound_add(&piece, STR("some text\xff\xe3 and more of it \0\xff"));
  piece.n = PIECE_BYTES;
  assert_int_equal(audio_new(&a), OK);
  assert_int_equal(audio_feed(a, buf_str(&mp3)), OK);
  assert_int_equal(audio_feed(a, buf_str(&head)), OK);
  for (int i = 0; i < TAG_BYTES / PIECE_BYTES; i++) assert_int_equal(audio_feed(a, buf_str(&piece)), OK);
  assert_int_equal(audio_feed(a, buf_str(&mp3)), OK);
  audio_finish(a, &info);
  audio_free(a);
  assert_int_equal(info.duration_ms, 2 * mp3.n / FRAME_BYTES * FRAME_MS);
  assert_true(info.whole);
  assert_true(info.peaks_bytes > 0);
}

static void what_begins_like_a_tag_is_judged_as_one_however_it_is_split(void **state) {
  (void)state;
  NEW_SOUND(b);
  sound_add(&b, STR("TAG#!AMR\n"));
  for (int i = 0; i < 100; i++) sound_add(&b, STR("\x3c..............................."));
  struct heard whole = sound_hear(buf_str(&b), b.n, false), bytes = sound_hear(buf_str(&b), 1, false);
  assert_int_equal(whole.info.kind, AUDIO_AMR); /* it began in the tag, which has fewer than 128 bytes */
  assert_memory_equal(&whole.info, &bytes.info, sizeof(whole.info));
}

static void an_ape_tag_without_a_header_ends_a_file(void **state) {
  (void)state;
  static const char id3v1[128] = "TAGtitle";
  NEW_SOUND(b);
  sound_mp3(&b, 8000, 1, 32, 6, false, false);
  size_t frames = b.n / FRAME_BYTES;
  for (int i = 0; i < 10; i++) sound_add(&b, STR("\x05\0\0\0\0\0\0\0Title\0words"));
  add_ape(&b, 10 * 19 + 32, false);
  sound_add(&b, str_of(id3v1, sizeof(id3v1)));
  struct heard heard = sound_hear(buf_str(&b), 500, true);
  assert_true(heard.info.whole);
  assert_int_equal(heard.info.duration_ms, frames * FRAME_MS);
}

static uint32_t le32_at(const char *p) {
  const unsigned char *u = (const unsigned char *)p;
  return (uint32_t)u[3] << 24 | (uint32_t)u[2] << 16 | (uint32_t)u[1] << 8 | u[0];
}

/* Seconds of the waveform, and the share of its points in the part from `from` to `to` that are not silent. */
static double picture_seconds(const struct audio_info *info) {
  assert_true(info->peaks_bytes > PEAKS_HEADER_BYTES);
  double points = le32_at(info->peaks + 16), a_point = le32_at(info->peaks + 12), rate = le32_at(info->peaks + 8);
  return points * a_point / rate;
}

static double loud_share(const struct audio_info *info, double from, double to) {
  size_t points = le32_at(info->peaks + 16), channels = le32_at(info->peaks + 20), loud = 0;
  size_t first = (size_t)(from * (double)points), end = (size_t)(to * (double)points);
  for (size_t i = first; i < end; i++)
    if (info->peaks[PEAKS_HEADER_BYTES + i * channels * 2 + 1] > 8) loud++;
  return (double)loud / (double)(end - first);
}

static void a_stream_that_changes_has_a_waveform_of_its_time(void **state) {
  (void)state;
  static const struct {
    int rate, channels, kbit;
  } streams[] = {{8000, 1, 32}, {44100, 2, 128}, {16000, 2, 48}, {48000, 1, 64}};
  for (size_t i = 0; i < COUNT_OF(streams); i++) {
    for (size_t k = 0; k < COUNT_OF(streams); k++) {
      NEW_SOUND(b);
      sound_mp3(&b, streams[i].rate, streams[i].channels, streams[i].kbit, 4, false, false);
      sound_mp3(&b, streams[k].rate, streams[k].channels, streams[k].kbit, 6, false, false);
      sound_mp3(&b, streams[i].rate, streams[i].channels, streams[i].kbit, 4, false, false);
      struct heard heard = sound_hear(buf_str(&b), 3000, true);
      double seconds = (double)heard.info.duration_ms / 1000;
      assert_true(heard.info.whole);
      assert_int_equal(heard.info.channels, streams[i].channels);
      assert_true(seconds > 13.9 && seconds < 14.8);
      double shown = picture_seconds(&heard.info);
      if (shown < seconds - 0.5 || shown > seconds + 0.5) fail_msg("%zu then %zu: %f of %f s", i, k, shown, seconds);
      for (int part = 0; part < 7; part++) {
        double loud = loud_share(&heard.info, (part * 2 + 0.2) / 14, (part * 2 + 1.8) / 14);
        if (loud < 0.8) fail_msg("%zu then %zu, from second %d: %f", i, k, part * 2, loud);
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tags_do_not_hide_the_frames_behind_them),
      cmocka_unit_test(tags_do_not_hide_sound_of_other_kinds),
      cmocka_unit_test(a_sound_in_a_true_tag_does_not_count),
      cmocka_unit_test(a_large_tag_within_is_skipped),
      cmocka_unit_test(what_begins_like_a_tag_is_judged_as_one_however_it_is_split),
      cmocka_unit_test(an_ape_tag_without_a_header_ends_a_file),
      cmocka_unit_test(a_stream_that_changes_has_a_waveform_of_its_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
