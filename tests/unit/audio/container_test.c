/* Audio in containers that is not decoded: its duration, whether it has any sound, junk before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "sound.h"

#define NEW_SOUND(name) struct buf name CLEANUP(buf_done) = BUF_INIT(SOUND_MAX_BYTES)

static void add_big(struct buf *b, uint64_t value, size_t n) {
  for (size_t i = n; i > 0; i--) {
    const char byte = (char)(value >> (8 * (i - 1)) & 255);
    sound_add(b, str_of(&byte, 1));
  }
}

static void add_times(struct buf *b, struct str s, int times) {
  for (int i = 0; i < times; i++) sound_add(b, s);
}

/* ---- makers of files ---- */

static size_t box_begin(struct buf *b, const char *name) {
  size_t at = b->n;
  add_big(b, 0, 4);
  sound_add(b, str_from(name));
  return at;
}

static void box_end(struct buf *b, size_t at) {
  size_t size = b->n - at;
  for (size_t i = 0; i < 4; i++) b->p[at + i] = (char)(size >> (24 - 8 * i) & 255);
}

static void add_ftyp(struct buf *b) {
  sound_add(b, STR("\0\0\0\x10"
                   "ftypM4A \0\0\2\0"));
}

static void add_mdat(struct buf *b, size_t bytes) {
  size_t mdat = box_begin(b, "mdat");
  sound_zeros(b, bytes);
  box_end(b, mdat);
}

static void add_mvhd(struct buf *b, int version, uint32_t units, uint64_t duration) {
  size_t at = box_begin(b, "mvhd");
  add_big(b, (uint64_t)version << 24, 4);
  sound_zeros(b, version == 1 ? 16 : 8);
  add_big(b, units, 4);
  add_big(b, duration, version == 1 ? 8 : 4);
  sound_zeros(b, 80);
  box_end(b, at);
}

static void add_track(struct buf *b, uint32_t id, uint32_t units, const char *handler, uint32_t stts_samples) {
  size_t trak = box_begin(b, "trak"), at = box_begin(b, "tkhd");
  sound_zeros(b, 12);
  add_big(b, id, 4);
  sound_zeros(b, 68);
  box_end(b, at);
  size_t mdia = box_begin(b, "mdia");
  at = box_begin(b, "mdhd");
  sound_zeros(b, 12);
  add_big(b, units, 4);
  sound_zeros(b, 8);
  box_end(b, at);
  at = box_begin(b, "hdlr");
  sound_zeros(b, 8);
  sound_add(b, str_from(handler));
  sound_zeros(b, 12);
  box_end(b, at);
  at = box_begin(b, "minf");
  size_t stbl = box_begin(b, "stbl"), stts = box_begin(b, "stts");
  add_big(b, 0, 4);
  add_big(b, stts_samples > 0 ? 2 : 0, 4);
  if (stts_samples > 0) {
    add_big(b, stts_samples - 1, 4);
    add_big(b, 1024, 4);
    add_big(b, 1, 4);
    add_big(b, 1024, 4);
  }
  box_end(b, stts);
  box_end(b, stbl);
  box_end(b, at);
  box_end(b, mdia);
  box_end(b, trak);
}

static void add_default(struct buf *b, uint32_t track, uint32_t units) {
  size_t at = box_begin(b, "trex");
  add_big(b, 0, 4);
  add_big(b, track, 4);
  add_big(b, 1, 4);
  add_big(b, units, 4);
  sound_zeros(b, 8);
  box_end(b, at);
}

