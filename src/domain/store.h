/* store.h - is this the volume that the database knows? RECORDINGS_DIR/.store-id holds an id; the database holds the
 * same.
 *
 * Only a database that knows no store makes one. A process that sees another store (a volume that is not mounted, not
 * shared) must not fill, nor take a missing file for a lost one.
 * Thread rule: any thread. */
#pragma once

#include "blob/blob.h"
#include "db/db.h"

enum { STORE_ID_SIZE = 33 };

/* The id in the database. ERR_NOT_FOUND: it has none. */
CHECKED enum err store_known_id(struct db *db, char ret_id[STORE_ID_SIZE]);
/* The same; makes and stores one if there is none. db must be in a writing transaction. */
CHECKED enum err store_id_of_database(struct db *db, char ret_id[STORE_ID_SIZE]);
/* Compares the volume's id with `id`. If the volume has none and may_make is true, writes it; set may_make only if the
 * database had no id before or the volume is empty. ERR_CONFLICT: the volume has another id, or none and may_make is
 * false. */
CHECKED enum err store_check(struct blob_store *store, const char *id, bool may_make);
/* The id on the volume. ERR_NOT_FOUND: it has none. ERR_CORRUPT: the file holds no valid id. */
CHECKED enum err store_id_of_volume(struct blob_store *store, char ret_id[STORE_ID_SIZE]);
/* Makes the database belong to the store with this id, on an operator's request. db must be in a writing transaction.
 * Running `serve` processes notice it within seconds, and are not ready while they have another volume. */
CHECKED enum err store_adopt(struct db *db, const char *id);
