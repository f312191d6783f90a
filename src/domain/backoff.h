/* backoff.h - how long to wait after a failed or early attempt. Thread rule: pure. */
#pragma once

#include <stdint.h>

/* Milliseconds to wait after failure number n (from 1): 30 s x 2^(n-1) ± 20 %, at most 20 min. jitter: uniform random.
 * */
int64_t backoff_ms(int64_t n, uint32_t jitter);
/* Milliseconds to wait after the provider's "not yet" number n (from 1): 1, 2, 3, 5, 8, 8, 60,
 * then always 220 s. So RECORDING_NOT_YET_ASKS attempts fit into the first 5 minutes. */
int64_t backoff_not_yet_ms(int64_t n);