/* A fragment of `samples` samples; units 0: as long as trex says; each: their durations stand in the run. */
static void add_fragment(struct buf *b, uint32_t track, uint32_t samples, uint32_t units, bool each) {
  size_t moof = box_begin(b, "moof"), traf = box_begin(b, "traf"), at = box_begin(b, "tfhd");
  add_big(b, units > 0 && !each ? 0xa : 2, 4);
  add_big(b, track, 4);
  add_big(b, 1, 4);
  if (units > 0 && !each) add_big(b, units, 4);
  box_end(b, at);
  at = box_begin(b, "trun");
  add_big(b, each ? 0xf05 : 0x205, 4);
  add_big(b, samples, 4);
  sound_zeros(b, 8);
  for (uint32_t i = 0; i < samples; i++) {
    if (each) add_big(b, units, 4);
    sound_zeros(b, each ? 12 : 4);
  }
  box_end(b, at);
  box_end(b, traf);
  box_end(b, moof);
  add_mdat(b, samples * 10);
}

static void make_m4a(struct buf *b, int version, bool movie_first) {
  add_ftyp(b);
  if (!movie_first) add_mdat(b, 2000);
  size_t moov = box_begin(b, "moov");
  add_mvhd(b, version, 1000, 10000);
  add_track(b, 1, 8000, "soun", 78);
  box_end(b, moov);
  if (movie_first) add_mdat(b, 2000);
}

enum fragments { OF_DEFAULTS, OF_HEADERS, OF_ENTRIES, OF_TABLE };

static void make_fragmented(struct buf *b, enum fragments how, uint64_t told_ms) {
  add_ftyp(b);
  size_t moov = box_begin(b, "moov");
  add_mvhd(b, 0, 1000, 0);
  add_track(b, 1, 90000, "vide", 0);
  add_track(b, 2, 8000, "soun", how == OF_TABLE ? 16 : 0);
  size_t mvex = box_begin(b, "mvex");
  if (told_ms > 0) {
    size_t at = box_begin(b, "mehd");
    add_big(b, 1 << 24, 4);
    add_big(b, told_ms, 8);
    box_end(b, at);
  }
  add_default(b, 1, 3000);
  add_default(b, 2, how == OF_DEFAULTS ? 1024 : 7);
  box_end(b, mvex);
  box_end(b, moov);
  for (int i = 0; told_ms == 0 && i < 10; i++) {
    add_fragment(b, 1, 30, 0, false);
    add_fragment(b, 2, 8, how == OF_DEFAULTS ? 0 : 1024, how == OF_ENTRIES);
  }
  if (told_ms > 0) add_mdat(b, 2000);
}

static void add_element(struct buf *b, uint64_t id, size_t id_bytes, struct str body) {
  add_big(b, id, id_bytes);
  add_big(b, (uint64_t)1 << 28 | body.n, 4);
  sound_add(b, body);
}

static void add_block(struct buf *b, bool simple, int time, int duration) {
  NEW_SOUND(body);
  add_big(&body, 0x81, 1);
  add_big(&body, (uint64_t)time & 0xffff, 2);
  sound_zeros(&body, 31);
  if (simple) {
    add_element(b, 0xa3, 1, buf_str(&body));
    return;
  }
  NEW_SOUND(group);
  const char units = (char)duration;
  add_element(&group, 0xa1, 1, buf_str(&body));
  add_element(&group, 0x9b, 1, str_of(&units, 1));
  add_element(b, 0xa0, 1, buf_str(&group));
}

/* duration: what Info says as a float; NULL: nothing. Two clusters, whose last block begins at 9980 ms. */
static void make_webm(struct buf *b, const char *duration, bool live, bool simple, uint32_t scale_ns) {
  NEW_SOUND(info);
  NEW_SOUND(scale);
  int ms = (int)(1000000 / scale_ns);
  add_big(&scale, scale_ns, 3);
  add_element(&info, 0x2ad7b1, 3, buf_str(&scale));
  add_element(&info, 0x4d80, 2, STR("callreel"));
  if (duration) add_element(&info, 0x4489, 2, str_of(duration, 4));
  add_element(b, 0x1a45dfa3, 4, STR("\x42\x82\x84webm"));
  add_big(b, 0x18538067, 4);
  add_big(b, live ? 0xff : 0x01ffffffffffffff, live ? 1 : 8);
  add_element(b, 0x1549a966, 4, buf_str(&info));
  add_element(b, 0x1654ae6b, 4, STR("\xae\x8a\xd7\x81\x01\x83\x81\x02\xe1\x83\x9f\x81\x02"));
  for (int cluster = 0; cluster < 2; cluster++) {
    NEW_SOUND(time);
    add_big(b, 0x1f43b675, 4);
    add_big(b, live ? 0xff : 0x01ffffffffffffff, live ? 1 : 8);
    add_big(&time, (uint64_t)(cluster * 5000 * ms), 4);
    add_element(b, 0xe7, 1, buf_str(&time));
    for (int i = 0; i < 250; i++) add_block(b, simple, i * 20 * ms, 20 * ms);
  }
}

