/* audio_container.c - reads the duration of audio that is not decoded from its container or frames.
 *
 *   HEADER --enough bytes--> parsed --> skip the body --> HEADER       frames of ADTS and AMR, boxes of MP4
 *   HEADER --an Ogg page--> LENGTHS --> BODY (first page) --> skip --> HEADER
 *   any --nothing more to learn, or not understood--> OVER
 *
 * Invariants
 *  (1) Sizes in the file decide what is skipped, never what is allocated.
 *  (2) A frame or page counts once all its bytes were received.
 *  (3) What is not understood is no error: the duration is what was counted before, or unknown. */
#include "audio/audio_container.h"

#include <string.h>

enum {
  FLAC_BYTES = 26, /* signature, block header, STREAMINFO up to the number of samples */
  ADTS_BYTES = 7,
  AMR_SIGNATURE_BYTES = 6,
  AMR_WIDE_SIGNATURE_BYTES = 9,
  AMR_FRAMES_A_SECOND = 50,
  OGG_BYTES = 27,
  OGG_PACKET_BYTES = 64,
  OPUS_RATE = 48000,
  BOX_BYTES = 8,
  LONG_BOX_BYTES = 16,
  MOVIE_BYTES = 40, /* header of an mvhd box and its fields up to the duration, in version 1 */
};

static uint64_t big(const unsigned char *p, size_t n) {
  uint64_t value = 0;
  for (size_t i = 0; i < n; i++) value = value << 8 | p[i];
  return value;
}

static uint64_t little(const unsigned char *p, size_t n) {
  uint64_t value = 0;
  for (size_t i = n; i > 0; i--) value = value << 8 | p[i - 1];
  return value;
}

static void want(struct container *c, enum container_state state, size_t bytes) {
  c->state = state;
  c->wanted_bytes = bytes;
}

/* Skips what follows the head, and then reads a head of that many bytes. */
static void skip_body(struct container *c, uint64_t bytes, size_t next_head_bytes) {
  c->left = bytes;
  c->head_bytes = 0;
  want(c, CONTAINER_HEADER, next_head_bytes);
  if (bytes == 0) c->samples = c->samples_behind;
}

/* Reads STREAMINFO at its sample rate: 20 bits of it, 3 of channels, 5 of bits, 36 of the number of samples. */
static void read_streaminfo(struct container *c, const unsigned char *p) {
  c->sample_rate = (int64_t)(big(p, 3) >> 4);
  c->channels = (p[2] >> 1 & 7) + 1;
  c->samples = (uint64_t)(p[3] & 15) << 32 | big(p + 4, 4);
}

static void step_flac(struct container *c, const unsigned char *p) {
  if ((p[4] & 127) == 0) read_streaminfo(c, p + 18);
  c->state = CONTAINER_OVER;
}

static void step_adts(struct container *c, const unsigned char *p) {
  static const int rates[] = {96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350};
  size_t index = p[2] >> 2 & 15, bytes = (size_t)big(p + 3, 3) >> 5 & 0x1fff;
  bool is_frame = p[0] == 0xff && (p[1] & 0xf6) == 0xf0 && index < COUNT_OF(rates) && bytes >= ADTS_BYTES;
  if (is_frame && !c->has_begun) {
    c->has_begun = true;
    c->sample_rate = rates[index];
    c->channels = (p[2] & 1) << 2 | p[3] >> 6;
    memcpy(c->adts, p + 1, 2);
  }
  if (!is_frame || c->adts[0] != p[1] || ((c->adts[1] ^ p[2]) & 0xfc) != 0) { /* junk or a tag: search the next frame */
    memmove(c->head, c->head + 1, --c->head_bytes);
    return;
  }
  c->samples_behind = c->samples + 1024 * ((p[6] & 3) + 1u);
  skip_body(c, bytes - ADTS_BYTES, ADTS_BYTES);
}

static void step_amr(struct container *c, const unsigned char *p) {
  /* bytes behind the header of each frame type; 255: there is no such type */
  static const unsigned char narrow[16] = {12, 13, 15, 17, 19, 20, 26, 31, 5, 6, 5, 5, 255, 255, 255, 0};
  static const unsigned char wide[16] = {17, 23, 32, 36, 40, 46, 50, 58, 60, 5, 255, 255, 255, 255, 0, 0};
  if (!c->has_begun) {
    c->is_wide = p[5] == '-';
    if (c->is_wide && c->head_bytes < AMR_WIDE_SIGNATURE_BYTES) {
      want(c, CONTAINER_HEADER, AMR_WIDE_SIGNATURE_BYTES);
      return;
    }
    c->has_begun = true;
    c->channels = 1;
    c->sample_rate = AMR_FRAMES_A_SECOND;
    skip_body(c, 0, 1);
    return;
  }
  unsigned bytes = (c->is_wide ? wide : narrow)[p[0] >> 3 & 15];
  if (bytes == 255) {
    c->state = CONTAINER_OVER;
    return;
  }
  c->samples_behind = c->samples + 1;
  skip_body(c, bytes, 1);
}

/* Reads the packet that begins an Ogg stream. False: it is of a codec whose granules are not known. */
static bool read_codec(struct container *c, struct str packet) {
  const unsigned char *p = (const unsigned char *)packet.p;
  if (str_starts(packet, STR("OpusHead")) && packet.n >= 12) {
    c->channels = p[9];
    c->delay = little(p + 10, 2);
    c->sample_rate = OPUS_RATE;
  } else if (str_starts(packet, STR("\1vorbis")) && packet.n >= 16) {
    c->channels = p[11];
    c->sample_rate = (int64_t)little(p + 12, 4);
  } else if (str_starts(packet, STR("Speex   ")) && packet.n >= 52) {
    c->channels = p[48];
    c->sample_rate = (int64_t)little(p + 36, 4);
  } else if (str_starts(packet, STR("\177FLAC")) && packet.n >= 35) {
    read_streaminfo(c, p + 27);
    c->samples = 0; /* the granules count */
  } else {
    return false;
  }
  return true;
}

