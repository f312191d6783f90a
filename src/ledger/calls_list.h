/* calls_list.h - lists of calls: finds the keys of a page, and reads the rows that the page shows.
 *
 *   TRY(calls_list_page(db, business, &filter, keys, &count, &more));    the keys of a page, newest first
 *   TRY(calls_list_fit(db, business, keys, count, &count));              how many of them one response may hold
 *   TRY(calls_list_legs(db, business, keys, count, fn, arg));            all legs of their trees, in one query
 *   TRY(calls_list_recordings(db, business, calls, count, fn, arg));     and all recordings of these, in one query
 *
 * These functions only read. Set db_deadline: a query that takes longer ends with ERR_TIMEOUT. Times are UNIX milliseconds.
 * Thread rule: the connection's. */
#pragma once

#include "ledger/calls.h"

enum {
  CALLS_LIST_LIMIT_MAX = 100,
  CALLS_LIST_OFFSET_MAX = 10000,
  CALLS_LIST_SEARCH_MAX = 200, /* bytes */
  CALLS_LIST_LEGS_MAX = 2000,  /* legs of all trees of a page; and as many recordings */
};

struct calls_key {
  int64_t sort_at;
  char call_sid[SID_SIZE];
};

enum calls_tri { CALLS_ANY, CALLS_YES, CALLS_NO };

/* Filters of a list; zeroes don't filter, but limit must be set. Texts belong to the caller. */
struct calls_filter {
  struct str search;    /* trimmed UTF-8; empty: none */
  struct str status;    /* of the row's call */
  struct str direction; /* of the top leg */
  struct str ref;
  bool by_recording_status;
  enum recording_status recording_status;
  enum calls_tri has_recording;
  int64_t since, until; /* since <= sort_at < until; 0: open */
  bool all_legs;        /* a row for every leg; else for every top leg */
  int limit;            /* 1 … CALLS_LIST_LIMIT_MAX */
  int64_t offset;
  bool after_key; /* only rows after the key `after` */
  struct calls_key after;
};

/* Finds the keys of a page. ret_keys has room for filter->limit. *ret_more: there are further rows. ERR_INVALID: limit or offset
 * is out of range, or the search is not UTF-8, is longer than CALLS_LIST_SEARCH_MAX bytes, or has under 3 characters and is not
 * two letters. */
CHECKED enum err calls_list_page(struct db *db, int64_t business_id, const struct calls_filter *filter,
                                 struct calls_key *ret_keys, size_t *ret_count, bool *ret_more);

/* How many of the first keys fit into one response: all their trees together have at most CALLS_LIST_LEGS_MAX legs and as many
 * recordings. At least 1, if count is not 0. */
CHECKED enum err calls_list_fit(struct db *db, int64_t business_id, const struct calls_key *keys, size_t count,
                                size_t *ret_fit);
typedef enum err calls_each_fn(void *arg, const struct call *call);
/* Calls fn with the calls of the keys, then with their top legs, then with all other legs of their trees by time; at most
 * CALLS_LIST_LEGS_MAX + 1 in all. */
CHECKED enum err calls_list_legs(struct db *db, int64_t business_id, const struct calls_key *keys, size_t count,
                                 calls_each_fn *fn, void *arg);
/* Calls fn with one call and the legs that are shown with it, in the same order. A top leg: its tree. Another leg: its parent,
 * its children, its top leg and the top leg's first child. */
CHECKED enum err calls_list_related(struct db *db, int64_t business_id, const char *call_sid, calls_each_fn *fn,
                                    void *arg);
/* The child that started first. ERR_NOT_FOUND: no child. */
CHECKED enum err calls_first_child(struct db *db, int64_t business_id, const char *call_sid, struct call *ret_call);
/* Calls fn with the recordings of the calls, newest first; at most CALLS_LIST_LEGS_MAX + 1. */
CHECKED enum err calls_list_recordings(struct db *db, int64_t business_id, const struct call *calls, size_t count,
                                       recordings_each_fn *fn, void *arg);
