/* fetch_pace.c - counts bytes in a sliding window of FETCH_PACE_SLOTS complete slots and the current one.
 *
 * Invariants
 *  (1) A window is judged only when all its slots are complete: never early, and late by less than a slot.
 *  (2) Slots in which no function was called (the clock jumped) count as empty. */
#include "fetch/fetch_pace.h"

void fetch_pace_init(struct fetch_pace *pace, int64_t bytes_a_second, int64_t window_ms, int64_t now_ms) {
  *pace = (struct fetch_pace){0};
  if (bytes_a_second <= 0 || window_ms <= 0) return;
  const int64_t most = INT64_MAX / 2;
  pace->least_bytes = window_ms > most / bytes_a_second ? most : bytes_a_second * window_ms / 1000;
  pace->slot_ms = window_ms / FETCH_PACE_SLOTS + (window_ms % FETCH_PACE_SLOTS != 0);
  pace->slot_end_ms = now_ms + pace->slot_ms;
}

/* Ends the slots that are complete at now_ms. */
static void end_slots(struct fetch_pace *pace, int64_t now_ms) {
  int64_t over = now_ms < pace->slot_end_ms ? 0 : (now_ms - pace->slot_end_ms) / pace->slot_ms + 1;
  pace->slot_end_ms += over * pace->slot_ms;
  if (over > FETCH_PACE_SLOTS + 1) over = FETCH_PACE_SLOTS + 1; /* that clears all slots */
  for (; over > 0; over--) {
    pace->slot = (pace->slot + 1) % (FETCH_PACE_SLOTS + 1);
    pace->bytes[pace->slot] = 0;
    if (pace->full_slots < FETCH_PACE_SLOTS) pace->full_slots++;
  }
}

void fetch_pace_add(struct fetch_pace *pace, int64_t bytes, int64_t now_ms) {
  if (pace->least_bytes == 0) return;
  end_slots(pace, now_ms);
  pace->bytes[pace->slot] += bytes;
}

bool fetch_pace_is_slow(struct fetch_pace *pace, int64_t now_ms) {
  if (pace->least_bytes == 0) return false;
  end_slots(pace, now_ms);
  if (pace->full_slots < FETCH_PACE_SLOTS) return false; /* (1) */
  int64_t sum = 0;
  for (unsigned i = 0; i < FETCH_PACE_SLOTS + 1; i++) {
    sum += pace->bytes[i];
  }
  return sum < pace->least_bytes;
}

int64_t fetch_pace_next_ms(const struct fetch_pace *pace) {
  return pace->least_bytes == 0 ? INT64_MAX : pace->slot_end_ms;
}
