#include "domain/backoff.h"

#include "domain/recording.h"

int64_t backoff_ms(int64_t n, uint32_t jitter) {
  int64_t wait = RECORDING_BACKOFF_FIRST_MS;
  for (int64_t i = 1; i < n && wait < RECORDING_BACKOFF_CAP_MS; i++) wait *= 2;
  if (wait > RECORDING_BACKOFF_CAP_MS) wait = RECORDING_BACKOFF_CAP_MS;
  int64_t spread = wait * 2 / 5; /* the whole width of ± 20 % */
  int64_t spread_wait = wait - spread / 2 + (int64_t)((uint64_t)spread * jitter / UINT32_MAX);
  return spread_wait < RECORDING_BACKOFF_CAP_MS ? spread_wait : RECORDING_BACKOFF_CAP_MS;
}

int64_t backoff_not_yet_ms(int64_t n) {
  static const int64_t steps_s[] = {1, 2, 3, 5, 8, 8, 60, 220};
  _Static_assert(COUNT_OF(steps_s) == RECORDING_NOT_YET_ASKS, "the last step leads past the first 5 minutes");
  const int64_t last = RECORDING_NOT_YET_ASKS - 1;
  int64_t i = n < 1 ? 0 : n - 1;
  return steps_s[i < last ? i : last] * 1000;
}
