/* audit_cut.h - cuts the old end of the audit's chains, and signs where it cut.
 *
 *   TRY(audit_cut(db, secrets_key, now - days, now, &count, &more));      again while more
 *
 * Thread rule: the connection's. audit_cut runs in a transaction of its own. */
#pragma once

#include "ledger/audit.h"

enum { AUDIT_CUT_MAX = 450 };

/* Deletes at most AUDIT_CUT_MAX entries that are older than `before` from the old end of one business's chain, and writes its
 * checkpoint. An entry whose predecessor is younger stays until that one goes. *ret_count: how many. *ret_more: there may be
 * more, of this business or another. */
CHECKED enum err audit_cut(struct db *db, const uint8_t secrets_key[SECRET_KEY_SIZE], int64_t before, int64_t now,
                           int64_t *ret_count, bool *ret_more);

struct audit_checkpoint {
  int64_t business_id;
  int64_t number; /* of the last entry that is gone; 0: none is */
  int64_t at, cut_at;
  char digest[AUDIT_DIGEST_SIZE];
};
/* Reads the checkpoint; without one, number is 0 and digest that before the first entry. ERR_DENIED: its signature is not this
 * installation's; *ret_checkpoint is set then too. */
CHECKED enum err audit_checkpoint_read(struct db *db, const uint8_t secrets_key[SECRET_KEY_SIZE], int64_t business_id,
                                       struct audit_checkpoint *ret_checkpoint);
/* During a rotation of the key: signs again what the older key signed, some hundred checkpoints of the businesses above
 * *after. *after: the last of them; *ret_more: there may be more. */
CHECKED enum err audit_resign(struct db *db, const uint8_t secrets_key[SECRET_KEY_SIZE], int64_t *after,
                              bool *ret_more);
