/* audio_container.c - reads the duration of audio that is not decoded from its container or frames.
 *
 *   HEADER --enough bytes--> parsed --> skip the body --> HEADER       frames, boxes of MP4, elements of WebM
 *   HEADER --an Ogg page--> LENGTHS --> BODY (first page) --> skip --> HEADER
 *   any --nothing more to learn, or not understood--> OVER
 *
 * Invariants
 *  (1) Sizes in the file decide what is skipped, never what is allocated.
 *  (2) A frame, page or block counts once all its bytes were received.
 *  (3) Bytes that are not understood are no error: the duration is what was counted before, or unknown.
 *  (4) Headers alone are no sound, however long they are. */
#include "audio/audio_container.h"

#include <string.h>

#include "audio/audio_boxes.h"
#include "audio/audio_elements.h"

enum {
  FLAC_SIGNATURE_BYTES = 4,
  FLAC_BLOCK_BYTES = 4,       /* a metadata block's header */
  FLAC_STREAMINFO_BYTES = 18, /* of the first block, up to the number of samples */
  FLAC_SYNC_BYTES = 2,
  ADTS_BYTES = 7,
  ADTS_SAMPLES = 1024, /* a block; a frame has one to four */
  AMR_SIGNATURE_BYTES = 6,
  AMR_WIDE_SIGNATURE_BYTES = 9,
  AMR_FRAMES_A_SECOND = 50,
  OGG_BYTES = 27,
  OGG_PACKET_BYTES = 64,
  OGG_IS_FIRST = 2,
  OPUS_RATE = 48000,
};

static uint64_t read_little_endian(const unsigned char *p, size_t n) {
  uint64_t value = 0;
  for (size_t i = n; i > 0; i--) value = value << 8 | p[i - 1];
  return value;
}

/* Reads STREAMINFO at its sample rate: 20 bits of it, 3 of channels, 5 of bits, 36 of the number of samples. */
static void read_streaminfo(struct container *c, const unsigned char *p) {
  c->sample_rate = (int64_t)(container_big(p, 3) >> 4);
  c->channels = (p[2] >> 1 & 7) + 1;
  c->samples = c->samples_behind = (uint64_t)(p[3] & 15) << 32 | container_big(p + 4, 4);
}

/* The first byte of the head begins nothing. */
static void drop_byte(struct container *c) {
  memmove(c->head, c->head + 1, --c->head_bytes);
}

/* Metadata blocks, the first of which is STREAMINFO, and then frames, which are not counted. */
static void step_flac(struct container *c, const unsigned char *p) {
  if (!c->has_begun) {
    c->has_begun = true;
    container_skip(c, 0, FLAC_BLOCK_BYTES);
    return;
  }
  if (c->is_last_block) {
    c->has_media = p[0] == 0xff && (p[1] & 0xfe) == 0xf8;
    if (c->has_media)
      c->state = CONTAINER_OVER;
    else
      drop_byte(c);
    return;
  }
  size_t bytes = (size_t)container_big(p + 1, 3);
  bool is_streaminfo = (p[0] & 127) == 0 && c->sample_rate == 0 && bytes >= FLAC_STREAMINFO_BYTES;
  size_t wanted = FLAC_BLOCK_BYTES + (is_streaminfo ? FLAC_STREAMINFO_BYTES : 0u);
  if (c->head_bytes < wanted) {
    container_want(c, CONTAINER_HEADER, wanted);
    return;
  }
  if (is_streaminfo) read_streaminfo(c, p + FLAC_BLOCK_BYTES + 10);
  c->is_last_block = p[0] & 128;
  container_skip(c, bytes + FLAC_BLOCK_BYTES - wanted, c->is_last_block ? FLAC_SYNC_BYTES : FLAC_BLOCK_BYTES);
}

static void step_adts(struct container *c, const unsigned char *p) {
  static const int rates[] = {96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350};
  size_t index = p[2] >> 2 & 15, bytes = (size_t)container_big(p + 3, 3) >> 5 & 0x1fff;
  bool is_frame = p[0] == 0xff && (p[1] & 0xf6) == 0xf0 && index < COUNT_OF(rates) && bytes >= ADTS_BYTES;
  if (is_frame && !c->has_begun) {
    c->has_begun = true;
    c->sample_rate = rates[index];
    c->channels = (p[2] & 1) << 2 | p[3] >> 6;
    memcpy(c->adts, p + 1, 2);
  }
  if (!is_frame || c->adts[0] != p[1] || ((c->adts[1] ^ p[2]) & 0xfc) != 0) { /* junk or a tag: search the next frame */
    drop_byte(c);
    return;
  }
  c->samples_behind = c->samples + ADTS_SAMPLES * ((p[6] & 3) + 1u);
  container_skip(c, bytes - ADTS_BYTES, ADTS_BYTES);
}

