/* random.h - numbers that look random and are the same for the same seed. Not for secrets. Pure. */
#pragma once

#include "base/str.h"

struct random {
  uint64_t state;
};

struct random random_from(struct str seed);
uint64_t random_next(struct random *r);
/* 0 … limit - 1; limit > 0. */
uint64_t random_below(struct random *r, uint64_t limit);
