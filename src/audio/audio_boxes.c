/* audio_boxes.c - reads the duration of an MP4 from its boxes.
 *
 *   head of a box --of boxes--> the head of its first box       no depth is kept: the boxes inside follow like any others
 *   head of a box --trun, stts--> its entries, one by one --> the rest is skipped
 *   head of a box --any other--> its fields, if any are used --> the rest is skipped
 *
 * Invariants
 *  (1) Sizes and counts in the file decide what is skipped and how often an entry is read, never what is allocated.
 *  (2) The duration is the sum of the samples of stts and of the fragments if there are fragments, else what mehd says, else what
 *      mvhd says.
 *  (3) Fragments count for the first track with sound; if no track says that it has sound, for all. */
#include "audio/audio_boxes.h"

#include <string.h>

enum {
  LONG_HEAD_BYTES = 16,
  RUN_BYTES = 16,        /* of trun and stts: head, flags, number of entries */
  TABLE_ENTRY_BYTES = 8, /* of stts: number of samples, units of each */
  TFHD_HAS_OFFSET = 1,
  TFHD_HAS_DESCRIPTION = 2,
  TFHD_HAS_DURATION = 8,
  TRUN_HAS_OFFSET = 1,
  TRUN_HAS_FIRST_FLAGS = 4,
  TRUN_HAS_DURATION = 0x100,
  TRUN_HAS_SIZE = 0x200,
  TRUN_HAS_FLAGS = 0x400,
  TRUN_HAS_SHIFT = 0x800,
};

/* A number of four bytes, or of eight in version 1 of a box. */
static uint64_t read_time(const unsigned char *p, bool is_long) {
  return container_big(p, is_long ? 8 : 4);
}

static uint64_t duration_if_known(uint64_t duration, bool is_long) {
  return duration == (is_long ? UINT64_MAX : UINT32_MAX) ? 0 : duration;
}

/* p: the box, from its head on; n: how much of it is here, at least what the table wants at least. */
static void read_movie(struct container_boxes *b, const unsigned char *p, size_t n) {
  bool is_long = p[8] == 1;
  if (n < (is_long ? 40 : 28)) return;
  b->movie_units = container_big(p + (is_long ? 28 : 20), 4);
  if (b->movie_duration == 0)
    b->movie_duration = duration_if_known(read_time(p + (is_long ? 32 : 24), is_long), is_long);
}

static void read_track(struct container_boxes *b, const unsigned char *p, size_t n) {
  bool is_long = p[8] == 1;
  if (n >= (is_long ? 32 : 24)) b->track = container_big(p + (is_long ? 28 : 20), 4);
  b->track_units = 0;
}

static void read_media(struct container_boxes *b, const unsigned char *p, size_t n) {
  bool is_long = p[8] == 1;
  if (n >= (is_long ? 32 : 24)) b->track_units = container_big(p + (is_long ? 28 : 20), 4);
}

static void read_handler(struct container_boxes *b, const unsigned char *p, size_t n) {
  (void)n;
  if (memcmp(p + 16, "soun", 4) != 0 || b->sound_track != 0) return;
  b->sound_track = b->track;
  b->sound_units = b->track_units;
}

static void read_extends(struct container_boxes *b, const unsigned char *p, size_t n) {
  bool is_long = p[8] == 1;
  if (n < (is_long ? 20 : 16)) return;
  uint64_t duration = duration_if_known(read_time(p + 12, is_long), is_long);
  if (duration > 0) b->movie_duration = duration;
}

static bool is_of_sound(const struct container_boxes *b, uint64_t track) {
  return b->sound_track == 0 || b->sound_track == track; /* (3) */
}

static void read_track_defaults(struct container_boxes *b, const unsigned char *p, size_t n) {
  (void)n;
  if (is_of_sound(b, container_big(p + 12, 4))) b->default_units = container_big(p + 20, 4);
}

static void read_fragment(struct container_boxes *b, const unsigned char *p, size_t n) {
  uint64_t flags = container_big(p + 9, 3);
  size_t at = 16u + (flags & TFHD_HAS_OFFSET ? 8u : 0u) + (flags & TFHD_HAS_DESCRIPTION ? 4u : 0u);
  b->fragment_track = container_big(p + 12, 4);
  b->fragment_units = b->default_units;
  if ((flags & TFHD_HAS_DURATION) && n >= at + 4) b->fragment_units = container_big(p + at, 4);
}

static void add_units(struct container_boxes *b, uint64_t *sum, uint64_t samples, uint64_t units) {
  uint64_t all;
  if (__builtin_mul_overflow(samples, units, &all) || __builtin_add_overflow(*sum, all, sum)) b->is_too_long = true;
}

static void add_fragment_units(struct container_boxes *b, uint64_t samples, uint64_t units) {
  if (is_of_sound(b, b->fragment_track)) add_units(b, &b->fragments, samples, units);
}

/* The fields of boxes that are used. At least `least` bytes of the box are needed, at most `most` are read. */
static const struct field {
  char name[5];
  unsigned char least, most;
  void (*read)(struct container_boxes *b, const unsigned char *p, size_t n);
} FIELDS[] = {
    {"mvhd", 28, 40, read_movie},    {"tkhd", 24, 32, read_track},   {"mdhd", 24, 32, read_media},
    {"hdlr", 20, 20, read_handler},  {"mehd", 16, 20, read_extends}, {"trex", 24, 24, read_track_defaults},
    {"tfhd", 16, 32, read_fragment},
};

static const char BOXES_OF_BOXES[][5] = {"moov", "trak", "mdia", "minf", "stbl", "mvex", "moof", "traf"};