static void step_amr(struct container *c, const unsigned char *p) {
  /* bytes behind the header of each frame type; 255: there is no such type */
  static const unsigned char narrow[16] = {12, 13, 15, 17, 19, 20, 26, 31, 5, 6, 5, 5, 255, 255, 255, 0};
  static const unsigned char wide[16] = {17, 23, 32, 36, 40, 46, 50, 58, 60, 5, 255, 255, 255, 255, 0, 0};
  if (!c->has_begun) {
    c->is_wide = p[5] == '-';
    if (c->is_wide && c->head_bytes < AMR_WIDE_SIGNATURE_BYTES) {
      container_want(c, CONTAINER_HEADER, AMR_WIDE_SIGNATURE_BYTES);
      return;
    }
    c->has_begun = true;
    c->channels = 1;
    c->sample_rate = AMR_FRAMES_A_SECOND;
    container_skip(c, 0, 1);
    return;
  }
  unsigned bytes = (c->is_wide ? wide : narrow)[p[0] >> 3 & 15];
  if (bytes == 255) {
    c->state = CONTAINER_OVER;
    return;
  }
  c->samples_behind = c->samples + 1;
  container_skip(c, bytes, 1);
}

/* Reads the packet that begins an Ogg stream. False: it is of a codec whose granules are not known. */
static bool read_codec(struct container *c, struct str packet) {
  const unsigned char *p = (const unsigned char *)packet.p;
  if (str_starts(packet, STR("OpusHead")) && packet.n >= 12) {
    c->channels = p[9];
    c->delay = read_little_endian(p + 10, 2);
    c->sample_rate = OPUS_RATE;
  } else if (str_starts(packet, STR("\1vorbis")) && packet.n >= 16) {
    c->channels = p[11];
    c->sample_rate = (int64_t)read_little_endian(p + 12, 4);
  } else if (str_starts(packet, STR("Speex   ")) && packet.n >= 52) {
    c->channels = p[48];
    c->sample_rate = (int64_t)read_little_endian(p + 36, 4);
  } else if (str_starts(packet, STR("\177FLAC")) && packet.n >= 35) {
    read_streaminfo(c, p + 27);
    c->samples = c->samples_behind = 0; /* the granules count */
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
      container_want(c, CONTAINER_LENGTHS, OGG_BYTES + lengths);
    }
    return;
  }
  for (size_t i = 0; i < lengths; i++) body += p[OGG_BYTES + i];
  size_t here = c->head_bytes - OGG_BYTES - lengths;
  size_t packet = body < OGG_PACKET_BYTES ? body : OGG_PACKET_BYTES;
  bool may_tell_codec = !c->has_begun && (p[5] & OGG_IS_FIRST);
  if (may_tell_codec && here < packet) {
    container_want(c, CONTAINER_BODY, OGG_BYTES + lengths + packet);
    return;
  }
  if (may_tell_codec && read_codec(c, str_of(c->head + OGG_BYTES + lengths, here))) {
    c->has_begun = true;
    memcpy(c->serial, p + 14, sizeof(c->serial));
  }
  /* Of codecs that are not known, the granules only show that there is sound. */
  uint64_t granule = read_little_endian(p + 6, 8);
  bool is_counted = !c->has_begun || memcmp(c->serial, p + 14, sizeof(c->serial)) == 0;
  c->samples_behind = is_counted && granule <= INT64_MAX && granule > c->samples ? granule : c->samples;
  container_skip(c, body - here, OGG_BYTES);
}

static const struct {
  void (*step)(struct container *c, const unsigned char *head);
  size_t first_bytes;
} KINDS[] = {
    [AUDIO_FLAC] = {step_flac, FLAC_SIGNATURE_BYTES}, [AUDIO_AAC] = {step_adts, ADTS_BYTES},
    [AUDIO_AMR] = {step_amr, AMR_SIGNATURE_BYTES},    [AUDIO_OGG] = {step_ogg, OGG_BYTES},
    [AUDIO_M4A] = {boxes_step, BOXES_HEAD_BYTES},     [AUDIO_WEBM] = {elements_step, ELEMENTS_HEAD_BYTES},
};

void container_init(struct container *c, enum audio_kind kind) {
  *c = (struct container){.kind = kind, .elements.scale_ns = ELEMENTS_SCALE_NS};
  container_want(c, CONTAINER_HEADER, KINDS[kind].first_bytes);
}

void container_add_blocks(struct container *c, uint64_t blocks) {
  c->samples = c->samples_behind = c->samples + ADTS_SAMPLES * blocks;
}

void container_feed(struct container *c, struct str bytes) {
  uint64_t end = c->fed_bytes + bytes.n;
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
    c->fed_bytes = end - bytes.n;
    while (c->state != CONTAINER_OVER && c->left == 0 && c->head_bytes == c->wanted_bytes)
      KINDS[c->kind].step(c, (const unsigned char *)c->head);
  }
  c->fed_bytes = end;
}

int64_t container_duration_ms(const struct container *c) {
  if (c->kind == AUDIO_M4A) return boxes_duration_ms(c);
  if (c->kind == AUDIO_WEBM) return elements_duration_ms(c);
  return c->samples <= c->delay ? -1 : container_ms(c->samples - c->delay, (uint64_t)c->sample_rate);
}

bool container_has_sound(const struct container *c) {
  bool is_counted = c->kind == AUDIO_OGG || c->kind == AUDIO_AAC || c->kind == AUDIO_AMR;
  return is_counted ? c->samples > 0 : c->has_media; /* (4) */
}

bool container_is_bad(const struct container *c) {
  return c->state == CONTAINER_OVER && !container_has_sound(c);
}

bool container_is_whole(const struct container *c) {
  if (c->fed_bytes < c->end) return false;
  return c->state == CONTAINER_OVER || (c->left == 0 && c->head_bytes == 0);
}
