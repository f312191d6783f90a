/* hold.h - sets and ends legal holds (ledger/holds.h), unless it is too late for one.
 *
 *   struct hold hold = {.business_id = 1, .reason = "…", .by = "key:3", .at = now};
 *   TRY(hold_set_call(db, &hold, call_sid, &too_late));      too late: it is removed, or is being removed; nothing was set
 *
 * A removal asks for holds in the transaction that begins it, and a hold asks for removals in the transaction that sets it. So
 * nothing that a hold names is removed after it was set, and a hold that is too late is refused.
 * Thread rule: all functions run inside db_writer's transaction. */
#pragma once

#include "ledger/holds.h"

/* Set hold->key and hold->hold_id. They use its other members. ERR_TOO_BIG: the business has HOLDS_PER_BUSINESS_MAX. */
CHECKED enum err hold_set_recording(struct db *db, struct hold *hold, const struct recording *row, bool *ret_too_late);
/* A call: all its legs. ERR_NOT_FOUND: no such call. */
CHECKED enum err hold_set_call(struct db *db, struct hold *hold, struct str call_sid, bool *ret_too_late);
/* hold->key is the number already (erasure_number). */
CHECKED enum err hold_set_number(struct db *db, struct hold *hold, bool *ret_too_late);

/* Ends the hold with this key: a recording's or a call's SID, or a number. *ret_ended: there was one. */
CHECKED enum err hold_end(struct db *db, int64_t business_id, struct str key, struct hold *ret_hold, bool *ret_ended);
