/* turns.h - the table `turns`: the businesses that have something queued, for each rank in the order in which they are served.
 * Triggers (schema/0019_turns.sql) keep it with every write of `recordings` and `businesses`; only time moves rows by
 * turns_make_due. docs/internals/queue.md has the design.
 *
 * Times are UNIX milliseconds by the database's clock. Thread rule: the connection's; writes in db_writer's transaction. */
#pragma once

#include "db/db.h"

/* How many recordings are under a lease, of all processes. A lease that has expired counts until it is taken back. */
struct turns_fills {
  int64_t all;
  int64_t rest; /* with RECORDING_RANK_REST */
};
CHECKED enum err turns_count_fills(struct db *db, struct turns_fills *ret_fills);
/* A claim makes at most this many turns due: those whose time came since queue_maintain. */
enum { TURNS_DUE_MAX = 5 };
/* Marks at most limit turns as due whose time has come at now, or is so far ahead that the clock must have jumped. */
CHECKED enum err turns_make_due(struct db *db, int64_t now, int limit);
/* The business that is served next at that rank: of those that are due and have fewer than most fills the one with the fewest,
 * then the one that was not served for the longest time. ERR_NOT_FOUND: there is none. */
CHECKED enum err turns_first(struct db *db, int rank, int64_t most, int64_t *ret_business_id);
/* *ret_due: the rows say that the turn is due at now. False: it became due by a clock that has gone back since. */
CHECKED enum err turns_is_due(struct db *db, int rank, int64_t business_id, int64_t now, bool *ret_due);
/* Makes a turn what the rows say. */
CHECKED enum err turns_renew(struct db *db, int rank, int64_t business_id);
