/* audio_sniff.c - detects the kind of audio from the first bytes.
 *
 * Invariants
 *  (1) Each test returns yes, no or more. It returns yes or no only because of bytes that it was given, so the verdict does not
 *      depend on how the bytes were split.
 *  (2) At most one test of a container returns yes at an offset. Frames are searched for only if they all return no.
 *  (3) If AUDIO_SNIFF_BYTES do not suffice, the verdict is AUDIO_NO.
 *  (4) Behind junk three adjacent frames of one stream are needed: two are found in a hundred megabytes of noise.
 *  (5) Markup, JSON and archives, which servers send instead of audio, are refused by their first bytes. */
#include "audio/audio_sniff.h"

#include <string.h>

#include "audio/audio_mp3.h"

enum answer { ANSWER_NO, ANSWER_MORE, ANSWER_YES };

/* Tests for a signature at an offset. */
static enum answer has_signature(struct str head, size_t at, struct str bytes) {
  size_t here = head.n > at ? head.n - at : 0;
  size_t n = here < bytes.n ? here : bytes.n;
  if (n > 0 && memcmp(head.p + at, bytes.p, n) != 0) return ANSWER_NO;
  return n == bytes.n ? ANSWER_YES : ANSWER_MORE;
}

static enum answer answer_of_both(enum answer a, enum answer b) {
  return a < b ? a : b;
}

static enum answer is_wav(struct str head) {
  enum answer riff = has_signature(head, 0, STR("RIFF"));
  if (riff == ANSWER_NO) riff = has_signature(head, 0, STR("RF64"));
  if (riff == ANSWER_NO) riff = has_signature(head, 0, STR("RIFX"));
  return answer_of_both(riff, has_signature(head, 8, STR("WAVE")));
}

static enum answer is_ogg(struct str head) {
  return has_signature(head, 0, STR("OggS\0"));
}

/* The first block is STREAMINFO, of 34 bytes. */
static enum answer is_flac(struct str head) {
  enum answer first = has_signature(head, 0, STR("fLaC\0\0\0\x22"));
  return first != ANSWER_NO ? first : has_signature(head, 0, STR("fLaC\x80\0\0\x22"));
}

static enum answer is_amr(struct str head) {
  enum answer narrow = has_signature(head, 0, STR("#!AMR\n"));
  return narrow != ANSWER_NO ? narrow : has_signature(head, 0, STR("#!AMR-WB\n"));
}

/* An ISO base media file begins with the size of its first box, "ftyp", and a brand of four printable characters. */
static enum answer is_m4a(struct str head) {
  enum answer box = answer_of_both(has_signature(head, 0, STR("\0\0")), has_signature(head, 4, STR("ftyp")));
  if (box != ANSWER_YES) return box;
  if (head.n < 12) return ANSWER_MORE;
  for (size_t i = 8; i < 12; i++) {
    if (head.p[i] < 0x20 || head.p[i] > 0x7e) return ANSWER_NO;
  }
  return ANSWER_YES;
}

static enum answer is_webm(struct str head) {
  return has_signature(head, 0, STR("\x1a\x45\xdf\xa3"));
}

size_t audio_sniff_adts_frame(const unsigned char *p) {
  if (p[0] != 0xff || (p[1] & 0xf6) != 0xf0 || (p[2] >> 2 & 15) > 12) return 0;
  size_t bytes = (size_t)(p[3] & 3) << 11 | (size_t)p[4] << 3 | p[5] >> 5;
  return bytes > 7 ? bytes : 0;
}

/* Tests for `frames` adjacent frames of AAC in ADTS, of one profile and sample rate. */
static enum answer has_adts_frames(struct str head, int frames) {
  size_t at = 0, bytes;
  unsigned char common = 0;
  for (int i = 0; i < frames; i++, at += bytes) {
    const unsigned char *p = (const unsigned char *)head.p + at;
    if (head.n > at && p[0] != 0xff) return ANSWER_NO;
    if (head.n >= at + 2 && (p[1] & 0xf6) != 0xf0) return ANSWER_NO;
    if (head.n < at + 7) return ANSWER_MORE;
    bytes = audio_sniff_adts_frame(p);
    if (i == 0) common = p[2] & 0xfc;
    if (bytes == 0 || (p[2] & 0xfc) != common) return ANSWER_NO;
  }
  return ANSWER_YES;
}

/* Tests for `frames` adjacent frames of MPEG audio of one stream. */
static enum answer has_mp3_frames(struct str head, int frames) {
  struct mp3_frame first, next;
  size_t at = 0;
  for (int i = 0; i < frames; i++) {
    if (head.n > at && (unsigned char)head.p[at] != 0xff) return ANSWER_NO;
    if (head.n >= at + 2 && ((unsigned char)head.p[at + 1] & 0xe0) != 0xe0) return ANSWER_NO;
    if (head.n < at + MP3_HEADER_BYTES) return ANSWER_MORE;
    if (!mp3_frame_parse(head.p + at, &next)) return ANSWER_NO;
    if (i == 0) first = next;
    if (!mp3_frame_same_stream(&first, &next)) return ANSWER_NO;
    at += next.bytes;
  }
  return ANSWER_YES;
}

