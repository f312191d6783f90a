/* Every kind of audio behind every kind of tag and junk, in one piece, byte by byte, and split at each position: what is said of
 * it depends on the bytes alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sound.h"

#include "../sizes.h"

#define NEW_SOUND(name) struct buf name CLEANUP(buf_done) = BUF_INIT(SOUND_MAX_BYTES)

static void add_times(struct buf *b, struct str s, int times) {
  for (int i = 0; i < times; i++) sound_add(b, s);
}

/* ---- short files of all kinds ---- */

static void add_m4a(struct buf *b) {
  sound_add(b, STR("\0\0\0\x10"
                   "ftypM4A \0\0\2\0"
                   "\0\0\0\x74moov\0\0\0\x6cmvhd\0\0\0\0........\0\0\x03\xe8\0\0\x07\xd0")); /* 2000 of 1000 a second */
  add_times(b, STR("."), 0x6c - 28);
  sound_add(b, STR("\0\0\x05\x08mdat"));
  add_times(b, STR("sample-"), 0x500 / 7);
  add_times(b, STR("."), 0x500 % 7);
}

static void add_webm(struct buf *b) {
  sound_add(b, STR("\x1a\x45\xdf\xa3\x87\x42\x82\x84webm\x18\x53\x80\x67\xff"
                   "\x15\x49\xa9\x66\x8e\x2a\xd7\xb1\x83\x0f\x42\x40\x44\x89\x84\x44\xfa\0\0" /* 2000.0 of 1 ms */
                   "\x16\x54\xae\x6b\x8d\xae\x8b\xd7\x81\x01\x83\x81\x02\xe1\x83\x9f\x81\x02"
                   "\x1f\x43\xb6\x75\xff\xe7\x81\0"));
  add_times(b, STR("\xa3\x9f\x81\0\0\x80..........................."), 40);
}

static void add_ogg(struct buf *b) {
  sound_add(b, STR("OggS\0\2\0\0\0\0\0\0\0\0abcd........\1\x13OpusHead\1\1\0\0\x80\xbb\0\0\0\0\0"));
  for (uint32_t i = 1; i <= 10; i++) {
    sound_add(b, STR("OggS\0\0"));
    sound_le32(b, i * 9600);
    sound_add(b, STR("\0\0\0\0abcd........\1\x64"));
    add_times(b, STR("packet.of."), 10);
  }
}

/* More than 16 frames of 72 bytes, so that they are found in a tag. */
static void add_mp3(struct buf *b) {
  enum { FRAMES = 20, FRAME_BYTES = 72 };
  NEW_SOUND(all);
  sound_mp3(&all, 8000, 1, 8, 2, false, false);
  sound_add(b, str_head(buf_str(&all), FRAMES * FRAME_BYTES));
}

static void add_sound(struct buf *b, enum audio_kind kind) {
  if (kind == AUDIO_MP3) add_mp3(b);
  if (kind == AUDIO_WAV) sound_wav(b, 1, 1, 8000, 16, 3200, 3200);
  if (kind == AUDIO_OGG) add_ogg(b);
  if (kind == AUDIO_M4A) add_m4a(b);
  if (kind == AUDIO_WEBM) add_webm(b);
  if (kind == AUDIO_AAC)
    add_times(b, STR("\xff\xf1\x6c\x40\x05\x1f\xfc................................."), 60); /* 8 kHz */
  if (kind == AUDIO_AMR) {
    sound_add(b, STR("#!AMR\n"));
    add_times(b, STR("\x3c..............................."), 50);
  }
  if (kind == AUDIO_FLAC) {
    sound_add(b,
              STR("fLaC\0\0\0\x22\x10\0\x10\0\0\0\0\0\0\0\x01\xf4\x02\xf0\0\0\x3e\x80")); /* 16,000 samples at 8 kHz */
    sound_add(b, STR("................\x81\0\0\0\xff\xf8"));
    add_times(b, STR("sample-"), 200);
  }
}

/* lost_ms: of sound that a tag is believed to hold: up to 15 frames of MP3, up to 8 of AAC. */
static const struct known {
  enum audio_kind kind;
  int ms, lost_ms;
} KINDS[] = {
    {AUDIO_MP3, 20 * 72, 15 * 72}, {AUDIO_WAV, 200, 0},  {AUDIO_OGG, 2000, 0},           {AUDIO_FLAC, 2000, 0},
    {AUDIO_M4A, 2000, 0},          {AUDIO_AMR, 1000, 0}, {AUDIO_AAC, 60 * 128, 8 * 128}, {AUDIO_WEBM, 2000, 0},
};

/* ---- what stands before them ---- */

enum lead_kind { LEAD_ID3, LEAD_APE, LEAD_ID3V1, LEAD_JUNK, LEAD_MARK };