static void add_ogg_page(struct buf *b, char flags, uint32_t granule, const char *serial, struct str body) {
  sound_add(b, STR("OggS\0"));
  sound_add(b, str_of(&flags, 1));
  sound_le32(b, granule);
  sound_le32(b, 0);
  sound_add(b, str_from(serial));
  sound_add(b, STR("........"));
  const char lengths[] = {1, (char)body.n};
  sound_add(b, str_of(lengths, 2));
  sound_add(b, body);
}

#define OPUS STR("OpusHead\1\2\x38\1\x80\xbb\0\0\0\0\0")

static void make_ogg(struct buf *b, struct str codec, uint32_t delay, uint32_t a_second) {
  static const char packet[250];
  add_ogg_page(b, 2, 0, "abcd", codec);
  for (uint32_t i = 1; i <= 10; i++) add_ogg_page(b, 0, delay + i * a_second, "abcd", str_of(packet, sizeof(packet)));
}

/* STREAMINFO of 8 kHz, two channels, 16 bits; then a comment, and a frame if there is sound. */
static void make_flac(struct buf *b, uint32_t samples, bool has_sound) {
  sound_add(b, STR("fLaC\0\0\0\x22\x10\0\x10\0\0\0\0\0\0\0\x01\xf4\x02\xf0"));
  add_big(b, samples, 4);
  sound_zeros(b, 16);
  sound_add(b, STR("\x04\0\x10\0"));
  add_times(b, STR("\xff\xf8"), 0x1000 / 2); /* as frames would look */
  sound_add(b, STR("\x81\0\0\0"));
  if (!has_sound) return;
  sound_add(b, STR("\xff\xf8"));
  sound_zeros(b, 2000);
}

/* ---- tests ---- */

enum { FILES = 20 };

static const struct known_file {
  const char *name;
  enum audio_kind kind;
  int64_t duration_ms;
  int channels;
} FILES_OF[FILES] = {
    {"M4A", AUDIO_M4A, 10000, 0},
    {"M4A with its movie first", AUDIO_M4A, 10000, 0},
    {"fragments as long as trex says", AUDIO_M4A, 10240, 0},
    {"fragments as long as their headers say", AUDIO_M4A, 10240, 0},
    {"fragments as long as their entries say", AUDIO_M4A, 10240, 0},
    {"fragments as long as mehd says", AUDIO_M4A, 12345, 0},
    {"WebM", AUDIO_WEBM, 10000, 2},
    {"WebM as a browser records it", AUDIO_WEBM, 9980, 2},
    {"WebM with block groups", AUDIO_WEBM, 10000, 2},
    {"WebM with another scale", AUDIO_WEBM, 9980, 2},
    {"Opus", AUDIO_OGG, 10000, 2},
    {"Vorbis", AUDIO_OGG, 10000, 1},
    {"Ogg of another codec", AUDIO_OGG, -1, 0},
    {"Ogg with another stream first", AUDIO_OGG, 10000, 2},
    {"FLAC", AUDIO_FLAC, 10000, 2},
    {"FLAC that does not know its length", AUDIO_FLAC, -1, 2},
    {"AAC", AUDIO_AAC, 16000, 1},
    {"AMR", AUDIO_AMR, 10000, 1},
    {"AMR-WB", AUDIO_AMR, 10000, 1},
    {"fragments behind samples in the movie", AUDIO_M4A, 12288, 0},
};

