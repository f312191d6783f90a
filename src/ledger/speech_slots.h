/* speech_slots.h - the table `speech_slots`: places at the speech engines, over all processes. An engine that answers one request
 * at a time has one place.
 *
 *   TRY(speech_slots_take(db, names, count, most, owner, now, &slot));      with the task, in one transaction
 *   TRY(speech_slots_renew(db, &slot, now));   …   TRY(speech_slots_give(db, &slot, &how, now));
 *
 * Times are UNIX milliseconds. Thread rule: the connection's; writes run in db_writer's transaction. */
#pragma once

#include "ledger/tasks.h"

enum { SPEECH_SLOT_SIZE = 40, SPEECH_SLOTS_MAX = 64, SPEECH_PAUSE_MAX_MS = 3600 * 1000 };

struct speech_slot {
  char name[SPEECH_SLOT_SIZE];
  size_t index; /* among the names that were offered */
  char lease_owner[40];
  int64_t lease_token;
  int64_t failures; /* in a row, before this lease */
};

/* Leases one of the names for TASK_LEASE_MS that is neither leased nor paused: of these the one with the fewest failures.
 * most: how many may be leased in all. ERR_NOT_FOUND: none is free now; *ret_at is then when the first may be (0: unknown). */
CHECKED enum err speech_slots_take(struct db *db, const char (*names)[SPEECH_SLOT_SIZE], size_t count, int most,
                                   struct str owner, int64_t now, struct speech_slot *ret_slot, int64_t *ret_at);
/* ERR_CONFLICT: the lease is lost. */
CHECKED enum err speech_slots_renew(struct db *db, const struct speech_slot *slot, int64_t now);
/* Ends the lease. failed: one more failure in a row, and the slot is not leased before pause_until; else its failures are over.
 * Does nothing if the lease is lost. */
CHECKED enum err speech_slots_give(struct db *db, const struct speech_slot *slot, bool failed, int64_t pause_until);
/* The same for a holder that did not reach the engine: its failures stay as they are. */
CHECKED enum err speech_slots_return(struct db *db, const struct speech_slot *slot);