/* claims: bytes of its content, as the tag says; here: that are there. */
struct lead {
  const char *name;
  enum lead_kind kind;
  uint32_t claims;
  int here;
};

static const struct lead LEADS[] = {
    {"nothing", LEAD_JUNK, 0, 0},
    {"junk", LEAD_JUNK, 0, 37},
    {"a byte order mark", LEAD_MARK, 0, 0},
    {"an ID3v2 tag", LEAD_ID3, 90, 90},
    {"an empty ID3v2 tag", LEAD_ID3, 0, 0},
    {"an ID3v2 tag that claims 3 bytes too much", LEAD_ID3, 93, 90},
    {"an ID3v2 tag that claims 700 bytes too much", LEAD_ID3, 790, 90},
    {"an ID3v2 tag that claims all", LEAD_ID3, 0xfffffff, 90},
    {"an ID3v2 tag that claims too little", LEAD_ID3, 30, 90},
    {"an APE tag", LEAD_APE, 90, 90},
    {"an APE tag that claims 5 bytes too much", LEAD_APE, 95, 90},
    {"an APE tag that claims all", LEAD_APE, UINT32_MAX, 90},
    {"an APE tag that claims too little", LEAD_APE, 30, 90},
    {"an ID3v1 tag", LEAD_ID3V1, 125, 125},
    {"a cut ID3v1 tag", LEAD_ID3V1, 125, 60},
    {"three letters", LEAD_ID3V1, 125, 0},
};

static void add_lead(struct buf *b, const struct lead *lead) {
  if (lead->kind == LEAD_ID3) {
    sound_add(b, STR("ID3\4\0\0"));
    for (int shift = 21; shift >= 0; shift -= 7) sound_add(b, str_of(&(char){(char)(lead->claims >> shift & 127)}, 1));
  } else if (lead->kind == LEAD_APE) {
    sound_add(b, STR("APETAGEX\xd0\x07\0\0"));
    sound_le32(b, lead->claims);
    sound_add(b, STR("\1\0\0\0\0\0\0\xa0\0\0\0\0\0\0\0\0"));
  } else if (lead->kind == LEAD_ID3V1) {
    sound_add(b, STR("TAG"));
  } else if (lead->kind == LEAD_MARK) {
    sound_add(b, STR("\xef\xbb\xbf"));
  }
  for (int i = 0; i < lead->here; i++) sound_add(b, i % 11 ? STR("p") : STR("\xff"));
}

/* ---- tests ---- */

struct told {
  enum audio_verdict verdict;
  enum audio_kind kind;
};

static void feed_copy(struct audio *a, struct str bytes) {
  char *copy = malloc(bytes.n + 1); /* of its own, so that a sanitizer sees every byte read beyond it */
  assert_non_null(copy);
  if (bytes.n > 0) memcpy(copy, bytes.p, bytes.n);
  assert_int_equal(audio_feed(a, str_of(copy, bytes.n)), OK);
  free(copy);
}

/* Feeds in pieces of one byte; each[n] is what was told after n bytes. */
static void hear_bytes(struct str bytes, struct told *each, struct audio_info *ret_info) {
  struct audio *a;
  assert_int_equal(audio_new(&a), OK);
  for (size_t n = 0; n <= bytes.n; n++) {
    if (n > 0) feed_copy(a, str_of(bytes.p + n - 1, 1));
    each[n] = (struct told){audio_verdict(a), audio_kind(a)};
  }
  audio_finish(a, ret_info);
  audio_free(a);
}

static void hear_two(struct str bytes, size_t split, struct told *ret_told, struct audio_info *ret_info) {
  struct audio *a;
  assert_int_equal(audio_new(&a), OK);
  feed_copy(a, str_head(bytes, split));
  *ret_told = (struct told){audio_verdict(a), audio_kind(a)};
  feed_copy(a, str_skip(bytes, split));
  audio_finish(a, ret_info);
  audio_free(a);
}

static void require_same(const char *name, enum audio_kind kind, struct str bytes, struct audio_info *ret_info) {
  static struct audio_info info, split_info;
  struct told *each = calloc(bytes.n + 1, sizeof(*each)), told;
  assert_non_null(each);
  hear_bytes(bytes, each, &info);
  for (size_t split = 0; split <= bytes.n; split += split < 200 ? TEST_SIZE(1, 7) : TEST_SIZE(97, 211)) {
    hear_two(bytes, split, &told, &split_info);
    if (told.verdict != each[split].verdict || told.kind != each[split].kind)
      fail_msg("%d behind %s, first %zu bytes: verdict %d, byte by byte %d", kind, name, split, told.verdict,
               each[split].verdict);
    if (memcmp(&info, &split_info, sizeof(info)) != 0)
      fail_msg("%d behind %s, split at %zu: kind %d, %lld ms, byte by byte kind %d, %lld ms", kind, name, split,
               split_info.kind, (long long)split_info.duration_ms, info.kind, (long long)info.duration_ms);
  }
  free(each);
  *ret_info = info;
}

