/* calls_list.h - which calls a list shows, and in what order; and the rows that it is made of.
 *
 *   TRY(calls_list_page(db, business, &filter, keys, &count, &more));    the page's keys, newest first
 *   TRY(calls_list_fit(db, business, keys, count, &count));              as many as one answer may hold
 *   TRY(calls_list_legs(db, business, keys, count, fn, arg));            all legs of their trees, in one query
 *   TRY(calls_list_kin(db, business, call_sid, fn, arg));                of one call only what is shown with it
 *   TRY(calls_list_recordings(db, business, sids, count, fn, arg));      and their recordings, in one more
 *
 * Looks only; a query that takes long ends at db_deadline with ERR_TIMEOUT. Thread rule: the connection's. */
#pragma once

#include "ledger/calls.h"

enum {
  CALLS_LIST_LIMIT_MAX = 100,
  CALLS_LIST_OFFSET_MAX = 10000,
  CALLS_LIST_SEARCH_MAX = 200, /* bytes */
  CALLS_LIST_LEGS_MAX = 2000,  /* of all trees of a page; and as many recordings */
};

struct calls_key {
  int64_t sort_at;
  char call_sid[SID_SIZE];
};

enum calls_tri { CALLS_ANY, CALLS_YES, CALLS_NO };

/* What a list is asked for; zeroes ask for nothing but the limit. Texts stay the caller's. */
struct calls_filter {
  struct str search;    /* trimmed, UTF-8; empty: none */
  struct str status;    /* the row's own */
  struct str direction; /* the top leg's */
  struct str ref;
  bool by_recording_status;
  enum recording_status recording_status;
  enum calls_tri has_recording;
  int64_t since, until; /* since <= t < until; 0: open */
  bool all_legs;        /* every leg a row */
  int limit;            /* 1 … CALLS_LIST_LIMIT_MAX */
  int64_t offset;
  bool after_key; /* only what comes after `after` */
  struct calls_key after;
};

/* ret_keys has room for filter->limit. *ret_more: there are further ones. ERR_INVALID: a search of under 3 characters. */
CHECKED enum err calls_list_page(struct db *db, int64_t business_id, const struct calls_filter *filter,
                                 struct calls_key *ret_keys, size_t *ret_count, bool *ret_more);

/* How many of the first keys have, with all legs of their trees, at most CALLS_LIST_LEGS_MAX legs and as many recordings; at
 * least 1 of 1 or more. */
CHECKED enum err calls_list_fit(struct db *db, int64_t business_id, const struct calls_key *keys, size_t count,
                                size_t *ret_fit);
typedef enum err calls_each_fn(void *arg, const struct call *call);
/* The calls of the keys, and all other legs of their trees: first the calls themselves, then their top legs, then the rest
 * by time; at most CALLS_LIST_LEGS_MAX + 1. */
CHECKED enum err calls_list_legs(struct db *db, int64_t business_id, const struct calls_key *keys, size_t count,
                                 calls_each_fn *fn, void *arg);
/* One call and what is shown with it: of a top leg its tree, as calls_list_legs gives it; of another leg its parent, its
 * children, its top leg and that one's first child, in the same order. */
CHECKED enum err calls_list_kin(struct db *db, int64_t business_id, const char *call_sid, calls_each_fn *fn, void *arg);
/* The child that began first. ERR_NOT_FOUND. */
CHECKED enum err calls_first_child(struct db *db, int64_t business_id, const char *call_sid, struct call *ret_call);
/* The recordings of the calls, newest first; at most CALLS_LIST_LEGS_MAX + 1. */
CHECKED enum err calls_list_recordings(struct db *db, int64_t business_id, const struct call *calls, size_t count,
                                       recordings_each_fn *fn, void *arg);
