/* call_csv.h - lists of calls as CSV, page by page.
 *
 *   TRY(call_csv_head(&buf));
 *   do TRY(call_csv_page(db, business, &filter, numbers, number_count, &buf, &more)); while (more);
 *
 * Reads only. Thread rule: the connection's. */
#pragma once

#include "domain/call_view.h"

enum { CALL_CSV_PAGE_MAX = 4 * 1024 * 1024 };

/* Appends a byte order mark, which tells spreadsheets that the text is UTF-8, and the names of the columns. */
CHECKED enum err call_csv_head(struct buf *b);
/* Appends the rows of a page and moves the filter behind it. own_numbers: the business's telephone numbers. *ret_more: there are
 * further rows. ERR_INVALID: a bad search; ERR_TIMEOUT: db's deadline is over. */
CHECKED enum err call_csv_page(struct db *db, int64_t business_id, struct calls_filter *f,
                               const struct str *own_numbers, size_t own_count, struct buf *b, bool *ret_more);
