/* changes_postgres.h - the sequence of changes on PostgreSQL, where a number that is missing may still be committed. For the
 * ledger's own files, and for processes that write.
 *
 *   struct changes_epoch epoch = CHANGES_EPOCH;   {.on_connect = changes_enter, .on_connect_arg = &epoch} in struct db_open
 *
 * Thread rule: the connection's. */
#pragma once

#include "db/db.h"

/* The facts that a connection knows of the server: the epoch of its numbers (schema_postgres/0001_ledger.sql). */
struct changes_epoch {
  int64_t epoch;
  char nonce[64]; /* "": none yet */
};
#define CHANGES_EPOCH \
  { 0, "" }

/* For db_open's on_connect, with a struct changes_epoch: begins a new epoch if the server is not the one that was known, and then
 * makes db_reopened grow. Does nothing on SQLite, and before the schema is there. */
CHECKED enum err changes_enter(struct db *db, void *epoch);

/* How far a follower has come. */
struct changes_position {
  int64_t low;      /* all numbers up to it were delivered, or will never be committed */
  int64_t read_ms;  /* monotonic: the last read that succeeded */
  int64_t stuck_ms; /* since when a missing number stops it; 0: none does */
  /* All numbers up to settled_seq are final once no transaction before settled_xid runs; 0: not asked. */
  int64_t settled_seq, settled_xid;
};

/* Begins behind all that was committed. */
CHECKED enum err changes_position_begin(struct db *db, struct changes_position *ret_position);
/* Calls fn with at most limit rows, in order of their numbers; seq, kind, business_id, id, at_ms begin at column first.
 * ret_more: call it again at once; *ret_stuck: a number is missing that may come; *ret_lost: rows may have been trimmed
 * unread, or a number was missing for too long; *position is at the newest then. */
typedef enum err changes_row_fn(void *arg, struct db_rows *q, int first);
CHECKED enum err changes_position_read(struct db *db, struct changes_position *position, int limit, changes_row_fn *fn,
                                       void *arg, bool *ret_more, bool *ret_stuck, bool *ret_lost);
/* The newest number of this process's follower; -1: no follower ran. See changes_final. */
int64_t changes_position_low(void);
