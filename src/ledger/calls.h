/* calls.h - the table `calls`: one row for each leg.
 *
 *   TRY(calls_read(db, business, sid, &old, &fields));  … merge what the webhook says into next and fields …
 *   TRY(calls_put(db, &old, &next, fields));
 *
 * Times are UNIX milliseconds; 0: unknown. Texts are "" when unknown. Thread rule: the connection's; writes run in db_writer's
 * transaction. */
#pragma once

#include "ledger/recordings.h"

/* Sizes are in bytes, with the NUL. A text from the host has at most CALL_NAME_MAX characters, of at most four bytes each. */
enum { CALL_TEXT_SIZE = 1025, CALL_NAME_MAX = 200, CALL_NAME_SIZE = 4 * CALL_NAME_MAX + 1, CALL_METADATA_SIZE = 4097 };
/* A character of a tag takes at most six bytes of JSON. */
enum { CALL_TAGS_MAX = 20, CALL_TAG_MAX = 40, CALL_TAGS_SIZE = CALL_TAGS_MAX * (6 * CALL_TAG_MAX + 3) + 2 };

struct call {
  int64_t business_id;
  char call_sid[SID_SIZE];
  char parent_call_sid[SID_SIZE]; /* "": the provider named none */
  char top_sid[SID_SIZE];         /* set by calls_put: the end of the chain of known parents; itself without one */
  char account_sid[SID_SIZE];
  char provider_direction[CALL_TEXT_SIZE];
  char direction[16]; /* inbound, outbound or "" */
  char from_number[CALL_TEXT_SIZE];
  char to_number[CALL_TEXT_SIZE];
  char caller_name[CALL_TEXT_SIZE];
  char status[CALL_TEXT_SIZE];
  int64_t duration_s; /* -1 unknown */
  int64_t earliest_at;
  int64_t started_at;
  int64_t ended_at;
  char customer_name[CALL_NAME_SIZE];
  char ref[CALL_NAME_SIZE];
  char metadata[CALL_METADATA_SIZE]; /* JSON object or "" */
  int64_t first_seen_at;
  int64_t document_id;       /* set by calls_put: its search document (calls_search.h); 0: none yet */
  char tags[CALL_TAGS_SIZE]; /* JSON array of texts or "" */
  /* Of its tree, from call_facets; "" also while an upgrade has yet to add the call there: */
  char agent[CALL_NAME_SIZE];
  char own_number[CALL_TEXT_SIZE];
  char hold[RECORDING_HOLD_SIZE]; /* the legal hold on it or on a number of it, as JSON; "": none */
};

/* The time that lists are ordered by. */
static inline int64_t calls_sort_at(const struct call *c) {
  return c->started_at ? c->started_at : c->first_seen_at;
}

#define CALL_ROW_COLUMNS                                                                                         \
  "c.business_id, c.call_sid, c.parent_call_sid, c.top_sid, c.account_sid, c.provider_direction, c.direction, "  \
  "c.from_number, c.to_number, c.caller_name, c.status, c.duration_s, c.earliest_at, c.started_at, c.ended_at, " \
  "c.customer_name, c.ref, c.metadata, c.first_seen_at, c.document_id, c.tags"
enum { CALL_ROW_COLUMN_COUNT = 21 };
/* Of the row, and of its tree and the holds on it. */
#define CALL_COLUMNS                                                                                  \
  CALL_ROW_COLUMNS                                                                                    \
  ", (select agent from call_facets where business_id = c.business_id and call_sid = c.top_sid), "    \
  "(select own_number from call_facets where business_id = c.business_id and call_sid = c.top_sid), " \
  "(select h.shown from holds h where h.hold_id = (select min(id) from (select k.hold_id as id"       \
  " from holds k where k.business_id = c.business_id and k.is_removed = 0 and k.key in (c.call_sid,"  \
  " c.top_sid, c.from_number, c.to_number, '+' || c.from_number, '+' || c.to_number)"                 \
  " union all select k.hold_id from hold_keeps e cross join holds k on k.hold_id = e.hold_id"         \
  " and k.round = e.round and k.is_removed = 0 where e.business_id = c.business_id"                   \
  " and e.sid in (c.call_sid, c.top_sid)) covering))"
enum { CALL_COLUMN_COUNT = 24 };
/* Reads CALL_COLUMNS of the current row; the first is column `from`. ERR_CORRUPT: a text is too long; *ret_call is incomplete. */
CHECKED enum err calls_read_row(struct db_rows *q, int from, struct call *ret_call);
/* The same of CALL_ROW_COLUMNS: agent, own_number and hold stay empty. */
CHECKED enum err calls_read_row_columns(struct db_rows *q, int from, struct call *ret_call);

/* Whether some leg has that leg as its parent. */
CHECKED enum err calls_has_child(struct db *db, int64_t business_id, struct str call_sid, bool *ret_has);
CHECKED enum err calls_get(struct db *db, int64_t business_id, struct str call_sid, struct call *ret_call);
/* The row; appends its ranked document (each field the provider sent, with its rank) to fields. */
CHECKED enum err calls_read(struct db *db, int64_t business_id, struct str call_sid, struct call *ret_call,
                            struct buf *fields);
/* Inserts the row, or replaces `was`: the row that calls_read returned in this transaction, NULL if there is none. Sets top_sid
 * and document_id, and those of its legs at once or soon afterwards (calls_tree.h). Adds to `changes`. Leaves what the host sent
 * alone: calls_set_host writes that. Triggers bring call_facets in line. */
CHECKED enum err calls_put(struct db *db, const struct call *was, const struct call *call, struct str fields);
/* Values that the host application sent. NULL keeps a column, an empty view clears it. agent belongs to the whole tree. tags: a
 * JSON array of texts. */
struct calls_host {
  const struct str *customer_name, *ref, *agent, *tags, *metadata;
};
/* ERR_NOT_FOUND: no such call. */
CHECKED enum err calls_set_host(struct db *db, int64_t business_id, struct str call_sid, const struct calls_host *host);
/* Calls fn with the call_sids of its parent, if known, and of its children; at most 1,000. */
typedef enum err calls_leg_fn(void *arg, struct str call_sid);
CHECKED enum err calls_legs(struct db *db, int64_t business_id, struct str call_sid, calls_leg_fn *fn, void *arg);
