/* audit_view.h - entries of the audit as JSON and as rows of CSV.
 *
 *   TRY(audit_view_json(&b, row));      {"id":7,"at":"…","actor":"key:5", … }
 *
 * Thread rule: pure. */
#pragma once

#include "ledger/audit.h"

/* Bytes that one entry takes at most, in JSON or CSV. */
enum {
  AUDIT_VIEW_MAX = 6 * (AUDIT_ACTOR_SIZE + AUDIT_ROLE_SIZE + AUDIT_ACTION_SIZE + AUDIT_OBJECT_SIZE + AUDIT_IP_SIZE +
                        AUDIT_DETAILS_SIZE + AUDIT_DIGEST_SIZE) +
                   512
};

CHECKED enum err audit_view_json(struct buf *b, const struct audit_row *row);
/* A byte order mark and the names of the columns. */
CHECKED enum err audit_view_csv_head(struct buf *b);
CHECKED enum err audit_view_csv(struct buf *b, const struct audit_row *row);
