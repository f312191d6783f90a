/* api_calls.h - what api_calls.c, api_calls_csv.c and api_calls_patch.c share.
 *
 * Thread rule: the exchange's loop, except what is said to run on a reader. */
#pragma once

#include "api/request/api_db_call.h"
#include "ledger/calls_filter.h"

/* Appends the call to b in the JSON of GET /api/calls/{call_sid}. Runs on a reader. ERR_NOT_FOUND: the business has no such
 * call. */
CHECKED enum err calls_write_one(struct db *db, const struct db_call *e, const struct access_snapshot *access,
                                 const char *call_sid, struct buf *b);
/* Sets the filter for the parameters of query, whose texts are kept in `texts`: it must have room for query. False: a problem was
 * answered. */
CHECKED bool calls_parse_filter(struct http_exchange *x, struct str query, struct buf *texts,
                                struct calls_filter *ret_filter);
