/* sound.c - makes audio files for tests. */
#include "sound.h"

#include <assert.h>
#include <lame/lame.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void sound_add(struct buf *b, struct str s) {
  enum err e = buf_add(b, s);
  assert(e == OK);
  (void)e;
}

void sound_zeros(struct buf *b, size_t n) {
  for (; n > 0; n--) sound_add(b, STR("\0"));
}

void sound_le16(struct buf *b, unsigned value) {
  const char p[2] = {(char)(value & 255), (char)(value >> 8 & 255)};
  sound_add(b, str_of(p, 2));
}

void sound_le32(struct buf *b, uint32_t value) {
  sound_le16(b, value & 65535);
  sound_le16(b, value >> 16);
}

static void patch_index(lame_t lame, struct buf *b, size_t start) {
  unsigned char frame[4096];
  size_t n = lame_get_lametag_frame(lame, frame, sizeof(frame));
  /* A frame of fewer than some 190 bytes has no room for it. */
  assert(n > 0 && n <= sizeof(frame) && start + n <= b->n);
  memcpy(b->p + start, frame, n);
}

void sound_mp3(struct buf *b, int sample_rate, int channels, int kbit, double seconds, bool vbr, bool index) {
  lame_t lame = lame_init();
  assert(lame);
  lame_set_in_samplerate(lame, sample_rate);
  lame_set_out_samplerate(lame, sample_rate);
  lame_set_num_channels(lame, channels);
  lame_set_mode(lame, channels == 1 ? MONO : JOINT_STEREO);
  lame_set_brate(lame, kbit);
  lame_set_VBR(lame, vbr ? vbr_mtrh : vbr_off);
  lame_set_bWriteVbrTag(lame, index);
  lame_set_write_id3tag_automatic(lame, 0);
  int set = lame_init_params(lame);
  assert(set == 0);
  (void)set;
  size_t start = b->n;
  int total = (int)(seconds * sample_rate);
  for (int at = 0; at < total; at += 1152) {
    short left[1152], right[1152];
    unsigned char out[8192];
    int n = total - at < 1152 ? total - at : 1152;
    for (int i = 0; i < n; i++) {
      left[i] = (short)(8000 * sin((at + i) * 0.05) + rand_r(&(unsigned){(unsigned)(at + i)}) % 500);
      right[i] = (short)(left[i] / 2);
    }
    int bytes = lame_encode_buffer(lame, left, channels == 1 ? left : right, n, out, sizeof(out));
    assert(bytes >= 0);
    sound_add(b, str_of((char *)out, (size_t)bytes));
  }
  unsigned char last[8192];
  int bytes = lame_encode_flush(lame, last, sizeof(last));
  assert(bytes >= 0);
  sound_add(b, str_of((char *)last, (size_t)bytes));
  if (index) patch_index(lame, b, start);
  lame_close(lame);
}

void sound_wav(struct buf *b, unsigned format, unsigned channels, unsigned rate, unsigned bits, uint32_t data_size,
               size_t bytes) {
  sound_add(b, STR("RIFF"));
  sound_le32(b, data_size == UINT32_MAX ? UINT32_MAX : data_size + 36);
  sound_add(b, STR("WAVEfmt "));
  sound_le32(b, 16);
  sound_le16(b, format);
  sound_le16(b, channels);
  sound_le32(b, rate);
  sound_le32(b, rate * channels * bits / 8);
  sound_le16(b, channels * bits / 8);
  sound_le16(b, bits);
  sound_add(b, STR("data"));
  sound_le32(b, data_size);
  for (size_t i = 0; i < bytes; i++) {
    const char sample = (char)(i * 7 & 255);
    sound_add(b, str_of(&sample, 1));
  }
}

void sound_id3(struct buf *b, size_t bytes) {
  const char head[10] = {'I',
                         'D',
                         '3',
                         4,
                         0,
                         0,
                         (char)(bytes >> 21 & 127),
                         (char)(bytes >> 14 & 127),
                         (char)(bytes >> 7 & 127),
                         (char)(bytes & 127)};
  sound_add(b, str_of(head, 10));
  for (size_t i = 0; i < bytes; i++) sound_add(b, STR("\xff")); /* as sound would look */
}

struct heard sound_hear(struct str bytes, size_t most_bytes, bool random) {
  struct audio *a = NULL;
  struct heard heard;
  static unsigned seed = 1;
  enum err e = audio_new(&a);
  assert(e == OK);
  while (bytes.n > 0) {
    size_t n = random ? (size_t)rand_r(&seed) % most_bytes + 1 : most_bytes;
    if (n > bytes.n) n = bytes.n;
    /* A copy of its own, so that a sanitizer sees every byte read beyond it. */
    char *piece = malloc(n);
    assert(piece);
    memcpy(piece, bytes.p, n);
    e = audio_feed(a, str_of(piece, n));
    assert(e == OK);
    free(piece);
    bytes = str_skip(bytes, n);
  }
  (void)e;
  heard.before = audio_verdict(a);
  heard.kind = audio_kind(a);
  audio_finish(a, &heard.info);
  heard.after = audio_verdict(a);
  audio_free(a);
  return heard;
}
