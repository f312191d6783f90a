/* audio_peaks.c - the lowest and highest sample of each stretch of a recording.
 *
 * Invariants
 *  (1) All points but the last cover frames_a_point frames, which doubles when there is no room for another point.
 *  (2) Values are the upper 8 of 16 bits, rounded towards 0. This keeps their order, so merging two points is exact, and faint
 *      noise becomes silence. */
#include "audio/audio_peaks.h"

enum { FRAMES_AT_FIRST = 16, FORMAT_VERSION = 2, FLAG_8_BIT = 1 };

void peaks_init(struct peaks *p, int channels, int sample_rate) {
  p->channels = channels > 0 && channels <= PEAKS_CHANNELS_MAX && sample_rate > 0 ? channels : 0;
  p->sample_rate = sample_rate;
  p->frames_a_point = FRAMES_AT_FIRST;
  p->frames = 0;
  p->points = 0;
}

static void merge_peak(struct peak *p, struct peak other) {
  if (other.least < p->least) p->least = other.least;
  if (other.greatest > p->greatest) p->greatest = other.greatest;
}

/* (1) */
static void merge_point_pairs(struct peaks *p) {
  for (size_t i = 0; i < p->points / 2; i++) {
    for (int c = 0; c < p->channels; c++) {
      struct peak one = p->each[2 * i][c];
      merge_peak(&one, p->each[2 * i + 1][c]);
      p->each[i][c] = one;
    }
  }
  p->points /= 2;
  p->frames_a_point *= 2;
}

static void end_point(struct peaks *p) {
  for (int c = 0; c < p->channels; c++) p->each[p->points][c] = p->last[c];
  p->points++;
  p->frames = 0;
  if (p->points == PEAKS_POINTS_MAX) merge_point_pairs(p);
}

void peaks_add(struct peaks *p, const int16_t *samples, size_t frames) {
  if (p->channels == 0) return;
  for (; frames > 0; frames--) {
    for (int c = 0; c < p->channels; c++) {
      int8_t value = (int8_t)(*samples++ / 256); /* (2) */
      struct peak one = {value, value};
      if (p->frames == 0)
        p->last[c] = one;
      else
        merge_peak(&p->last[c], one);
    }
    if (++p->frames == p->frames_a_point) end_point(p);
  }
}

/* ---- the format ---- */

static char *put_u32(char *to, int64_t value) {
  for (int shift = 0; shift < 32; shift += 8) *to++ = (char)(value >> shift & 0xff);
  return to;
}

static char *put_point(char *to, const struct peak *channels, int count) {
  for (int c = 0; c < count; c++) {
    *to++ = (char)channels[c].least;
    *to++ = (char)channels[c].greatest;
  }
  return to;
}

size_t peaks_write(const struct peaks *p, char ret_bytes[PEAKS_BYTES_MAX]) {
  size_t points = p->points + (p->frames > 0);
  char *to = ret_bytes;
  if (p->channels == 0 || points == 0) return 0;
  to = put_u32(to, FORMAT_VERSION);
  to = put_u32(to, FLAG_8_BIT);
  to = put_u32(to, p->sample_rate);
  to = put_u32(to, p->frames_a_point);
  to = put_u32(to, (int64_t)points);
  to = put_u32(to, p->channels);
  for (size_t i = 0; i < p->points; i++) to = put_point(to, p->each[i], p->channels);
  if (p->frames > 0) to = put_point(to, p->last, p->channels);
  return (size_t)(to - ret_bytes);
}

static uint32_t u32_at(struct str s, size_t at) {
  const unsigned char *p = (const unsigned char *)s.p + at;
  return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

enum err peaks_to_json(struct str binary, struct buf *b) {
  if (binary.n < PEAKS_HEADER_BYTES || u32_at(binary, 0) != FORMAT_VERSION || u32_at(binary, 4) != FLAG_8_BIT)
    return ERR_CORRUPT;
  uint32_t points = u32_at(binary, 16), channels = u32_at(binary, 20);
  struct str values = str_skip(binary, PEAKS_HEADER_BYTES);
  if ((uint64_t)points * channels * 2 != values.n) return ERR_CORRUPT;
  TRY(buf_addf(b,
               "{\"version\":2,\"channels\":%u,\"sample_rate\":%u,\"samples_per_pixel\":%u,\"bits\":8,\"length\":%u,"
               "\"data\":[",
               channels, u32_at(binary, 8), u32_at(binary, 12), points));
  for (size_t i = 0; i < values.n; i++) TRY(buf_addf(b, i ? ",%d" : "%d", (signed char)values.p[i]));
  return buf_add(b, STR("]}"));
}