static void make_file(int which, struct buf *b) {
  switch (which) {
    case 0:
    case 1:
      make_m4a(b, which, which == 1);
      return;
    case 2:
    case 3:
    case 4:
      make_fragmented(b, (enum fragments)(which - 2), 0);
      return;
    case 5:
      make_fragmented(b, OF_DEFAULTS, 12345);
      return;
    case 6:
      make_webm(b, "\x46\x1c\x40\x00", false, true, 1000000); /* 10000.0 */
      return;
    case 7:
    case 8:
      make_webm(b, NULL, true, which == 7, 1000000);
      return;
    case 9:
      make_webm(b, NULL, false, true, 500000);
      return;
    case 10:
      make_ogg(b, OPUS, 312, 48000);
      return;
    case 11:
      make_ogg(b, STR("\1vorbis\0\0\0\0\1\x40\x1f\0\0\0\0\0\0"), 0, 8000);
      return;
    case 12:
      make_ogg(b, STR("another codec, of which nothing is known"), 0, 8000);
      return;
    case 13:
      add_ogg_page(b, 2, 0, "zzzz", STR("fishead\0.........................................................."));
      make_ogg(b, OPUS, 312, 48000);
      return;
    case 14:
    case 15:
      make_flac(b, which == 14 ? 80000 : 0, true);
      return;
    case 16:
      add_times(b, STR("\xff\xf1\x6c\x40\x02\x1f\xfc........."), 125); /* 8 kHz */
      return;
    case 19:
      make_fragmented(b, OF_TABLE, 0);
      return;
    default:
      sound_add(b, which == 17 ? STR("#!AMR\n") : STR("#!AMR-WB\n"));
      for (int i = 0; i < 500; i++) {
        sound_add(b, which == 17 ? STR("\x3c") : STR("\x04"));
        sound_zeros(b, which == 17 ? 31 : 17);
      }
      return;
  }
}

static void assert_heard(const char *name, const struct known_file *file, const struct heard *heard) {
  if (heard->after != AUDIO_YES || heard->info.kind != file->kind) fail_msg("%s: kind %d", name, heard->info.kind);
  if (heard->info.duration_ms != file->duration_ms) fail_msg("%s: %lld ms", name, (long long)heard->info.duration_ms);
  if (heard->info.channels != file->channels) fail_msg("%s: %d channels", name, heard->info.channels);
}

static void containers_tell_their_duration(void **state) {
  (void)state;
  for (int i = 0; i < FILES; i++) {
    NEW_SOUND(b);
    make_file(i, &b);
    struct heard heard = sound_hear(buf_str(&b), 60, true), bytes = sound_hear(buf_str(&b), 1, false);
    assert_heard(FILES_OF[i].name, &FILES_OF[i], &heard);
    assert_memory_equal(&heard.info, &bytes.info, sizeof(heard.info));
    if (!heard.info.whole) fail_msg("%s: not whole", FILES_OF[i].name);
    struct heard cut = sound_hear(str_head(buf_str(&b), b.n - 1), 60, true);
    if (cut.info.whole != (FILES_OF[i].kind == AUDIO_FLAC)) fail_msg("%s: cut", FILES_OF[i].name);
  }
}

