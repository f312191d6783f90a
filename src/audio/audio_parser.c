/* audio_parser.c - what the parsers of single kinds of containers share. */
#include "audio/audio_parser.h"

uint64_t container_big(const unsigned char *p, size_t n) {
  uint64_t value = 0;
  for (size_t i = 0; i < n; i++) value = value << 8 | p[i];
  return value;
}

void container_want(struct container *c, enum container_state state, size_t bytes) {
  c->state = state;
  c->wanted_bytes = bytes;
}

void container_skip(struct container *c, uint64_t bytes, size_t next_head_bytes) {
  c->left = bytes;
  c->head_bytes = 0;
  container_want(c, CONTAINER_HEADER, next_head_bytes);
  if (bytes == 0) c->samples = c->samples_behind;
}

int64_t container_ms(uint64_t units, uint64_t units_a_second) {
  if (units_a_second == 0 || units == 0 || units > INT64_MAX / 1000) return -1;
  return (int64_t)(units * 1000 / units_a_second);
}
