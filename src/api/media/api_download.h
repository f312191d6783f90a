/* api_download.h - the file name of a download, made of the recording's row and its calls.
 *
 *   TRY(download_name(db, row, content_type, 0, numbers, count, &disposition));
 *
 * Thread rule: the thread that owns db. */
#pragma once

#include "base/buf.h"
#include "ledger/recordings.h"

enum { UTC_OFFSET_MIN_MAX = 14 * 60 };

/* Appends the value of Content-Disposition to b. content_type: of the recording's bytes. utc_offset_min: minutes by which the
 * time in the name is ahead of UTC, at most UTC_OFFSET_MIN_MAX either way. own_numbers: the business's phone numbers; the other
 * number in the name is the customer's. ERR_NOMEM, ERR_TOO_BIG and errors of the database. */
CHECKED enum err download_name(struct db *db, const struct recording *row, struct str content_type,
                               int64_t utc_offset_min, const struct str *own_numbers, size_t own_count, struct buf *b);
/* The same for a signed URL, whose holder may not learn the call's number, name or hour: day and recording SID. */
CHECKED enum err download_name_without_call(struct db *db, const struct recording *row, struct str content_type,
                                            int64_t utc_offset_min, struct buf *b);
