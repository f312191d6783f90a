/* retries.h - the table `retries`: failed recordings of a business that are being queued again, a part at a time.
 *
 * A row is there from the request until the last part; it says how far it has come, so that any process goes on with it, also
 * after a crash. Thread rule: the connection's; writing inside a transaction. */
#pragma once

#include "ledger/recordings.h"

enum { RETRY_CODE_SIZE = 32 };

struct retries_row {
  int64_t business_id;
  char code[RETRY_CODE_SIZE]; /* the failures' error code; "": any */
  int64_t since;              /* what failed earlier is left; 0: nothing */
  char after[SID_SIZE];       /* the recording that it has come to; "": none yet */
  int64_t queued;             /* so many up to there */
};

/* One that goes on already for that business and code begins anew, with the earlier `since` of the two. */
CHECKED enum err retries_begin(struct db *db, const struct retries_row *row, int64_t now);
/* The one that has waited longest for its turn. ERR_NOT_FOUND: there is none. */
CHECKED enum err retries_next(struct db *db, struct retries_row *ret_row);
/* Keeps `after` and `queued`, and puts it behind the others. */
CHECKED enum err retries_advance(struct db *db, const struct retries_row *row, int64_t now);
CHECKED enum err retries_end(struct db *db, const struct retries_row *row);
typedef enum err retries_each_fn(void *arg, const struct retries_row *row);
CHECKED enum err retries_each(struct db *db, int64_t business_id, retries_each_fn *fn, void *arg);
