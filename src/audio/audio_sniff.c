/* audio_sniff.c - detects the kind of audio from the first bytes.
 *
 * Invariants
 *  (1) Each test returns yes, no or more. It returns yes or no only because of bytes that it was given, so the verdict does not
 *      depend on how the bytes were split.
 *  (2) At most one test returns yes.
 *  (3) If AUDIO_SNIFF_BYTES do not suffice, the verdict is AUDIO_NO. */
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

static enum answer both(enum answer a, enum answer b) {
  return a < b ? a : b;
}

static enum answer is_wav(struct str head) {
  enum answer riff = has_signature(head, 0, STR("RIFF"));
  if (riff == ANSWER_NO) riff = has_signature(head, 0, STR("RF64"));
  if (riff == ANSWER_NO) riff = has_signature(head, 0, STR("RIFX"));
  return both(riff, has_signature(head, 8, STR("WAVE")));
}

static enum answer is_ogg(struct str head) {
  return has_signature(head, 0, STR("OggS\0"));
}

static enum answer is_flac(struct str head) {
  return has_signature(head, 0, STR("fLaC"));
}

static enum answer is_amr(struct str head) {
  enum answer narrow = has_signature(head, 0, STR("#!AMR\n"));
  return narrow != ANSWER_NO ? narrow : has_signature(head, 0, STR("#!AMR-WB\n"));
}

/* An ISO base media file begins with the size of its first box, "ftyp", and a brand of four printable characters. */
static enum answer is_m4a(struct str head) {
  enum answer box = both(has_signature(head, 0, STR("\0\0")), has_signature(head, 4, STR("ftyp")));
  if (box != ANSWER_YES) return box;
  if (head.n < 12) return ANSWER_MORE;
  for (size_t i = 8; i < 12; i++) {
    if (head.p[i] < 0x20 || head.p[i] > 0x7e) return ANSWER_NO;
  }
  return ANSWER_YES;
}

/* An MP3 begins with zero bytes (a tag's padding), if any, and two adjacent frames of one stream. */
static enum answer is_mp3(struct str head, size_t *ret_start) {
  size_t at = 0;
  while (at < head.n && head.p[at] == 0) at++;
  if (at == head.n) return ANSWER_MORE;
  struct mp3_frame first, second;
  if ((unsigned char)head.p[at] != 0xff) return ANSWER_NO;
  if (head.n - at >= 2 && ((unsigned char)head.p[at + 1] & 0xe0) != 0xe0) return ANSWER_NO;
  if (head.n - at < MP3_HEADER_BYTES) return ANSWER_MORE;
  if (!mp3_frame_parse(head.p + at, &first)) return ANSWER_NO;
  size_t next = at + first.bytes;
  if (head.n < next + MP3_HEADER_BYTES) return next + MP3_HEADER_BYTES > AUDIO_SNIFF_BYTES ? ANSWER_NO : ANSWER_MORE;
  if (!mp3_frame_parse(head.p + next, &second) || !mp3_frame_same_stream(&first, &second)) return ANSWER_NO;
  *ret_start = at;
  return ANSWER_YES;
}

struct audio_sniff audio_sniff(struct str head) {
  head = str_head(head, AUDIO_SNIFF_BYTES);
  size_t mp3_start = 0;
  const struct {
    enum audio_kind kind;
    enum answer answer;
  } tests[] = {
      {AUDIO_WAV, is_wav(head)}, {AUDIO_OGG, is_ogg(head)}, {AUDIO_FLAC, is_flac(head)},
      {AUDIO_AMR, is_amr(head)}, {AUDIO_M4A, is_m4a(head)}, {AUDIO_MP3, is_mp3(head, &mp3_start)},
  };
  struct audio_sniff sniff = {.verdict = AUDIO_NO};
  for (size_t i = 0; i < COUNT_OF(tests); i++) {
    if (tests[i].answer == ANSWER_MORE) sniff.verdict = AUDIO_UNDECIDED;
    if (tests[i].answer != ANSWER_YES) continue;
    return (struct audio_sniff){AUDIO_YES, tests[i].kind, tests[i].kind == AUDIO_MP3 ? mp3_start : 0};
  }
  if (sniff.verdict == AUDIO_UNDECIDED && head.n == AUDIO_SNIFF_BYTES) sniff.verdict = AUDIO_NO; /* (3) */
  return sniff;
}
