/* calls_list.h - lists of calls: finds the keys of a page, counts all, and reads the rows that the page shows.
 *
 *   TRY(calls_list_page(db, business, &filter, keys, &count, &more));    the keys of a page
 *   TRY(calls_list_fit(db, business, keys, count, &count));              how many of them one response may hold
 *   TRY(calls_list_legs(db, business, keys, count, fn, arg));            all legs of their trees, in one query
 *   TRY(calls_list_recordings(db, business, calls, count, fn, arg));     and all recordings of these, in one query
 *
 * These functions only read. Set db_deadline: a query that takes longer ends with ERR_TIMEOUT. Times are UNIX milliseconds.
 * Thread rule: the connection's. */
#pragma once

#include "ledger/calls_filter.h"

/* Whether a trimmed text can be searched for: UTF-8 of at most CALLS_LIST_SEARCH_MAX bytes, and at least 3 characters or two
 * letters. */
bool calls_list_is_search(struct str search);

/* Finds the keys of a page. ret_keys has room for filter->limit. *ret_more: there are further rows. ERR_INVALID: limit or offset
 * is out of range, or the search is not empty and calls_list_is_search() is false. */
CHECKED enum err calls_list_page(struct db *db, int64_t business_id, const struct calls_filter *filter,
                                 struct calls_key *ret_keys, size_t *ret_count, bool *ret_more);

/* How many rows the filter has on all pages, whatever its limit, offset and `after` are. *ret_exact is false where there are at
 * least *ret_total: more than CALLS_LIST_COUNT_MAX, or the connection's deadline ended the count. */
CHECKED enum err calls_list_count(struct db *db, int64_t business_id, const struct calls_filter *filter,
                                  int64_t *ret_total, bool *ret_exact);

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
