/* audio_wav.c - parses the chunks of a RIFF/WAVE file as its bytes arrive.
 *
 *   RIFF --> CHUNK --fmt --> FORMAT --> SKIP --> CHUNK      (SKIP also takes the odd chunk's padding byte)
 *            CHUNK --other--> SKIP --> CHUNK
 *            CHUNK --data, after a format--> DATA --its announced size--> AFTER (the rest is ignored)
 *   any --malformed--> BAD
 *
 * Invariants
 *  (1) The sizes of RIFF and of chunks decide what is skipped, never what is allocated.
 *  (2) At most BEFORE_MAX_BYTES are skipped before the samples.
 *  (3) A data size of 0, or of 2 GiB - 4 KiB and more, means unknown: streaming encoders write such values. */
#include "audio/audio_wav.h"

#include <string.h>

enum {
  RIFF_BYTES = 12,
  CHUNK_BYTES = 8,
  FORMAT_LEAST_BYTES = 16,
  CHANNELS_MAX = 32,
  SAMPLE_RATE_MAX = 768000,
  BEFORE_MAX_BYTES = 1024 * 1024,
};
static const uint32_t SIZE_UNKNOWN_FROM = 0x7ffff000; /* (3) */

enum { TAG_PCM = 1, TAG_FLOAT = 3, TAG_A_LAW = 6, TAG_MU_LAW = 7, TAG_EXTENSIBLE = 0xfffe };

