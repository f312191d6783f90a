/* audio_peaks.h - the lowest and highest sample of each stretch of a recording, for its waveform.
 *
 *   peaks_init(&p, 2, 8000);  peaks_add(&p, samples, frames) …;  n = peaks_write(&p, bytes);
 *
 * A channel has fewer than PEAKS_POINTS_MAX complete points: when it reaches that number, each two are merged into one.
 * Thread rule: one owner. */
#pragma once

#include <stdint.h>

#include "base/buf.h"

enum {
  PEAKS_POINTS_MAX = 2048,
  PEAKS_CHANNELS_MAX = 2,
  PEAKS_HEADER_BYTES = 24,
  PEAKS_BYTES_MAX = PEAKS_HEADER_BYTES + PEAKS_POINTS_MAX * PEAKS_CHANNELS_MAX * 2,
};

struct peak {
  int8_t least, greatest;
};

struct peaks {
  int channels; /* 0: no peaks are made */
  int sample_rate;
  int64_t frames_a_point; /* a frame is one sample of each channel */
  int64_t frames;         /* in the last, incomplete point */
  size_t points;          /* complete ones */
  struct peak last[PEAKS_CHANNELS_MAX];
  struct peak each[PEAKS_POINTS_MAX][PEAKS_CHANNELS_MAX];
};

/* No peaks are made for more than PEAKS_CHANNELS_MAX channels. */
void peaks_init(struct peaks *p, int channels, int sample_rate);
void peaks_add(struct peaks *p, const int16_t *samples, size_t frames);
/* Writes the binary waveform data format of audiowaveform, version 2, 8 bits. Returns its size; 0 if there are no peaks. */
size_t peaks_write(const struct peaks *p, char ret_bytes[PEAKS_BYTES_MAX]);
/* Appends the JSON form of what peaks_write made to b. ERR_CORRUPT: binary is something else. Pure. */
CHECKED enum err peaks_to_json(struct str binary, struct buf *b);
