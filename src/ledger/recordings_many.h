/* recordings_many.h - recordings of several deliveries, read and written by one statement each. For PostgreSQL, where each is a
 * round trip; see calls_many.h. Thread rule: the connection's, in a transaction that holds the locks of the businesses. */
#pragma once

#include "ledger/recordings.h"

struct recording_lookup {
  int64_t business_id;
  char recording_sid[SID_SIZE];
  /* Found: */
  bool is_known;
  struct recording row;
  struct buf fields; /* its ranked document; the caller calls buf_done */
};
/* _ask sends the query with the next statement of the transaction; after that one, _answer fills the lookups. count may be 0. */
CHECKED enum err recordings_many_send(struct db *db, struct db_rows *rows, struct recording_lookup *lookups, int count);
CHECKED enum err recordings_many_receive(struct db_rows *rows, struct recording_lookup *lookups, int count);

/* The recordings of calls. */
struct call_recordings_lookup {
  int64_t business_id;
  char call_sid[SID_SIZE];
  /* Found: */
  int count;            /* 0, 1, or 2 for more than one */
  struct recording row; /* if there is any, one of them */
};
/* One round trip. */
CHECKED enum err recordings_many_of_calls(struct db *db, struct call_recordings_lookup *lookups, int count);

struct recording_write {
  const struct recording *was; /* NULL: the row is new */
  const struct recording *next;
  struct str fields;
  /* Of a new row with a call that is known, or is written in this transaction: */
  int64_t call_started_at; /* 0: unknown */
  int64_t listed_at;       /* the time of the call's document; 0: found by the database */
};
/* Inserts or replaces the rows. Adds no changes: recordings_many_change says which one each is. */
CHECKED enum err recordings_many_write(struct db *db, const struct recording_write *writes, int count);
/* enum change_kind */
int recordings_many_change(const struct recording_write *w);
