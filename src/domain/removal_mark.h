/* removal_mark.h - shows that an older backup of the database was restored. The number of rounds of removals stands in the
 * database and on the recordings' volume; after such a restore the volume's is higher, and recordings that were removed since the
 * backup would be fetched again.
 *
 *   in the transaction that ends a round:   TRY(removal_mark_count(db, &number));
 *   after it:                               IGNORE(removal_mark_write(store, number));
 *
 * The file RECORDINGS_DIR/.removals only grows. Deleting it says that what was removed since has been removed again.
 * Thread rule: any thread; removal_mark_count inside db_writer's transaction. The other two wait for the volume. */
#pragma once

#include "blob/blob.h"
#include "db/db.h"

CHECKED enum err removal_mark_count(struct db *db, int64_t *ret_number);
/* Writes the number unless a higher one is there. */
CHECKED enum err removal_mark_write(struct blob_store *store, int64_t number);
/* *ret_rounds: how many rounds the volume knows that the database does not; 0: none, or the volume has no number. */
CHECKED enum err removal_mark_compare(struct db *db, struct blob_store *store, int64_t *ret_rounds);
