/* call_view.h - calls as JSON, as the API shows them: a list, and a single call.
 *
 *   struct calls_filter filter = CALL_VIEW_FILTER;
 *   for each query parameter: TRY(call_view_param(&filter, name, value));
 *   TRY(call_view_list(db, business, &filter, numbers, number_count, &status_view, &buf));
 *
 * Reads only, never writes.
 * Thread rule: the connection's. */
#pragma once

#include "domain/status.h"
#include "ledger/calls_list.h"

enum { CALL_VIEW_LIMIT = 25, CALL_VIEW_JSON_MAX = 64 * 1024 * 1024 };

#define CALL_VIEW_FILTER \
  { .limit = CALL_VIEW_LIMIT }

/* Sets the filter for one query parameter. Ignores unknown names and empty values. value is decoded and must outlive f.
 * ERR_INVALID: a bad value. */
CHECKED enum err call_view_param(struct calls_filter *f, struct str name, struct str value);
/* Numbers the names that call_view_param knows, 0 to 31. -1: an unknown one. */
int call_view_param_number(struct str name);
/* The name of a parameter that does not fit the others; NULL: all fit. Call it after the last parameter. */
const char *call_view_check(const struct calls_filter *f);
/* Appends {"calls":[…],"next_cursor":…} to b, with total and total_is_exact if the filter asks for the count; up to
 * CALL_VIEW_JSON_MAX bytes. own_numbers: the business's telephone numbers. ERR_INVALID: a bad search; ERR_TIMEOUT: db's
 * deadline is over. */
CHECKED enum err call_view_list(struct db *db, int64_t business_id, const struct calls_filter *f,
                                const struct str *own_numbers, size_t own_count, const struct status_view *status_view,
                                struct buf *b);
/* Appends one call with its legs; in the caller's transaction if there is one. ERR_NOT_FOUND, ERR_TIMEOUT. */
CHECKED enum err call_view_one(struct db *db, int64_t business_id, struct str call_sid, const struct str *own_numbers,
                               size_t own_count, const struct status_view *status_view, struct buf *b);