static struct sniffed {
  enum audio_kind kind;
  enum answer answer;
} sniff_container(struct str head) {
  const struct sniffed tests[] = {
      {AUDIO_WAV, is_wav(head)}, {AUDIO_OGG, is_ogg(head)}, {AUDIO_FLAC, is_flac(head)},
      {AUDIO_AMR, is_amr(head)}, {AUDIO_M4A, is_m4a(head)}, {AUDIO_WEBM, is_webm(head)},
  };
  struct sniffed best = {AUDIO_NONE, ANSWER_NO}; /* (2) */
  for (size_t i = 0; i < COUNT_OF(tests); i++) {
    if (tests[i].answer > best.answer) best = tests[i];
  }
  return best;
}

enum audio_kind audio_sniff_container(struct str head) {
  struct sniffed found = sniff_container(head);
  return found.answer == ANSWER_YES ? found.kind : AUDIO_NONE;
}

/* frames: how many adjacent frames are needed where there is no container. */
static struct sniffed sniff_one(struct str head, int frames) {
  struct sniffed found = sniff_container(head);
  if (found.answer == ANSWER_NO) found = (struct sniffed){AUDIO_AAC, has_adts_frames(head, frames)};
  if (found.answer == ANSWER_NO) found = (struct sniffed){AUDIO_MP3, has_mp3_frames(head, frames)};
  return found;
}

/* Sound begins at the start, or behind zeros (a tag's padding) or a byte order mark, or behind junk: (4). */
static struct sniffed search_sound(struct str head, size_t searched, size_t *ret_start) {
  size_t clean = str_starts(head, STR("\xef\xbb\xbf")) ? 3 : 0;
  while (clean < head.n && head.p[clean] == 0) clean++;
  for (size_t at = searched; at < head.n && at <= AUDIO_JUNK_BYTES; at++) {
    *ret_start = at;
    struct sniffed found = sniff_one(str_skip(head, at), at == 0 || at == clean ? 2 : 3);
    if (found.answer != ANSWER_NO) return found;
  }
  *ret_start = head.n;
  return (struct sniffed){AUDIO_NONE, head.n > AUDIO_JUNK_BYTES ? ANSWER_NO : ANSWER_MORE};
}

/* (5): markup, JSON, archives, and RIFF or boxes of other kinds. */
static bool is_something_else(struct str head) {
  const struct str signatures[] = {STR("PK\3\4"), STR("%PDF"), STR("\x1f\x8b"),  STR("RIFF"),
                                   STR("RIFX"),   STR("RF64"), STR("\xff\xfe<"), STR("\xfe\xff\0<")};
  for (size_t i = 0; i < COUNT_OF(signatures); i++) {
    if (str_starts(head, signatures[i])) return true;
  }
  if (str_starts(head, STR("\xef\xbb\xbf"))) head = str_skip(head, 3);
  while (head.n > 0 && (head.p[0] == ' ' || (head.p[0] >= '\t' && head.p[0] <= '\r'))) head = str_skip(head, 1);
  if (head.n < 2) return false;
  char next = head.p[1];
  bool is_blank = next == ' ' || (next >= '\t' && next <= '\r');
  bool is_letter = (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z');
  if (head.p[0] == '<') return is_letter || next == '!' || next == '?';
  if (head.p[0] == '{') return is_blank || next == '"' || next == '}';
  return head.p[0] == '[' && (is_blank || next == '{' || next == '"' || next == ']');
}

struct audio_sniff audio_sniff(struct str head, size_t searched) {
  head = str_head(head, AUDIO_SNIFF_BYTES);
  size_t start = searched;
  if (sniff_container(head).answer == ANSWER_NO && is_something_else(head))
    return (struct audio_sniff){.verdict = AUDIO_NO};
  struct sniffed found = search_sound(head, searched, &start);
  if (found.answer == ANSWER_YES) return (struct audio_sniff){AUDIO_YES, found.kind, start};
  bool is_over = found.answer == ANSWER_NO || head.n == AUDIO_SNIFF_BYTES; /* (3) */
  return (struct audio_sniff){.verdict = is_over ? AUDIO_NO : AUDIO_UNDECIDED, .start = start};
}

bool audio_may_be_tag(struct str head) {
  return has_signature(head, 0, STR("APETAGEX")) != ANSWER_NO || has_signature(head, 0, STR("TAG")) != ANSWER_NO ||
         has_signature(head, 0, STR("ID3")) != ANSWER_NO;
}

enum { ID3V1_BYTES = 128, ID3V1_HEADER_BYTES = 3, ID3V2_HEADER_BYTES = 10, APE_HEADER_BYTES = 32 };

size_t audio_tag_header_bytes(struct str head) {
  return str_starts(head, STR("TAG")) ? ID3V1_HEADER_BYTES : ID3V2_HEADER_BYTES;
}

uint64_t audio_tag_bytes(struct str head) {
  const unsigned char *p = (const unsigned char *)head.p;
  if (str_starts(head, STR("APETAGEX")))
    return APE_HEADER_BYTES + ((uint64_t)p[15] << 24 | (uint64_t)p[14] << 16 | (uint64_t)p[13] << 8 | p[12]);
  if (str_starts(head, STR("TAG"))) return ID3V1_BYTES;
  if (!str_starts(head, STR("ID3")) || p[3] == 0xff || p[4] == 0xff || ((p[6] | p[7] | p[8] | p[9]) & 0x80)) return 0;
  uint64_t size = (uint64_t)p[6] << 21 | (uint64_t)p[7] << 14 | (uint64_t)p[8] << 7 | p[9];
  return ID3V2_HEADER_BYTES + size + (p[5] & 0x10 ? ID3V2_HEADER_BYTES : 0);
}
