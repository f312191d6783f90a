/* fetch_pace.h - bytes over a sliding window: is a transfer too slow? One owner; times are of clock_mono_ms. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { FETCH_PACE_SLOTS = 12 };

struct fetch_pace {
  int64_t least_bytes; /* over the whole window; 0: off */
  int64_t slot_ms;
  int64_t slot_end_ms;
  int64_t bytes[FETCH_PACE_SLOTS + 1]; /* the whole slots and the one that is filling */
  unsigned slot;
  unsigned full_slots; /* since the beginning, at most FETCH_PACE_SLOTS */
};

/* At least bytes_a_second over each window_ms; either <= 0: off. */
void fetch_pace_init(struct fetch_pace *pace, int64_t bytes_a_second, int64_t window_ms, int64_t now_ms);
void fetch_pace_add(struct fetch_pace *pace, int64_t bytes, int64_t now_ms);
/* True if the window that ended last had too few bytes. */
bool fetch_pace_is_slow(struct fetch_pace *pace, int64_t now_ms);
int64_t fetch_pace_next_ms(const struct fetch_pace *pace); /* when to ask again; INT64_MAX when off */
