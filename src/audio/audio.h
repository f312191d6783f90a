/* audio.h - detects the kind of audio, its duration and its peaks, in one pass over bytes as they arrive.
 *
 *   audio_new(&a);  audio_feed(a, bytes) …;  audio_finish(a, &info);  audio_free(a);
 *
 * Only the content counts, never a name or Content-Type. Thread rule: one owner at a time. */
#pragma once

#include <stdint.h>

#include "audio/audio_kind.h"
#include "audio/audio_peaks.h"

struct audio;

struct audio_info {
  enum audio_kind kind;
  int64_t duration_ms; /* from counted samples or frames, or from the container; -1: unknown */
  int channels;        /* 0: unknown */
  int sample_rate;     /* Hz; 0: unknown */
  int64_t bytes;       /* given to audio_feed */
  bool whole;          /* the WAV's data chunk, or the last frame, page or box, is complete */
  /* In the format of peaks_write. peaks_bytes 0: there are none, because the kind is not decoded, there are more than two
   * channels, or decoding failed. */
  size_t peaks_bytes;
  char peaks[PEAKS_BYTES_MAX];
};

CHECKED enum err audio_new(struct audio **ret_audio);
/* To be called before the first byte: `take` gets all samples that are decoded, of all channels in turn. Their rate and number of
 * channels, 1 or 2, never change. It is not called for kinds that are not decoded, nor after decoding failed, nor for a WAV that
 * begins in a tag. */
typedef void audio_take_samples(void *arg, int sample_rate, int channels, const int16_t *samples, size_t frames);
void audio_set_take(struct audio *a, audio_take_samples *take, void *arg);
struct audio *audio_free(struct audio *a); /* NULL is allowed; always returns NULL */
/* OK for any bytes: whether they are audio is the verdict. */
CHECKED enum err audio_feed(struct audio *a, struct str bytes);
enum audio_verdict audio_verdict(const struct audio *a);
enum audio_kind audio_kind(const struct audio *a); /* AUDIO_NONE while undecided */
/* Ends the stream and fills *ret_info. kind is AUDIO_NONE unless the verdict is AUDIO_YES and there are at least
 * AUDIO_LEAST_BYTES bytes with samples in them. */
void audio_finish(struct audio *a, struct audio_info *ret_info);
/* The file extension ("mp3") and Content-Type ("audio/mpeg") of a kind. Never NULL. */
const char *audio_extension(enum audio_kind kind);
const char *audio_content_type(enum audio_kind kind);
/* The kind of a file extension or Content-Type, in any case; AUDIO_NONE if it is unknown. */
enum audio_kind audio_kind_of_extension(struct str extension);
enum audio_kind audio_kind_of_content_type(struct str content_type);
