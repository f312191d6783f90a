/* api_calls.h - the function that api_calls.c and api_calls_patch.c share. */
#pragma once

#include "api/request/api_db_call.h"

/* Appends the call to b in the JSON of GET /api/calls/{call_sid}. Runs on a reader. ERR_NOT_FOUND: the business has no such
 * call. */
CHECKED enum err calls_write_one(struct db *db, const struct db_call *e, const struct access_snapshot *access,
                                 const char *call_sid, struct buf *b);