static void containers_behind_junk_and_tags_are_found(void **state) {
  (void)state;
  const size_t junk[] = {1, 7, 1000, AUDIO_JUNK_BYTES, AUDIO_JUNK_BYTES + 1};
  for (int i = 0; i < FILES; i++) {
    for (size_t k = 0; k < COUNT_OF(junk); k++) {
      NEW_SOUND(b);
      add_times(&b, STR("j"), (int)junk[k]);
      make_file(i, &b);
      struct heard heard = sound_hear(buf_str(&b), 5000, true);
      /* AAC and AMR continue after a cut: the rest at their beginning is junk, too. */
      if (junk[k] > AUDIO_JUNK_BYTES)
        assert_int_equal(heard.after, AUDIO_NO);
      else
        assert_heard(FILES_OF[i].name, &FILES_OF[i], &heard);
    }
    NEW_SOUND(tagged);
    sound_id3(&tagged, 100 * 1000);
    make_file(i, &tagged);
    struct heard heard = sound_hear(buf_str(&tagged), 5000, true);
    assert_heard(FILES_OF[i].name, &FILES_OF[i], &heard);
  }
}

static void a_wav_behind_junk_is_found(void **state) {
  (void)state;
  const size_t junk[] = {1, 3, 1000, AUDIO_JUNK_BYTES, AUDIO_JUNK_BYTES + 1};
  for (size_t k = 0; k < COUNT_OF(junk); k++) {
    NEW_SOUND(b);
    add_times(&b, STR("R"), (int)junk[k]);
    sound_wav(&b, 1, 2, 8000, 16, 64000, 64000);
    struct heard heard = sound_hear(buf_str(&b), 5000, true);
    assert_int_equal(heard.after, junk[k] <= AUDIO_JUNK_BYTES ? AUDIO_YES : AUDIO_NO);
    if (heard.after == AUDIO_NO) continue;
    assert_int_equal(heard.info.kind, AUDIO_WAV);
    assert_int_equal(heard.info.duration_ms, 2000);
    assert_true(heard.info.whole);
    assert_true(heard.info.peaks_bytes > 0);
  }
}

static void headers_alone_are_not_audio(void **state) {
  (void)state;
  enum { HEADERS = 8 };
  static const char *const names[HEADERS] = {"Opus", "Ogg of another codec",  "M4A", "FLAC", "FLAC with junk", "WebM",
                                             "AMR",  "M4A with an empty mdat"};
  static const char comment[250];
  for (int i = 0; i < HEADERS; i++) {
    NEW_SOUND(b);
    if (i < 2) {
      add_ogg_page(&b, 2, 0, "abcd", i == 0 ? OPUS : STR("another codec, of which nothing is known"));
      for (int k = 0; k < 8; k++) add_ogg_page(&b, 0, 0, "abcd", str_of(comment, sizeof(comment)));
    } else if (i == 2 || i == 7) {
      add_ftyp(&b);
      size_t moov = box_begin(&b, "moov");
      add_mvhd(&b, 0, 1000, 10000);
      for (uint32_t k = 1; k < 10; k++) add_track(&b, k, 8000, "soun", 0);
      box_end(&b, moov);
      if (i == 7) add_mdat(&b, 0);
    } else if (i == 3 || i == 4) {
      make_flac(&b, 80000, false);
      if (i == 4) sound_zeros(&b, 2000);
    } else if (i == 5) {
      make_webm(&b, "\x46\x1c\x40\x00", false, true, 1000000);
      b.n = (size_t)((char *)memmem(b.p, b.n, "\x1f\x43\xb6\x75", 4) - b.p);
      add_element(&b, 0xec, 1, str_of(comment, sizeof(comment)));
      for (int k = 0; k < 8; k++) add_element(&b, 0xec, 1, str_of(comment, sizeof(comment)));
    } else {
      sound_add(&b, STR("#!AMR\n"));
      add_times(&b, STR("\x64"), 2000); /* no type of frame */
    }
    assert_true(b.n > AUDIO_LEAST_BYTES);
    struct heard heard = sound_hear(buf_str(&b), 60, true);
    if (heard.before == AUDIO_YES || heard.after != AUDIO_NO) fail_msg("%s: %d", names[i], heard.before);
    assert_int_equal(heard.info.kind, AUDIO_NONE);
  }
}

