/* recordings_claims.h - the recordings that the next claims may take, read by one statement. For PostgreSQL, where each statement
 * is a round trip: domain/queue_claims.c decides in memory which of them are claimed. recordings_next is the same one by one.
 *
 *   struct claimable list[CLAIMABLE_ROOM(8)];
 *   recordings_claimable(db, &limits, now, 8, list, &count, &fills);
 *
 * Thread rule: the connection's, in a transaction of db_begin_immediate. Times: UNIX milliseconds by the database's clock. */
#pragma once

#include "ledger/recordings.h"
#include "ledger/turns.h"

/* One of a business's turn at one rank; those of a turn stand together, the one that goes first before the others. */
struct claimable {
  int rank;
  int64_t business_id, fills, served_at; /* of the turn */
  /* False: only recordings_next can tell what to do: the provider refuses the account or errs, or the turn became due by a
   * clock that went back. The members below are not set then. */
  bool is_plain;
  int turn_room; /* how many recordings of this turn were read at most: there may be more if so many were */
  int64_t credentials_version; /* of the business */
  int64_t call_started_at;     /* 0: unknown */
  struct recording row;
};
/* How many come at most for so many claims. */
#define CLAIMABLE_ROOM(most) (6 * (most))

/* Makes turns due whose time came, and reads what `most` claims may need, in the order of rank, fills of the business, time since
 * it was served. *ret_fills: all leases. ERR_UNSUPPORTED: not with SQLite. */
CHECKED enum err recordings_claimable(struct db *db, const struct recordings_limits *limits, int64_t now, int most,
                                      struct claimable *ret_list, int *ret_count, struct turns_fills *ret_fills);
/* recordings_store, sent with the next statement. The row was read in this transaction, so its version is not compared. */
CHECKED enum err recordings_store_later(struct db *db, const struct recording *old, const struct recording *next);
