/* removal.h - makes recordings expire, and notes what is to be removed because of it.
 *
 *   struct removal removal = {.reason = REMOVAL_DELETED, .rank = RECORDING_RANK_PLAY};
 *   TRY(removal_expire(db, &row, &removal, now, &row, &outcome));
 *   if (!outcome.moved && outcome.skip == RECORDING_SKIP_HELD) …                a legal hold covers it
 *
 * The row says `expired` before any byte goes. A task (ledger/tasks.h) names what is to be removed; a worker removes it and ends
 * the task. docs/internals/removal.md shows the whole path.
 * Thread rule: all functions run inside db_writer's transaction. now: db_now_ms. */
#pragma once

#include "domain/recording.h"

enum removal_reason {
  REMOVAL_RETENTION,
  REMOVAL_DELETED,
  REMOVAL_CALL_DELETED,
  REMOVAL_ERASED,
  REMOVAL_METADATA,
  REMOVAL_REASON_COUNT_
};
const char *removal_reason_name(enum removal_reason reason); /* "retention", …: the column expire_reason */
/* Whether nothing is left of an expired recording but its SID (domain/erasure.h). */
bool removal_is_wiped(const struct recording *row);

struct removal {
  enum removal_reason reason;
  int rank;           /* of its tasks: RECORDING_RANK_PLAY if a person asked, else RECORDING_RANK_REST */
  bool at_provider;   /* the provider's copy goes too */
  bool despite_holds; /* the caller asked for holds before (domain/erasure.c) */
};

/* The days that retention counts in: their lengths do not change with daylight saving, since all is UTC. */
#define RETENTION_DAY_MS (INT64_C(24) * 3600 * 1000)
enum { RETENTION_DAYS_MAX = 36500 };

/* Expires a recording whose row was read in this transaction. Retention is noted in the audit; for another reason the caller does
 * that. If a hold covers it, makes it show the hold. An expired one stays
 * as it is; at_provider is done all the same, unless a hold covers it: then the outcome is RECORDING_SKIP_HELD, too.
 * ERR_BUSY: whether a hold covers it is not known yet (holds_cover); nothing was changed. */
CHECKED enum err removal_expire(struct db *db, const struct recording *row, const struct removal *removal, int64_t now,
                                struct recording *ret_row, struct recording_outcome *ret_outcome);

/* When its retention is over; 0: never. days: of its business; 0: for ever. */
int64_t removal_due_at(const struct recording *row, int64_t days);

struct retention {
  int64_t days;     /* RETENTION_DAYS */
  bool at_provider; /* RETENTION_AT_PROVIDER=delete */
};
/* How far a round of all businesses is. Zeroed at first. */
struct retention_round {
  int64_t business_id; /* all before it are done */
};
enum { RETENTION_PART = 20, RETENTION_BUSINESSES = 200 };
/* Expires at most RETENTION_PART recordings that are due, and goes through at most RETENTION_BUSINESSES businesses. *ret_more:
 * the round is not over, call it again; else the next call begins another round. *ret_expired: how many. */
CHECKED enum err removal_retention_part(struct db *db, const struct retention *retention, struct retention_round *round,
                                        int64_t now, int *ret_expired, bool *ret_more);
