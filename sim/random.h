/* random.h - a deterministic random generator: the same seed gives the same numbers. Not for secrets.
 * Thread rule: pure. */
#pragma once

#include "base/str.h"

struct random {
  uint64_t state;
};

struct random random_from(struct str seed);
uint64_t random_next(struct random *r);
/* A number from 0 to limit - 1; limit > 0. */
uint64_t random_below(struct random *r, uint64_t limit);
