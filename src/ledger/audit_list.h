/* audit_list.h - entries of a business, the newest first, page by page.
 *
 *   struct audit_filter f = {.actor = STR("key:5"), .limit = 50};
 *   TRY(audit_list(db, business_id, &f, add_entry, arg));
 *
 * Entries come by their time, then by their number. Each filter has an index; two filters together walk the entries of one of
 * them, under the connection's deadline. Thread rule: the connection's. */
#pragma once

#include "ledger/audit.h"

enum { AUDIT_LIST_MAX = 1000 };

struct audit_filter {
  struct str actor, action, object; /* empty: any */
  int64_t since, until;             /* since <= at < until; until 0: no end */
  int64_t after_at, after_number;   /* what follows this entry, so older ones; after_number 0: from the newest */
  int limit;                        /* 1 … AUDIT_LIST_MAX */
};

typedef enum err audit_each_fn(void *arg, const struct audit_row *row);
CHECKED enum err audit_list(struct db *db, int64_t business_id, const struct audit_filter *f, audit_each_fn *fn,
                            void *arg);
