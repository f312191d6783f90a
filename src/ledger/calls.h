/* calls.h - the table `calls`: one row a leg.
 *
 * Times are UNIX milliseconds; 0 means none. Thread rule: the connection's; writing runs inside db_writer's transaction. */
#pragma once

#include "ledger/recordings.h"

enum { CALL_TEXT_SIZE = 257, CALL_NAME_SIZE = 201, CALL_METADATA_SIZE = 4097 };

struct call {
  int64_t business_id;
  char call_sid[SID_SIZE];
  char parent_call_sid[SID_SIZE]; /* "" none told */
  char top_sid[SID_SIZE];         /* kept by calls_put: the leg without a known parent */
  char account_sid[SID_SIZE];
  char provider_direction[CALL_TEXT_SIZE];
  char direction[16]; /* inbound, outbound or "" */
  char from_number[CALL_TEXT_SIZE];
  char to_number[CALL_TEXT_SIZE];
  char caller_name[CALL_TEXT_SIZE];
  char status[32];
  int64_t duration_s; /* -1 unknown */
  int64_t earliest_at;
  int64_t started_at;
  int64_t ended_at;
  char customer_name[CALL_NAME_SIZE];
  char ref[CALL_NAME_SIZE];
  char metadata[CALL_METADATA_SIZE]; /* JSON object or "" */
  int64_t first_seen_at;
  int64_t document_id; /* kept by calls_put: what it is found by (calls_search.h); 0 none yet */
};

/* Where it stands in lists. */
static inline int64_t calls_sort_at(const struct call *c) {
  return c->started_at ? c->started_at : c->first_seen_at;
}

#define CALL_COLUMNS                                                                                             \
  "c.business_id, c.call_sid, c.parent_call_sid, c.top_sid, c.account_sid, c.provider_direction, c.direction, "  \
  "c.from_number, c.to_number, c.caller_name, c.status, c.duration_s, c.earliest_at, c.started_at, c.ended_at, " \
  "c.customer_name, c.ref, c.metadata, c.first_seen_at, c.document_id"
enum { CALL_COLUMN_COUNT = 20 };
/* Reads CALL_COLUMNS of the row in hand, the first at column `from`. */
CHECKED enum err calls_read_row(struct db_rows *q, int from, struct call *ret_call);

CHECKED enum err calls_get(struct db *db, int64_t business_id, struct str call_sid, struct call *ret_call);
/* The row, and the ranked document of told fields, appended to fields. */
CHECKED enum err calls_read(struct db *db, int64_t business_id, struct str call_sid, struct call *ret_call,
                            struct buf *fields);
/* Makes the row, or takes the place of `was`: the row as calls_read gave it in this transaction, NULL where there is none.
 * Keeps top_sid and document_id of it right, and those of its legs at once or soon (calls_tree.h), and says so in `changes`.
 * What the host knows (customer_name, ref, metadata) is left as it stands: calls_set_host. */
CHECKED enum err calls_put(struct db *db, const struct call *was, const struct call *call, struct str fields);
/* NULL pointers leave a column alone, empty views clear it. ERR_NOT_FOUND. */
CHECKED enum err calls_set_host(struct db *db, int64_t business_id, struct str call_sid,
                                const struct str *customer_name, const struct str *ref, const struct str *metadata);
/* The call_sids of its parent and children, fn called with each. */
typedef enum err calls_leg_fn(void *arg, struct str call_sid);
CHECKED enum err calls_legs(struct db *db, int64_t business_id, struct str call_sid, calls_leg_fn *fn, void *arg);
