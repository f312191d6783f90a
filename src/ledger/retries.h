/* retries.h - the table `retries`: bulk retries, which queue a business's failed recordings again in parts.
 *
 * A row exists from the request until the last part and holds the progress, so any process continues it, after a crash too.
 * Thread rule: the connection's. Writes need a transaction. */
#pragma once

#include "ledger/recordings.h"

enum { RETRY_CODE_SIZE = 32 };

struct retries_row {
  int64_t business_id;
  char code[RETRY_CODE_SIZE]; /* error code of the recordings; "": any */
  int64_t since;              /* skips recordings that failed earlier; UNIX ms, 0: skips none */
  char after[SID_SIZE];       /* the last recording that was handled; "": none yet */
  int64_t queued;             /* recordings queued so far */
  bool forced;                /* also what failed with `absent_…` */
};

/* Adds a bulk retry. One that exists for that business and code starts again from the first recording, with the earlier
 * `since`, and forced if either was. */
CHECKED enum err retries_begin(struct db *db, const struct retries_row *row, int64_t now);
/* The bulk retry that has waited longest for its turn. ERR_NOT_FOUND: there is none. */
CHECKED enum err retries_next(struct db *db, struct retries_row *ret_row);
/* Stores `after` and `queued`, and lets the others have a turn first. */
CHECKED enum err retries_advance(struct db *db, const struct retries_row *row, int64_t now);
CHECKED enum err retries_end(struct db *db, const struct retries_row *row);
typedef enum err retries_each_fn(void *arg, const struct retries_row *row);
CHECKED enum err retries_each(struct db *db, int64_t business_id, retries_each_fn *fn, void *arg);