static void a_container_that_lies_is_read_to_its_end_all_the_same(void **state) {
  (void)state;
  NEW_SOUND(endless_run);
  NEW_SOUND(huge_run);
  NEW_SOUND(huge_box);
  NEW_SOUND(deep);
  NEW_SOUND(huge_block);
  make_fragmented(&endless_run, OF_DEFAULTS, 0);
  add_fragment(&endless_run, 2, 8, 0, false);
  for (size_t at = 0; at + 12 < endless_run.n; at++) /* each run claims 4 billion samples */
    if (memcmp(endless_run.p + at, "trun", 4) == 0) memset(endless_run.p + at + 8, 0xff, 4);
  add_ftyp(&huge_run);
  add_mdat(&huge_run, 2000);
  for (int i = 0; i < 3; i++) { /* without entries, each of 2^32 units */
    size_t traf = box_begin(&huge_run, "traf"), at = box_begin(&huge_run, "tfhd");
    add_big(&huge_run, 8, 4);
    add_big(&huge_run, 1, 4);
    add_big(&huge_run, UINT32_MAX, 4);
    box_end(&huge_run, at);
    at = box_begin(&huge_run, "trun");
    add_big(&huge_run, 0, 4);
    add_big(&huge_run, UINT32_MAX, 4);
    box_end(&huge_run, at);
    box_end(&huge_run, traf);
  }
  make_m4a(&huge_box, 0, true);
  sound_add(&huge_box, STR("\0\0\0\1free\xff\xff\xff\xff\xff\xff\xff\xff"));
  sound_zeros(&huge_box, 2000);
  add_ftyp(&deep);
  for (int i = 0; i < 100000; i++) sound_add(&deep, STR("\x7f\0\0\0moov"));
  add_mdat(&deep, 2000);
  make_webm(&huge_block, NULL, true, true, 1000000);
  sound_add(&huge_block, STR("\xa3\x01\xff\xff\xff\xff\xff\xff\xfe\x81\x7f\xff\0"));
  sound_zeros(&huge_block, 2000);
  assert_int_equal(sound_hear(buf_str(&endless_run), 60, true).info.duration_ms, 11 * 8 * 1024 / 8);
  assert_int_equal(sound_hear(buf_str(&huge_run), 60, true).info.duration_ms, -1);
  struct heard heard = sound_hear(buf_str(&huge_box), 60, true);
  assert_int_equal(heard.info.duration_ms, 10000);
  assert_false(heard.info.whole);
  assert_int_equal(sound_hear(buf_str(&deep), 6000, true).info.kind, AUDIO_M4A);
  heard = sound_hear(buf_str(&huge_block), 60, true);
  assert_int_equal(heard.info.duration_ms, 9980);
  assert_false(heard.info.whole);
}

static void a_webm_that_is_shorter_than_it_says_is_not_whole(void **state) {
  (void)state;
  NEW_SOUND(b);
  make_webm(&b, "\x46\x1c\x40\x00", false, true, 1000000);
  char *segment = memmem(b.p, b.n, "\x18\x53\x80\x67", 4);
  assert_non_null(segment);
  size_t body = (size_t)(segment - b.p) + 12, size = b.n - body;
  for (size_t i = 0; i < 7; i++) segment[5 + i] = (char)((uint64_t)size >> (48 - 8 * i) & 255);
  assert_true(sound_hear(buf_str(&b), 60, true).info.whole);
  size_t last_block = 39;
  struct heard heard = sound_hear(str_head(buf_str(&b), b.n - last_block), 60, true);
  assert_int_equal(heard.info.kind, AUDIO_WEBM);
  assert_false(heard.info.whole);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(containers_tell_their_duration),
      cmocka_unit_test(containers_behind_junk_and_tags_are_found),
      cmocka_unit_test(a_wav_behind_junk_is_found),
      cmocka_unit_test(headers_alone_are_not_audio),
      cmocka_unit_test(a_webm_that_is_shorter_than_it_says_is_not_whole),
      cmocka_unit_test(a_container_that_lies_is_read_to_its_end_all_the_same),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
