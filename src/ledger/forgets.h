/* forgets.h - the table `forgets`: whether the search's index of calls has terms of deleted documents; and rewrites it in parts.
 *
 *   TRY(forgets_next(db, &wanted));          ERR_NOT_FOUND: it has none
 *   do TRY(forgets_rewrite_part(db, begins, &done)); while (!done);      one a transaction
 *   TRY(forgets_end(db, wanted));
 *
 * SQLite's full-text index keeps the terms of a deleted document, behind a mark, until its segments are merged. A trigger notes
 * each deletion. On PostgreSQL nothing is ever noted.
 * Thread rule: the connection's. Writes need a transaction. */
#pragma once

#include "db/db.h"

/* *ret_wanted: what was deleted up to this is gone once the index is rewritten; all of it has left the index, but for its terms.
 * ERR_NOT_FOUND: there is nothing to rewrite. */
CHECKED enum err forgets_next(struct db *db, int64_t *ret_wanted);
/* Notes that documents changed so that what they had must go. */
CHECKED enum err forgets_want(struct db *db);
/* Rewrites some pages: with begins the first part. *ret_done: that was the last. */
CHECKED enum err forgets_rewrite_part(struct db *db, bool begins, bool *ret_done);
CHECKED enum err forgets_end(struct db *db, int64_t wanted);
