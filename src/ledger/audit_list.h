/* audit_list.h - entries of a business, the newest first, page by page.
 *
 *   struct audit_filter f = {.actor = STR("key:5"), .limit = 50};
 *   TRY(audit_list(db, business_id, &f, add_entry, arg));
 *
 * Entries come by their number: in the order in which they were written. With filters it looks through the summaries of the
 * business's entries (audit_spans.h), one for 256 of them, under the connection's deadline. Thread rule: the connection's. */
#pragma once

#include "ledger/audit.h"
#include "ledger/audit_spans.h"

enum { AUDIT_LIST_MAX = 1000 };

typedef enum err audit_each_fn(void *arg, const struct audit_row *row);
CHECKED enum err audit_list(struct db *db, int64_t business_id, const struct audit_filter *f, audit_each_fn *fn,
                            void *arg);
