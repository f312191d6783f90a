/* audio_wav.c - parses the chunks of a RIFF/WAVE file as its bytes arrive.
 *
 *   RIFF --> CHUNK --fmt --> FORMAT --> SKIP --> CHUNK      (SKIP also takes the odd chunk's padding byte)
 *            CHUNK --fact--> FACT ----> SKIP --> CHUNK
 *            CHUNK --ds64--> SIZES ---> SKIP --> CHUNK
 *            CHUNK --other--> SKIP --> CHUNK
 *            CHUNK --data, after a format--> DATA --its announced size--> AFTER (the rest is ignored)
 *   any --malformed--> BAD
 *
 * Invariants
 *  (1) The sizes of RIFF and of chunks decide what is skipped, never what is allocated. Chunks of any size are skipped.
 *  (2) The first format counts, as it does for browsers.
 *  (3) A data size of 0, or of 2 GiB - 4 KiB and more, means unknown unless RF64 states it: streaming encoders write such
 *      values.
 *  (4) The duration comes from samples that are there. nAvgBytesPerSec is never read. A fact chunk is believed only as far as
 *      the received bytes can hold what it says. */
#include "audio/audio_wav.h"

#include <string.h>

enum {
  RIFF_BYTES = 12,
  CHUNK_BYTES = 8,
  FORMAT_LEAST_BYTES = 16,
  FACT_BYTES = 4,
  SIZES_BYTES = 16, /* of ds64: of the file and of the samples */
  CHANNELS_MAX = 32,
  SAMPLE_RATE_MAX = 768000,
  SAMPLES_A_BYTE_MAX = 64, /* more would be under 1 kbit/s at 8 kHz: no codec does that */
};
static const uint32_t SIZE_UNKNOWN_FROM = 0x7ffff000; /* (3) */

enum {
  TAG_PCM = 1,
  TAG_MS_ADPCM = 2,
  TAG_FLOAT = 3,
  TAG_A_LAW = 6,
  TAG_MU_LAW = 7,
  TAG_IMA_ADPCM = 17,
  TAG_GSM = 49,
  TAG_EXTENSIBLE = 0xfffe
};