static uint32_t le32(const char *text) {
  const unsigned char *p = (const unsigned char *)text;
  return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static unsigned le16(const char *text) {
  const unsigned char *p = (const unsigned char *)text;
  return (unsigned)p[1] << 8 | p[0];
}

void wav_init(struct wav *w) {
  *w = (struct wav){.state = WAV_RIFF};
}

/* Reads the first n bytes of a format chunk. False if it is malformed or not supported. */
static bool read_format(struct wav *w, const char *p, size_t n) {
  unsigned tag = le16(p), channels = le16(p + 2), bits = le16(p + 14);
  uint32_t rate = le32(p + 4), bytes_a_second = le32(p + 8);
  if (tag == TAG_EXTENSIBLE) {
    if (n < WAV_HEAD_BYTES) return false;
    tag = le16(p + 24);
  }
  if (channels == 0 || channels > CHANNELS_MAX || rate == 0 || rate > SAMPLE_RATE_MAX) return false;
  unsigned sample_bytes = 0;
  if (tag == TAG_A_LAW || tag == TAG_MU_LAW) {
    sample_bytes = 1;
  } else if (tag == TAG_PCM || tag == TAG_FLOAT) {
    sample_bytes = bits / 8;
    bool known = tag == TAG_PCM ? bits == 8 || bits == 16 || bits == 24 || bits == 32 : bits == 32 || bits == 64;
    if (!known) return false;
  } else if (bytes_a_second == 0) {
    return false;
  }
  static const enum pcm_kind kinds[] = {
      [TAG_PCM] = PCM_LINEAR, [TAG_FLOAT] = PCM_FLOAT, [TAG_A_LAW] = PCM_A_LAW, [TAG_MU_LAW] = PCM_MU_LAW};
  w->samples = tag < COUNT_OF(kinds) ? kinds[tag] : PCM_NONE;
  w->bits = (int)bits;
  w->channels = (int)channels;
  w->sample_rate = (int)rate;
  w->frame_bytes = (int64_t)sample_bytes * channels;
  w->bytes_a_second = bytes_a_second;
  w->has_format = true;
  return true;
}

static void skip(struct wav *w, uint64_t bytes) {
  w->before_bytes += bytes;
  w->left = bytes;
  w->state = w->before_bytes > BEFORE_MAX_BYTES ? WAV_BAD : bytes > 0 ? WAV_SKIP : WAV_CHUNK; /* (2) */
}

static void begin_data(struct wav *w, uint32_t size) {
  w->state = w->has_format ? WAV_DATA : WAV_BAD;
  w->size_known = size != 0 && size < SIZE_UNKNOWN_FROM;
  w->data_size = size;
}

static void begin_chunk(struct wav *w) {
  uint32_t size = le32(w->head + 4);
  if (memcmp(w->head, "data", 4) == 0) {
    begin_data(w, size);
  } else if (memcmp(w->head, "fmt ", 4) == 0) {
    w->state = !w->has_format && size >= FORMAT_LEAST_BYTES ? WAV_FORMAT : WAV_BAD;
    w->left = (uint64_t)size + (size & 1);
  } else {
    skip(w, (uint64_t)size + (size & 1));
  }
}

/* How many bytes to collect before the state can change; 0: none. */
static size_t bytes_to_collect(const struct wav *w) {
  if (w->state == WAV_RIFF) return RIFF_BYTES;
  if (w->state == WAV_CHUNK) return CHUNK_BYTES;
  if (w->state == WAV_FORMAT) return w->left < WAV_HEAD_BYTES ? (size_t)w->left : WAV_HEAD_BYTES;
  return 0;
}

static void on_collected(struct wav *w) {
  size_t n = w->head_bytes;
  w->head_bytes = 0;
  if (w->state == WAV_RIFF) {
    w->state = WAV_CHUNK;
  } else if (w->state == WAV_CHUNK) {
    begin_chunk(w);
  } else if (read_format(w, w->head, n)) {
    skip(w, w->left - n);
  } else {
    w->state = WAV_BAD;
  }
}

static size_t collect(struct wav *w, struct str bytes, size_t want) {
  size_t n = want - w->head_bytes < bytes.n ? want - w->head_bytes : bytes.n;
  memcpy(w->head + w->head_bytes, bytes.p, n);
  w->head_bytes += n;
  if (w->head_bytes == want) on_collected(w);
  return n;
}

typedef void sound_fn(void *arg, struct str bytes);

/* Skips bytes, or passes samples to sound. Returns how many. */
static size_t skip_or_pass(struct wav *w, struct str bytes, sound_fn *sound, void *arg) {
  uint64_t most = w->state == WAV_SKIP ? w->left : w->size_known ? w->data_size - w->data_bytes : UINT64_MAX;
  size_t n = bytes.n < most ? bytes.n : (size_t)most;
  if (w->state == WAV_SKIP) {
    w->left -= n;
    if (w->left == 0) w->state = WAV_CHUNK;
  } else {
    w->data_bytes += n;
    if (sound) sound(arg, str_head(bytes, n));
    if (w->size_known && w->data_bytes == w->data_size) w->state = WAV_AFTER;
  }
  return n;
}

void wav_feed(struct wav *w, struct str bytes, sound_fn *sound, void *arg) {
  while (bytes.n > 0 && w->state != WAV_AFTER && w->state != WAV_BAD) {
    size_t want = bytes_to_collect(w);
    bytes = str_skip(bytes, want > 0 ? collect(w, bytes, want) : skip_or_pass(w, bytes, sound, arg));
  }
}

bool wav_is_bad(const struct wav *w) {
  return w->state == WAV_BAD;
}

bool wav_has_samples(const struct wav *w) {
  return w->data_bytes > 0 && w->data_bytes >= (uint64_t)w->frame_bytes;
}

int64_t wav_duration_ms(const struct wav *w) {
  if (!wav_has_samples(w)) return 0;
  int64_t bytes = w->data_bytes > INT64_MAX / 1000 ? INT64_MAX / 1000 : (int64_t)w->data_bytes;
  if (w->frame_bytes > 0) return bytes / w->frame_bytes * 1000 / w->sample_rate;
  return bytes * 1000 / w->bytes_a_second;
}

bool wav_is_whole(const struct wav *w) {
  return w->state == WAV_AFTER || (w->state == WAV_DATA && !w->size_known);
}
