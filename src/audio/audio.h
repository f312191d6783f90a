/* audio.h - is it audio, what kind, how long, and its peaks: in one pass over bytes as they arrive.
 *
 *   audio_new(&a);  audio_feed(a, bytes) …;  audio_finish(a, &info);  audio_free(a);
 *
 * By content only, never by name or Content-Type. Thread rule: one owner at a time. */
#pragma once

#include <stdint.h>

#include "audio/audio_peaks.h"

struct audio;

enum audio_kind { AUDIO_NONE, AUDIO_MP3, AUDIO_WAV, AUDIO_OGG, AUDIO_FLAC, AUDIO_M4A, AUDIO_AMR };

enum audio_verdict {
  AUDIO_UNDECIDED, /* needs more bytes (at most AUDIO_SNIFF_BYTES after an ID3 tag; a WAV's chunks before its samples) */
  AUDIO_YES,
  AUDIO_NO, /* XML, HTML, text, a bare WAV header, noise … */
};
enum { AUDIO_SNIFF_BYTES = 4096, AUDIO_LEAST_BYTES = 1001 };

struct audio_info {
  enum audio_kind kind;
  int64_t duration_ms; /* of decoded frames; -1 unknown (formats that are recognised but not decoded) */
  int channels;        /* 0 unknown */
  int sample_rate;     /* Hz, 0 unknown */
  int64_t bytes;       /* fed */
  bool whole;          /* audio to its end: a WAV's data chunk complete, an MP3's last frame complete */
  /* As peaks_write gives them. 0: there are none, as of kinds that are not decoded, of more than two channels, and of what
   * could not be decoded to its end. */
  size_t peaks_bytes;
  char peaks[PEAKS_BYTES_MAX];
};

CHECKED enum err audio_new(struct audio **ret_audio);
struct audio *audio_free(struct audio *a); /* NULL is fine; always returns NULL */
/* Never fails on bad bytes: the verdict tells. ERR_NOMEM. */
CHECKED enum err audio_feed(struct audio *a, struct str bytes);
enum audio_verdict audio_verdict(const struct audio *a);
enum audio_kind audio_kind(const struct audio *a); /* AUDIO_NONE while undecided */
/* No more bytes come. What was fed counts as audio only if it is AUDIO_YES, more than 1,000 bytes, and holds samples. */
void audio_finish(struct audio *a, struct audio_info *ret_info);
/* "mp3", "wav", …: the file's extension; "audio/mpeg", …: the Content-Type. Never NULL. */
const char *audio_extension(enum audio_kind kind);
const char *audio_content_type(enum audio_kind kind);
/* AUDIO_NONE for an unknown extension. */
enum audio_kind audio_kind_of_extension(struct str extension);
enum audio_kind audio_kind_of_content_type(struct str content_type);
