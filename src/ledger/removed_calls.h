/* removed_calls.h - the table `removed_calls`: legs that were removed with all that was known of them, and legs that belong to
 * one. No delivery brings them back (domain/intake_removed.h).
 *
 *   TRY(removed_calls_find(db, business, call_sid, &kind));       REMOVED_NOT: it is there, or was never known
 *
 * Thread rule: the connection's. Writes need a transaction. */
#pragma once

#include "ledger/calls.h"

enum removed_kind {
  REMOVED_NOT,
  REMOVED_DELETED, /* a person deleted it, or erased its number */
  REMOVED_OLD,     /* its time was over: that says nothing of calls that turn out to belong to it */
  REMOVED_RELATED, /* it was never there: it is the parent of a leg that was removed, or a leg below one */
  REMOVED_KIND_COUNT_
};

/* Remembers a leg that has no row; one that has a row is left. */
CHECKED enum err removed_calls_add(struct db *db, int64_t business_id, struct str call_sid, enum removed_kind kind,
                                   int64_t now);
/* Deletes a leg, which has no recordings, and remembers it. */
CHECKED enum err removed_calls_delete(struct db *db, int64_t business_id, struct str call_sid, enum removed_kind kind,
                                      int64_t now);
/* *ret_kind: REMOVED_NOT also of a leg that has a row. */
CHECKED enum err removed_calls_find(struct db *db, int64_t business_id, struct str call_sid,
                                    enum removed_kind *ret_kind);
CHECKED enum err removed_calls_has(struct db *db, int64_t business_id, struct str call_sid, bool *ret_removed);
/* Forgets at most limit of them, of a business that is purged. *ret_left: call it again. */
CHECKED enum err removed_calls_purge(struct db *db, int64_t business_id, int limit, bool *ret_left);
