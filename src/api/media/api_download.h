/* api_download.h - the name of a download, from the catalog. Thread rule: the connection's. */
#pragma once

#include "base/buf.h"
#include "ledger/recordings.h"

/* Appends Content-Disposition's value. content_type: of its bytes. own_numbers: the business's. */
CHECKED enum err download_name(struct db *db, const struct recording *row, struct str content_type,
                               const struct str *own_numbers, size_t own_count, struct buf *b);
/* The same for who may know of the call no more than its day: with a signed URL. */
CHECKED enum err download_name_plain(struct db *db, const struct recording *row, struct str content_type,
                                     struct buf *b);