static void sound_behind_a_tag_is_the_same_however_it_is_split(void **state) {
  (void)state;
  for (size_t k = 0; k < COUNT_OF(KINDS); k++) {
    for (size_t i = 0; i < COUNT_OF(LEADS); i++) {
      NEW_SOUND(b);
      static struct audio_info info;
      add_lead(&b, &LEADS[i]);
      add_sound(&b, KINDS[k].kind);
      require_same(LEADS[i].name, KINDS[k].kind, buf_str(&b), &info);
      if (info.kind != KINDS[k].kind) fail_msg("%d behind %s: kind %d", KINDS[k].kind, LEADS[i].name, info.kind);
      bool may_lose = LEADS[i].claims > (uint32_t)LEADS[i].here;
      int64_t missing = KINDS[k].ms - info.duration_ms;
      if (missing < 0 || missing > (may_lose ? KINDS[k].lost_ms : 0))
        fail_msg("%d behind %s: %lld ms", KINDS[k].kind, LEADS[i].name, (long long)info.duration_ms);
      if (!info.whole) fail_msg("%d behind %s: not whole", KINDS[k].kind, LEADS[i].name);
    }
  }
}

static void sound_behind_several_tags_is_the_same_however_it_is_split(void **state) {
  (void)state;
  for (size_t k = 0; k < COUNT_OF(KINDS); k++) {
    for (size_t i = 3; i < COUNT_OF(LEADS); i += 2) {
      NEW_SOUND(b);
      static struct audio_info info;
      add_lead(&b, &LEADS[3]);
      add_lead(&b, &LEADS[4]);
      add_lead(&b, &LEADS[i]);
      add_sound(&b, KINDS[k].kind);
      require_same(LEADS[i].name, KINDS[k].kind, buf_str(&b), &info);
      if (info.kind != KINDS[k].kind) fail_msg("%d behind %s: kind %d", KINDS[k].kind, LEADS[i].name, info.kind);
    }
  }
}

static void sound_without_its_first_bytes_is_the_same_however_it_is_split(void **state) {
  static const enum audio_kind kinds[] = {AUDIO_MP3, AUDIO_AAC};
  (void)state;
  for (size_t k = 0; k < COUNT_OF(kinds); k++) {
    for (size_t i = 0; i < COUNT_OF(LEADS); i++) {
      NEW_SOUND(b);
      NEW_SOUND(sound);
      static struct audio_info info;
      add_sound(&sound, kinds[k]);
      add_lead(&b, &LEADS[i]);
      sound_add(&b, str_skip(buf_str(&sound), 11));
      require_same(LEADS[i].name, kinds[k], buf_str(&b), &info);
      if (info.kind != kinds[k]) fail_msg("half a frame of %d behind %s: kind %d", kinds[k], LEADS[i].name, info.kind);
    }
  }
}

/* A tag that holds one sound, true or too long, before another. */
static void two_sounds_are_the_same_however_they_are_split(void **state) {
  (void)state;
  for (size_t inner = 0; inner < COUNT_OF(KINDS); inner++) {
    for (size_t outer = 0; outer < COUNT_OF(KINDS); outer++) {
      for (int too_much = 0; too_much <= 40; too_much += 20) {
        NEW_SOUND(inside);
        NEW_SOUND(b);
        static struct audio_info info;
        add_sound(&inside, KINDS[inner].kind);
        /* 16 frames of MP3 would end the tag */
        struct str in = str_head(buf_str(&inside), KINDS[inner].kind == AUDIO_MP3 ? 720 : 1500);
        struct lead lead = {"a tag with a sound", LEAD_ID3, (uint32_t)(in.n + 9 + (size_t)too_much), 9};
        add_lead(&b, &lead);
        sound_add(&b, in);
        add_sound(&b, KINDS[outer].kind);
        require_same(lead.name, KINDS[outer].kind, buf_str(&b), &info);
        assert_int_not_equal(info.kind, AUDIO_NONE);
        if (too_much == 0) assert_int_equal(info.kind, KINDS[outer].kind);
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sound_behind_a_tag_is_the_same_however_it_is_split),
      cmocka_unit_test(sound_behind_several_tags_is_the_same_however_it_is_split),
      cmocka_unit_test(sound_without_its_first_bytes_is_the_same_however_it_is_split),
      cmocka_unit_test(two_sounds_are_the_same_however_they_are_split),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
