/* backoff.h - how long after the nth failure. Pure. */
#pragma once

#include <stdint.h>

/* Milliseconds after failure number n (from 1): 30 s x 2^(n-1), at most 20 min, spread by ± 20 % by jitter (uniform). */
int64_t backoff_ms(int64_t n, uint32_t jitter);
/* Milliseconds before "not yet" ask number n (from 1) is repeated: 1, 2, 3, 5, 8, 8 … s. */
int64_t backoff_not_yet_ms(int64_t n);