static bool holds_boxes(const unsigned char *name) {
  for (size_t i = 0; i < COUNT_OF(BOXES_OF_BOXES); i++)
    if (memcmp(name, BOXES_OF_BOXES[i], 4) == 0) return true;
  return false;
}

static const struct field *field_find(const unsigned char *name) {
  for (size_t i = 0; i < COUNT_OF(FIELDS); i++)
    if (memcmp(name, FIELDS[i].name, 4) == 0) return &FIELDS[i];
  return NULL;
}

static void begin_entries(struct container *c, uint64_t count, size_t entry_bytes, uint64_t body) {
  c->boxes.entries_left = count;
  c->boxes.entry_bytes = entry_bytes;
  c->boxes.run_left = body - count * entry_bytes;
  container_skip(c, 0, entry_bytes);
}

/* The head is a trun box with its optional fields; body: bytes behind them. */
static void begin_run(struct container *c, const unsigned char *p, uint64_t body) {
  struct container_boxes *b = &c->boxes;
  uint64_t flags = container_big(p + 9, 3), count = container_big(p + 12, 4);
  size_t entry = (flags & TRUN_HAS_DURATION ? 4u : 0u) + (flags & TRUN_HAS_SIZE ? 4u : 0u) +
                 (flags & TRUN_HAS_FLAGS ? 4u : 0u) + (flags & TRUN_HAS_SHIFT ? 4u : 0u);
  if (entry > 0 && count > body / entry) count = body / entry;
  b->is_table = false;
  if ((flags & TRUN_HAS_DURATION) && count > 0) {
    begin_entries(c, count, entry, body);
  } else {
    add_fragment_units(b, count, b->fragment_units);
    container_skip(c, body, BOXES_HEAD_BYTES);
  }
}

/* The head is an stts box: the durations of the samples that are not in fragments. */
static void begin_table(struct container *c, const unsigned char *p, uint64_t body) {
  struct container_boxes *b = &c->boxes;
  uint64_t count = container_big(p + 12, 4);
  if (count > body / TABLE_ENTRY_BYTES) count = body / TABLE_ENTRY_BYTES;
  b->is_table = true;
  if (count > 0 && b->sound_track != 0 && b->track == b->sound_track)
    begin_entries(c, count, TABLE_ENTRY_BYTES, body);
  else
    container_skip(c, body, BOXES_HEAD_BYTES);
}

static void read_entry(struct container *c, const unsigned char *p) {
  struct container_boxes *b = &c->boxes;
  if (b->is_table)
    add_units(b, &b->table, container_big(p, 4), container_big(p + 4, 4));
  else
    add_fragment_units(b, 1, container_big(p, 4));
  b->entries_left--;
  if (b->entries_left > 0)
    container_skip(c, 0, b->entry_bytes);
  else
    container_skip(c, b->run_left, BOXES_HEAD_BYTES);
}

/* How many bytes of a box of that size and name are parsed, including its head. */
static size_t bytes_to_parse(const struct container *c, const unsigned char *p, uint64_t size) {
  if (memcmp(p + 4, "trun", 4) == 0 && size >= RUN_BYTES) {
    if (c->head_bytes < RUN_BYTES) return RUN_BYTES;
    size_t more = (p[11] & TRUN_HAS_OFFSET ? 4u : 0u) + (p[11] & TRUN_HAS_FIRST_FLAGS ? 4u : 0u);
    return size >= RUN_BYTES + more ? RUN_BYTES + more : RUN_BYTES;
  }
  if (memcmp(p + 4, "stts", 4) == 0 && size >= RUN_BYTES) return RUN_BYTES;
  const struct field *f = field_find(p + 4);
  if (!f || size < f->least) return BOXES_HEAD_BYTES;
  return size < f->most ? (size_t)size : f->most;
}

void boxes_step(struct container *c, const unsigned char *p) {
  if (c->boxes.entries_left > 0) {
    read_entry(c, p);
    return;
  }
  uint64_t size = container_big(p, 4);
  size_t wanted = size == 1 ? LONG_HEAD_BYTES : bytes_to_parse(c, p, size);
  if (c->head_bytes < wanted) {
    container_want(c, CONTAINER_HEADER, wanted);
    return;
  }
  bool is_long = size == 1; /* its fields, if any, are not read */
  if (is_long) size = container_big(p + 8, 8);
  bool is_to_the_end = size == 0, is_sound = memcmp(p + 4, "mdat", 4) == 0;
  if (is_sound && (is_to_the_end || size > c->head_bytes)) c->has_media = true;
  if (size < c->head_bytes) {
    c->state = CONTAINER_OVER;
    return;
  }
  const struct field *f = field_find(p + 4);
  if (f && !is_long && c->head_bytes >= f->least) f->read(&c->boxes, p, c->head_bytes);
  bool has_entries = !is_long && c->head_bytes >= RUN_BYTES;
  if (has_entries && memcmp(p + 4, "trun", 4) == 0) {
    begin_run(c, p, size - c->head_bytes);
  } else if (has_entries && memcmp(p + 4, "stts", 4) == 0) {
    begin_table(c, p, size - c->head_bytes);
  } else {
    container_skip(c, holds_boxes(p + 4) ? 0 : size - c->head_bytes, BOXES_HEAD_BYTES);
  }
}

int64_t boxes_duration_ms(const struct container *c) {
  const struct container_boxes *b = &c->boxes;
  uint64_t units;
  bool is_too_long = __builtin_add_overflow(b->fragments, b->table, &units) || b->is_too_long;
  if (b->fragments == 0 && !b->is_too_long) return container_ms(b->movie_duration, b->movie_units);
  if (is_too_long) return -1;
  return container_ms(units, b->sound_track != 0 ? b->sound_units : b->track_units); /* (2) */
}