static void step_ogg(struct container *c, const unsigned char *p) {
  size_t lengths = p[26], body = 0;
  if (c->state == CONTAINER_HEADER) {
    if (memcmp(p, "OggS", 4) != 0) {
      c->state = CONTAINER_OVER;
    } else {
      want(c, CONTAINER_LENGTHS, OGG_BYTES + lengths);
    }
    return;
  }
  for (size_t i = 0; i < lengths; i++) body += p[OGG_BYTES + i];
  size_t here = c->head_bytes - OGG_BYTES - lengths;
  size_t packet = body < OGG_PACKET_BYTES ? body : OGG_PACKET_BYTES;
  if (!c->has_begun && here < packet) {
    want(c, CONTAINER_BODY, OGG_BYTES + lengths + packet);
    return;
  }
  if (!c->has_begun) {
    c->has_begun = true;
    memcpy(c->serial, p + 14, sizeof(c->serial));
    if (!read_codec(c, str_of(c->head + OGG_BYTES + lengths, here))) {
      c->has_media = true;
      c->state = CONTAINER_OVER;
      return;
    }
  }
  uint64_t granule = little(p + 6, 8);
  bool counts = memcmp(c->serial, p + 14, sizeof(c->serial)) == 0 && granule <= INT64_MAX && granule > c->samples;
  c->samples_behind = counts ? granule : c->samples;
  skip_body(c, body - here, OGG_BYTES);
}

/* Reads an mvhd box: times, units a second, and the duration in units. */
static void read_movie(struct container *c, const unsigned char *p) {
  bool is_long = p[BOX_BYTES] == 1;
  c->sample_rate = (int64_t)big(p + (is_long ? 28 : 20), 4);
  uint64_t duration = is_long ? big(p + 32, 8) : big(p + 24, 4);
  bool is_known = duration != (is_long ? UINT64_MAX : UINT32_MAX);
  c->samples = c->samples_behind = is_known ? duration : 0;
}

static void step_m4a(struct container *c, const unsigned char *p) {
  uint64_t size = big(p, 4), head = BOX_BYTES;
  bool is_movie = memcmp(p + 4, "mvhd", 4) == 0 && size >= MOVIE_BYTES;
  size_t wanted = size == 1 ? LONG_BOX_BYTES : is_movie ? MOVIE_BYTES : BOX_BYTES;
  if (c->head_bytes < wanted) {
    want(c, CONTAINER_HEADER, wanted);
    return;
  }
  if (size == 1) {
    size = big(p + 8, 8);
    head = LONG_BOX_BYTES;
  }
  if (is_movie) {
    read_movie(c, p);
    head = MOVIE_BYTES;
  }
  if (memcmp(p + 4, "mdat", 4) == 0 && (size == 0 || size > head)) c->has_media = true;
  if (size < head) { /* 0: up to the end of the file */
    c->state = CONTAINER_OVER;
    return;
  }
  skip_body(c, memcmp(p + 4, "moov", 4) == 0 ? 0 : size - head, BOX_BYTES);
}

static const struct {
  void (*step)(struct container *c, const unsigned char *head);
  size_t first_bytes;
} KINDS[] = {
    [AUDIO_FLAC] = {step_flac, FLAC_BYTES},        [AUDIO_AAC] = {step_adts, ADTS_BYTES},
    [AUDIO_AMR] = {step_amr, AMR_SIGNATURE_BYTES}, [AUDIO_OGG] = {step_ogg, OGG_BYTES},
    [AUDIO_M4A] = {step_m4a, BOX_BYTES},           [AUDIO_WEBM] = {NULL, 0},
};

void container_init(struct container *c, enum audio_kind kind) {
  *c = (struct container){.kind = kind, .state = CONTAINER_OVER};
  if (KINDS[kind].step) want(c, CONTAINER_HEADER, KINDS[kind].first_bytes);
}

void container_feed(struct container *c, struct str bytes) {
  while (bytes.n > 0 && c->state != CONTAINER_OVER) {
    if (c->left > 0) {
      size_t n = c->left < bytes.n ? (size_t)c->left : bytes.n;
      c->left -= n;
      bytes = str_skip(bytes, n);
      if (c->left == 0) c->samples = c->samples_behind;
      continue;
    }
    size_t room = c->wanted_bytes - c->head_bytes, n = room < bytes.n ? room : bytes.n;
    memcpy(c->head + c->head_bytes, bytes.p, n);
    c->head_bytes += n;
    bytes = str_skip(bytes, n);
    while (c->state != CONTAINER_OVER && c->left == 0 && c->head_bytes == c->wanted_bytes)
      KINDS[c->kind].step(c, (const unsigned char *)c->head);
  }
}

int64_t container_duration_ms(const struct container *c) {
  if (c->sample_rate == 0 || c->samples <= c->delay) return -1;
  uint64_t samples = c->samples - c->delay;
  return samples > INT64_MAX / 1000 ? -1 : (int64_t)(samples * 1000 / (uint64_t)c->sample_rate);
}

bool container_has_sound(const struct container *c) {
  bool is_counted = c->kind == AUDIO_OGG || c->kind == AUDIO_AAC || c->kind == AUDIO_AMR;
  if (c->kind == AUDIO_M4A || c->has_media) return c->has_media;
  return !is_counted || c->samples > 0;
}

bool container_is_whole(const struct container *c) {
  return c->state == CONTAINER_OVER || (c->left == 0 && c->head_bytes == 0);
}
