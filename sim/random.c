/* random.c - splitmix64, seeded by FNV-1a. */
#include "random.h"

struct random random_from(struct str seed) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < seed.n; i++) hash = (hash ^ (unsigned char)seed.p[i]) * 0x100000001b3u;
  return (struct random){hash};
}

uint64_t random_next(struct random *r) {
  uint64_t z = r->state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

uint64_t random_below(struct random *r, uint64_t limit) {
  return random_next(r) % limit;
}
