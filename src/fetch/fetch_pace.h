/* fetch_pace.h - counts bytes in a sliding window, to detect a slow transfer.
 *
 *   fetch_pace_init(&pace, 1000, 60000, now_ms);  fetch_pace_add(&pace, n, now_ms) …;  if (fetch_pace_is_slow(&pace, now_ms)) …
 *
 * Thread rule: one owner. Times are those of clock_mono_ms. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { FETCH_PACE_SLOTS = 12 };

struct fetch_pace {
  int64_t least_bytes; /* over the whole window; 0: off */
  int64_t slot_ms;
  int64_t slot_end_ms;
  int64_t bytes[FETCH_PACE_SLOTS + 1]; /* in each complete slot, and in the current one */
  unsigned slot;                       /* the current one */
  unsigned full_slots;                 /* complete ones since the beginning, at most FETCH_PACE_SLOTS */
};

/* Requires bytes_a_second in each window of window_ms; if either is <= 0, nothing is required. */
void fetch_pace_init(struct fetch_pace *pace, int64_t bytes_a_second, int64_t window_ms, int64_t now_ms);
void fetch_pace_add(struct fetch_pace *pace, int64_t bytes, int64_t now_ms);
/* True if the last complete window had too few bytes. */
bool fetch_pace_is_slow(struct fetch_pace *pace, int64_t now_ms);
int64_t fetch_pace_next_ms(const struct fetch_pace *pace); /* when to call fetch_pace_is_slow again; INT64_MAX if off */
