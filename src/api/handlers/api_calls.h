/* api_calls.h - what the files api_calls*.c share. */
#pragma once

#include "api/request/api_db_call.h"

/* The call as GET shows it, appended to b. On a reader. ERR_NOT_FOUND. */
CHECKED enum err calls_look_one(struct db *db, const struct db_call *e, const struct access_snapshot *access,
                                const char *call_sid, struct buf *b);
