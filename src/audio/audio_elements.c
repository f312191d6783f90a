/* audio_elements.c - reads the duration of a WebM from its elements.
 *
 *   head of an element --of elements--> the head of its first one    no depth is kept: the elements inside follow like any others
 *   head of an element --any other--> its value, if it is used --> the rest is skipped
 *
 * Invariants
 *  (1) Sizes in the file decide what is skipped, never what is allocated.
 *  (2) Only an element of elements may have an unknown size; another one ends the reading.
 *  (3) The duration is what Info says, else the end of the block that ends last, of which all bytes were received. */
#include "audio/audio_elements.h"

#include <string.h>

enum {
  ID_SEGMENT = 0x18538067,
  ID_INFO = 0x1549A966,
  ID_SCALE = 0x2AD7B1,
  ID_DURATION = 0x4489,
  ID_TRACKS = 0x1654AE6B,
  ID_TRACK = 0xAE,
  ID_AUDIO = 0xE1,
  ID_CHANNELS = 0x9F,
  ID_CLUSTER = 0x1F43B675,
  ID_CLUSTER_TIME = 0xE7,
  ID_SIMPLE_BLOCK = 0xA3,
  ID_BLOCK_GROUP = 0xA0,
  ID_BLOCK = 0xA1,
  ID_BLOCK_DURATION = 0x9B,
  ID_BYTES_MAX = 4,
  VALUE_BYTES_MAX = 8,
  BLOCK_FIELDS_BYTES = 3, /* behind the track: time and flags */
  CHANNELS_MAX = 255,
};

/* Units, so that no sum overflows: more than 200,000 years of nanoseconds are no time. */
#define TIME_MAX ((uint64_t)1 << 62)

/* Length of a number of variable length by its first byte: 1 to 8; 9: there is none. */
static size_t number_bytes(unsigned char first) {
  size_t n = 1;
  while (n <= 8 && !(first >> (8 - n) & 1)) n++;
  return n;
}

static bool holds_elements(uint64_t id) {
  static const uint32_t ids[] = {ID_SEGMENT, ID_INFO, ID_TRACKS, ID_TRACK, ID_AUDIO, ID_CLUSTER, ID_BLOCK_GROUP};
  for (size_t i = 0; i < COUNT_OF(ids); i++)
    if (id == ids[i]) return true;
  return false;
}

static bool is_value(uint64_t id) {
  static const uint32_t ids[] = {ID_SCALE, ID_DURATION, ID_CHANNELS, ID_CLUSTER_TIME, ID_BLOCK_DURATION};
  for (size_t i = 0; i < COUNT_OF(ids); i++)
    if (id == ids[i]) return true;
  return false;
}

static bool is_block(uint64_t id) {
  return id == ID_SIMPLE_BLOCK || id == ID_BLOCK;
}

static double real_of(const unsigned char *p, size_t n) {
  uint64_t bits = container_big(p, n);
  uint32_t short_bits = (uint32_t)bits;
  float single;
  double real;
  memcpy(&single, &short_bits, sizeof(single));
  memcpy(&real, &bits, sizeof(real));
  return n == sizeof(single) ? (double)single : n == sizeof(real) ? real : 0;
}

static uint64_t later_of(uint64_t a, uint64_t b) {
  return a > b ? a : b;
}

static void read_value(struct container *c, uint64_t id, const unsigned char *p, size_t n) {
  struct container_elements *e = &c->elements;
  uint64_t value = container_big(p, n);
  if (id == ID_SCALE && value > 0 && value <= UINT32_MAX) e->scale_ns = value;
  if (id == ID_DURATION) e->duration = real_of(p, n);
  if (id == ID_CHANNELS && value <= CHANNELS_MAX) c->channels = (int)value;
  if (id == ID_CLUSTER_TIME) e->cluster = value < TIME_MAX ? value : 0;
  if (id == ID_BLOCK_DURATION && c->has_media && value < TIME_MAX)
    c->samples = c->samples_behind = later_of(c->samples_behind, e->block + value);
}

/* p: a block's fields behind its track. Its time counts once the block is complete. */
static void read_block(struct container *c, const unsigned char *p) {
  int64_t time = (int64_t)c->elements.cluster + (int16_t)(uint16_t)container_big(p, 2);
  c->has_media = true;
  c->elements.block = time > 0 ? (uint64_t)time : 0;
  c->samples_behind = later_of(c->samples, c->elements.block);
}

/* An element with that ID is at the head, behind which its size is known. at: where its body begins. */
static void begin_body(struct container *c, const unsigned char *p, uint64_t id, size_t at, uint64_t size) {
  size_t wanted = at;
  if (is_value(id) && size <= VALUE_BYTES_MAX) wanted += (size_t)size;
  if (is_block(id) && size > 0) {
    wanted += 1;
    size_t fields = c->head_bytes >= wanted ? number_bytes(p[at]) + BLOCK_FIELDS_BYTES : 1;
    if (fields > 1 && size > fields) wanted = at + fields;
  }
  if (c->head_bytes < wanted) {
    container_want(c, CONTAINER_HEADER, wanted);
    return;
  }
  if (is_value(id) && wanted > at) read_value(c, id, p + at, (size_t)size);
  if (is_block(id) && wanted > at + 1) read_block(c, p + wanted - BLOCK_FIELDS_BYTES);
  container_skip(c, size - (wanted - at), ELEMENTS_HEAD_BYTES);
}

void elements_step(struct container *c, const unsigned char *p) {
  size_t id_bytes = number_bytes(p[0]);
  if (id_bytes > ID_BYTES_MAX) { /* junk */
    c->state = CONTAINER_OVER;
    return;
  }
  if (c->head_bytes < id_bytes + 1) {
    container_want(c, CONTAINER_HEADER, id_bytes + 1);
    return;
  }
  size_t size_bytes = number_bytes(p[id_bytes]), at = id_bytes + size_bytes;
  if (size_bytes > 8) {
    c->state = CONTAINER_OVER;
    return;
  }
  if (c->head_bytes < at) {
    container_want(c, CONTAINER_HEADER, at);
    return;
  }
  uint64_t id = container_big(p, id_bytes), most = ((uint64_t)1 << (7 * size_bytes)) - 1;
  uint64_t size = container_big(p + id_bytes, size_bytes) & most;
  if (holds_elements(id)) {
    if (id == ID_SEGMENT && size < most && size < INT64_MAX - c->fed_bytes) c->end = c->fed_bytes + size;
    container_skip(c, 0, ELEMENTS_HEAD_BYTES);
  } else if (size == most) { /* (2) */
    c->state = CONTAINER_OVER;
  } else {
    begin_body(c, p, id, at, size);
  }
}

int64_t elements_duration_ms(const struct container *c) {
  const struct container_elements *e = &c->elements;
  double told_ms = e->duration * (double)e->scale_ns / 1e6;
  if (told_ms >= 1 && told_ms < 1e15) return (int64_t)told_ms; /* (3) */
  if (c->samples == 0 || c->samples > TIME_MAX / e->scale_ns) return -1;
  return (int64_t)(c->samples * e->scale_ns / (1000 * 1000));
}
