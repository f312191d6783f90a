/* call_view.h - calls as the API shows them: a list, and one.
 *
 *   struct calls_filter filter = CALL_VIEW_FILTER;
 *   for each query parameter: TRY(call_view_param(&filter, name, value));
 *   TRY(call_view_list(db, business, &filter, numbers, number_count, &status_view, &buf));
 *
 * Looks, never acts.
 * Thread rule: the connection's. */
#pragma once

#include "domain/status.h"
#include "ledger/calls_list.h"

enum { CALL_VIEW_LIMIT = 25, CALL_VIEW_JSON_MAX = 64 * 1024 * 1024 };

#define CALL_VIEW_FILTER \
  { .limit = CALL_VIEW_LIMIT }

/* Takes a parameter of the query into f; a name that lists don't know is passed over, an empty value is no filter.
 * value is decoded and must outlive f. ERR_INVALID: a bad value. */
CHECKED enum err call_view_param(struct calls_filter *f, struct str name, struct str value);
/* Appends {"calls":[…],"next_cursor":…} to b, which may take CALL_VIEW_JSON_MAX. own_numbers: the business's.
 * ERR_INVALID: a bad search; ERR_TIMEOUT: it would take longer than db's deadline. */
CHECKED enum err call_view_list(struct db *db, int64_t business_id, const struct calls_filter *f,
                                const struct str *own_numbers, size_t own_count, const struct status_view *status_view,
                                struct buf *b);
/* Appends one call, with its legs; within the caller's transaction where there is one. ERR_NOT_FOUND, ERR_TIMEOUT. */
CHECKED enum err call_view_one(struct db *db, int64_t business_id, struct str call_sid, const struct str *own_numbers,
                               size_t own_count, const struct status_view *status_view, struct buf *b);
