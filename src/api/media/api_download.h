/* api_download.h - the file name of a download, made of the recording's row and its calls.
 *
 *   TRY(download_name(db, row, content_type, numbers, count, &disposition));
 *
 * Thread rule: the thread that owns db. */
#pragma once

#include "base/buf.h"
#include "ledger/recordings.h"

/* Appends the value of Content-Disposition to b. content_type: of the recording's bytes. own_numbers: the business's
 * phone numbers; the other number in the name is the customer's. ERR_NOMEM, ERR_TOO_BIG and errors of the database. */
CHECKED enum err download_name(struct db *db, const struct recording *row, struct str content_type,
                               const struct str *own_numbers, size_t own_count, struct buf *b);
/* The same for a signed URL, whose holder may not learn the call's number, name or hour: day and recording SID. */
CHECKED enum err download_name_without_call(struct db *db, const struct recording *row, struct str content_type,
                                            struct buf *b);
