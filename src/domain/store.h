/* store.h - is this the volume that the database knows? RECORDINGS_DIR/.store-id holds an id; the database holds the same.
 *
 * Only a database that knows no store makes one. A process that sees another store (a volume that is not mounted, not
 * shared) must not fill, nor take a missing file for a lost one. Thread rule: any thread. */
#pragma once

#include "blob/blob.h"
#include "db/db.h"

enum { STORE_ID_SIZE = 33 };

/* The database's id; ERR_NOT_FOUND when it knows none. */
CHECKED enum err store_known_id(struct db *db, char ret_id[STORE_ID_SIZE]);
/* The same, made and stored if it knows none (db in a writing transaction). */
CHECKED enum err store_id_of_database(struct db *db, char ret_id[STORE_ID_SIZE]);
/* OK: the volume has this id, or was without one and has it now (may_make: only where the database knew none before, or the
 * volume is empty). ERR_CONFLICT: the volume has another one, or none where it should. */
CHECKED enum err store_check(struct blob_store *store, const char *id, bool may_make);
/* The volume's id; ERR_NOT_FOUND: it has none; ERR_CORRUPT: none that a store would have. */
CHECKED enum err store_id_of_volume(struct blob_store *store, char ret_id[STORE_ID_SIZE]);
/* On purpose: from now on the database knows the store of that id (db in a writing transaction). Processes that serve see it
 * within seconds, and are not ready while they have another volume. */
CHECKED enum err store_adopt(struct db *db, const char *id);