static uint32_t u32_at(const struct wav *w, const char *text) {
  const unsigned char *p = (const unsigned char *)text;
  if (w->is_big_endian) return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
  return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static unsigned u16_at(const struct wav *w, const char *text) {
  const unsigned char *p = (const unsigned char *)text;
  return w->is_big_endian ? (unsigned)p[0] << 8 | p[1] : (unsigned)p[1] << 8 | p[0];
}

void wav_init(struct wav *w) {
  *w = (struct wav){.state = WAV_RIFF};
}

/* How many bytes a sample takes: by the block align if the bits fit into it, else by the bits. */
static unsigned sample_bytes_of(unsigned bits, unsigned channels, unsigned align) {
  unsigned least = bits == 0 ? 1 : (bits + 7) / 8;
  return align % channels == 0 && align / channels >= least && align / channels <= 8 ? align / channels : least;
}

/* Samples per channel in a block of a codec whose blocks all hold as many; 0: unknown. */
static int64_t block_samples(unsigned tag, int64_t align, int64_t channels) {
  int64_t samples = 0;
  if (tag == TAG_MS_ADPCM) samples = (align - 7 * channels) * 2 / channels + 2;
  if (tag == TAG_IMA_ADPCM) samples = (align - 4 * channels) * 2 / channels + 1;
  if (tag == TAG_GSM) samples = align / 65 * 320;
  return align > 0 && samples > 0 ? samples : 0;
}

/* Reads the first n bytes of a format chunk. False if it is malformed. */
static bool read_format(struct wav *w, const char *p, size_t n) {
  unsigned tag = u16_at(w, p), channels = u16_at(w, p + 2), align = u16_at(w, p + 12), bits = u16_at(w, p + 14);
  uint32_t rate = u32_at(w, p + 4);
  if (tag == TAG_EXTENSIBLE) tag = n < WAV_HEAD_BYTES ? TAG_PCM : u16_at(w, p + 24);
  if (channels == 0 || channels > CHANNELS_MAX || rate == 0 || rate > SAMPLE_RATE_MAX) return false;
  unsigned sample_bytes = 0;
  if (tag == TAG_A_LAW || tag == TAG_MU_LAW) {
    sample_bytes = 1;
  } else if (tag == TAG_PCM) {
    sample_bytes = sample_bytes_of(bits, channels, align);
    if (sample_bytes > 8) return false;
  } else if (tag == TAG_FLOAT && bits > 0 && bits % 8 == 0 && bits <= 64) {
    sample_bytes = bits / 8;
  }
  static const enum pcm_kind kinds[] = {
      [TAG_PCM] = PCM_LINEAR, [TAG_FLOAT] = PCM_FLOAT, [TAG_A_LAW] = PCM_A_LAW, [TAG_MU_LAW] = PCM_MU_LAW};
  w->samples = sample_bytes > 0 ? kinds[tag] : PCM_NONE;
  w->bits = (int)sample_bytes * 8;
  w->channels = (int)channels;
  w->sample_rate = (int)rate;
  w->frame_samples = sample_bytes > 0 ? 1 : block_samples(tag, align, channels);
  w->frame_bytes = sample_bytes > 0 ? (int64_t)sample_bytes * channels : w->frame_samples > 0 ? align : 0;
  w->has_format = true;
  return true;
}

static void wav_skip(struct wav *w, uint64_t bytes) {
  w->left = bytes;
  w->state = bytes > 0 ? WAV_SKIP : WAV_CHUNK;
}

static void begin_data(struct wav *w, uint32_t size) {
  w->state = w->has_format ? WAV_DATA : WAV_BAD;
  bool is_long = size == UINT32_MAX && w->long_size > 0 && w->long_size <= INT64_MAX;
  w->size_known = is_long || (size != 0 && size < SIZE_UNKNOWN_FROM);
  w->data_size = is_long ? w->long_size : size;
}

static void begin_chunk(struct wav *w) {
  uint32_t size = u32_at(w, w->head + 4);
  uint64_t padded = (uint64_t)size + (size & 1);
  w->left = padded;
  if (memcmp(w->head, "data", 4) == 0) {
    begin_data(w, size);
  } else if (memcmp(w->head, "fmt ", 4) == 0 && !w->has_format) { /* (2) */
    w->state = size >= FORMAT_LEAST_BYTES ? WAV_FORMAT : WAV_BAD;
  } else if (memcmp(w->head, "fact", 4) == 0 && size >= FACT_BYTES) {
    w->state = WAV_FACT;
  } else if (memcmp(w->head, "ds64", 4) == 0 && size >= SIZES_BYTES) {
    w->state = WAV_SIZES;
  } else {
    wav_skip(w, padded);
  }
}

/* How many bytes to collect before the state can change; 0: none. */
static size_t bytes_to_collect(const struct wav *w) {
  if (w->state == WAV_RIFF) return RIFF_BYTES;
  if (w->state == WAV_CHUNK) return CHUNK_BYTES;
  if (w->state == WAV_FORMAT) return w->left < WAV_HEAD_BYTES ? (size_t)w->left : WAV_HEAD_BYTES;
  if (w->state == WAV_FACT) return FACT_BYTES;
  if (w->state == WAV_SIZES) return SIZES_BYTES;
  return 0;
}

static void on_collected(struct wav *w) {
  size_t n = w->head_bytes;
  w->head_bytes = 0;
  if (w->state == WAV_RIFF) {
    w->is_big_endian = memcmp(w->head, "RIFX", 4) == 0;
    w->state = WAV_CHUNK;
  } else if (w->state == WAV_CHUNK) {
    begin_chunk(w);
  } else if (w->state == WAV_FACT) {
    w->fact_samples = u32_at(w, w->head);
    wav_skip(w, w->left - n);
  } else if (w->state == WAV_SIZES) {
    uint32_t low = u32_at(w, w->head + 8), high = u32_at(w, w->head + 12);
    w->long_size = (uint64_t)high << 32 | low;
    wav_skip(w, w->left - n);
  } else if (read_format(w, w->head, n)) {
    wav_skip(w, w->left - n);
  } else {
    w->state = WAV_BAD;
  }
}

static size_t wav_collect(struct wav *w, struct str bytes, size_t want) {
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
    bytes = str_skip(bytes, want > 0 ? wav_collect(w, bytes, want) : skip_or_pass(w, bytes, sound, arg));
  }
}

bool wav_is_bad(const struct wav *w) {
  return w->state == WAV_BAD;
}

bool wav_has_samples(const struct wav *w) {
  return w->data_bytes > 0 && w->data_bytes >= (uint64_t)w->frame_bytes;
}

/* Samples per channel among the received bytes; -1: unknown. */
static int64_t received_samples(const struct wav *w) {
  int64_t most = INT64_MAX / 1000 / 65536; /* so that nothing overflows, though no block has so many samples */
  int64_t bytes = w->data_bytes > (uint64_t)most ? most : (int64_t)w->data_bytes;
  if (w->frame_bytes > 0) {
    int64_t counted = bytes / w->frame_bytes * w->frame_samples;
    bool is_last_block_padded =
        w->frame_samples > 1 && w->fact_samples < counted && w->fact_samples > counted - w->frame_samples;
    return is_last_block_padded ? w->fact_samples : counted;
  }
  if (w->fact_samples == 0 || !wav_is_whole(w) || w->fact_samples / SAMPLES_A_BYTE_MAX > bytes) return -1; /* (4) */
  return w->fact_samples;
}

int64_t wav_duration_ms(const struct wav *w) {
  if (!wav_has_samples(w)) return 0;
  int64_t samples = received_samples(w);
  return samples < 0 ? -1 : samples * 1000 / w->sample_rate;
}

bool wav_is_whole(const struct wav *w) {
  return w->state == WAV_AFTER || (w->state == WAV_DATA && !w->size_known);
}
