/* calls_list_query.h - what the sources of a list of calls share: SQL that is built, its filters and order, and the keys found.
 * Only calls_list*.c use it.
 *
 * A source selects (place, sort_at, call_sid, duration) or, in the list's own order, (sort_at, call_sid, duration). place is the
 * time of a document, a recording or a row of call_facets.
 * Thread rule: the connection's. */
#pragma once

#include <string.h>

#include "ledger/calls_filter.h"

enum {
  VALUES_MAX = 64,
  SQL_MAX = 16 * 1024,
  KEYS_SPARE = 1024,
  TREE_SPAN_MS = 24 * 3600 * 1000,
  SPILL_MS = 1000, /* a document's time may be this much later than its top leg's sort_at (calls_search.h) */
};

/* ---- SQL: fixed pieces; every value from outside is a parameter ---- */

struct statement {
  struct buf sql;
  struct db_value values[VALUES_MAX + 1]; /* ended by DB_END */
  size_t count;
};
#define STATEMENT \
  { .sql = BUF_INIT(SQL_MAX), .count = 0 }
void statement_done(struct statement *s);
CHECKED enum err sql_add(struct statement *s, const char *sql);
/* Appends `before`, a parameter with the value, and `behind`. */
CHECKED enum err sql_add_value(struct statement *s, const char *before, struct db_value value, const char *behind);
CHECKED enum err statement_query(struct statement *s, struct db *db, struct db_rows *q);

/* ---- keys ---- */

struct key_list {
  struct calls_key *all; /* owned */
  size_t count, room;
};
void key_list_done(struct key_list *l);
/* Sorts in the list's order and drops duplicates. */
void key_list_sort(struct key_list *l, enum calls_sort sort);
CHECKED enum err key_list_add(struct key_list *l, const struct calls_key *key);

/* ---- the query ---- */

/* from <= SID < before: the SIDs that begin with `from`. */
struct sid_range {
  char from[SID_SIZE], before[SID_SIZE + 1];
};

struct list_query {
  struct db *db;
  int64_t business_id;
  const struct calls_filter *filter;
  size_t needed;           /* keys that the page needs from each source */
  struct buf digits;       /* of the search, without leading zeros; empty: don't search numbers */
  bool is_short;           /* SHORT is a source: the index has no terms of one or two digits */
  bool by_text;            /* TEXT is a source */
  bool is_pair;            /* the search has two letters: no trigram, and the beginning of too many SIDs */
  struct sid_range sid[2]; /* the search as the beginning of a SID, in one or two spellings */
  size_t sid_count;
  char contains[8]; /* a pattern: one or two digits anywhere (SHORT) */
  struct key_list keys;
};

/* Up to this many rows of a source are read and sorted, rather than read in the list's order. */
static inline int64_t few_rows(const struct calls_filter *f) {
  return f->few ? f->few : CALLS_LIST_FEW;
}
/* True: longest or shortest first. */
static inline bool sorts_by_duration(const struct calls_filter *f) {
  return f->sort == CALLS_LONGEST || f->sort == CALLS_SHORTEST;
}
static inline bool sorts_up(const struct calls_filter *f) {
  return f->sort == CALLS_OLDEST || f->sort == CALLS_SHORTEST;
}
static inline bool has_durations(const struct calls_filter *f) {
  return f->min_duration_s > 0 || f->by_max_duration;
}
/* How far the time of a row may be from that of its top leg, as sources rely on it. */
static inline int64_t span_of(const struct calls_filter *f) {
  return f->all_legs ? TREE_SPAN_MS : 0;
}

/* The legs l that are shown with row c, including c itself. */
#define LEGS_OF_C                                                                                                  \
  "calls l indexed by calls_legs where l.business_id = c.business_id and l.top_sid = c.top_sid and (c.call_sid = " \
  "c.top_sid or l.call_sid"                                                                                        \
  " = c.call_sid or l.call_sid = c.parent_call_sid or l.parent_call_sid = c.call_sid)"
#define RECORDINGS_OF_L \
  "recordings r indexed by recordings_call where r.business_id = l.business_id and r.call_sid = l.call_sid"
/* The value that a row's duration counts as; also in call_facets. */
#define DURATION_OF_C "coalesce(c.duration_s, -1)"

/* The own_key (schema/0023_call_facets.sql) of the number between these two. */
#define KEY_OF_NUMBER "lower(replace(replace(replace(replace(replace(replace("
#define KEY_OF_NUMBER_END ", ' ', ''), '+', ''), '-', ''), '(', ''), ')', ''), '.', ''))"

/* Appends conditions on c, each after " and". in_order: the source walks c by time. Else it finds c in another way, and a plus
 * before the column keeps SQLite from walking c by time. */
CHECKED enum err sql_add_filters(struct statement *s, const struct calls_filter *f, bool in_order);
/* Also the list's order and its limit. */
CHECKED enum err sql_add_filters_and_order(struct statement *s, const struct list_query *a, bool in_order);
/* Appends " order by COLUMN" in the direction of the list, if that is one of time. */
CHECKED enum err sql_add_place_order(struct statement *s, const struct calls_filter *f, const char *column);
/* Appends conditions on a place column: times that rows of the page can have. */
CHECKED enum err sql_add_place_times(struct statement *s, const struct list_query *a, const char *column);
/* The times that a document, recording or facet of the page can have: from <= t < before; 0: open. */
void list_query_times(const struct list_query *a, int64_t span_ms, int64_t *ret_from, int64_t *ret_before);

/* Joins the rows c in which leg l is shown; l is joined already. */
CHECKED enum err sql_add_rows_of_l(struct statement *s, const struct list_query *a);
/* Appends conditions on s.rowid of documents s: times that rows of the page can have. */
CHECKED enum err sql_add_document_times(struct statement *s, const struct list_query *a, int64_t span_ms);

/* The id of the first document behind the first `count` of the business in the list's order. ERR_NOT_FOUND: there are not so
 * many. table: of documents, with an index of (business_id, rowid). */
CHECKED enum err list_query_end_of_documents(const struct list_query *a, const char *table, int64_t count,
                                             int64_t *ret_rowid);

/* Reads the keys of a source in the list's order. */
CHECKED enum err list_query_collect(struct list_query *a, struct statement *s);
/* Reads a source with places, in the order of sql_add_place_order. Stops when the page is full and no row that follows can
 * belong to it: its place is more than span_ms past the page's last key. In an order by duration it reads all. */
CHECKED enum err list_query_collect_places(struct list_query *a, struct statement *s, int64_t span_ms);
/* Whether the page is full, and no row can belong to it whose place is `place` or behind that in the list's order. */
bool list_query_is_full(const struct list_query *a, int64_t place, int64_t span_ms);
/* Drops keys that the page can't need. */
void list_query_keep_needed(struct list_query *a);
