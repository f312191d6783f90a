/* audio_peaks.h - the least and the greatest sample of each stretch of a recording, for a picture of it. One owner.
 *
 *   peaks_init(&p, 2, 8000);  peaks_add(&p, samples, frames) …;  n = peaks_write(&p, bytes);
 *
 * However long it is, there are at most PEAKS_POINTS_MAX points a channel: when there are, each two become one. */
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
  int channels; /* 0: none are made */
  int sample_rate;
  int64_t frames_a_point; /* a frame is one sample of each channel */
  int64_t frames;         /* in the last point, which grows */
  size_t points;          /* whole ones */
  struct peak last[PEAKS_CHANNELS_MAX];
  struct peak each[PEAKS_POINTS_MAX][PEAKS_CHANNELS_MAX];
};

/* Of more than PEAKS_CHANNELS_MAX channels none are made. */
void peaks_init(struct peaks *p, int channels, int sample_rate);
void peaks_add(struct peaks *p, const int16_t *samples, size_t frames);
/* The waveform data format of audiowaveform, version 2, 8 bits, binary: its size; 0: there are none. */
size_t peaks_write(const struct peaks *p, char ret_bytes[PEAKS_BYTES_MAX]);
/* Appends the JSON of the same format, of what peaks_write made. ERR_CORRUPT: that is something else. Pure. */
CHECKED enum err peaks_to_json(struct str binary, struct buf *b);
