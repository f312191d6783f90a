/* store.h - checks that the volume is the one that the database belongs to. RECORDINGS_DIR/.store-id holds an id; the
 * database holds the same one.
 *
 *   TRY(store_id_of_database(db, id));   e = store_check(store, id, may_make);
 *
 * The id is made only if the database has none. A process that finds another id (the volume is not mounted, or not the
 * shared one) must not fill, and must not treat a missing file as lost.
 * Thread rule: any thread; functions with db: the connection's. */
#pragma once

#include "blob/blob.h"
#include "db/db.h"
#include "domain/node_marks.h"

enum { STORE_ID_SIZE = 33 };

/* The id in the database. ERR_NOT_FOUND: it has none. */
CHECKED enum err store_known_id(struct db *db, char ret_id[STORE_ID_SIZE]);
/* The same; makes and stores one if there is none. db must be in a writing transaction. */
CHECKED enum err store_id_of_database(struct db *db, char ret_id[STORE_ID_SIZE]);
/* Compares the volume's id with `id`. If the volume has none and may_make is true, writes it; set may_make only if the
 * database had no id before or the volume is empty. ERR_CONFLICT: the volume has another id, or none and may_make is
 * false. */
CHECKED enum err store_check(struct blob_store *store, const char *id, bool may_make);
/* True if the path of the store's directory now leads to another directory, or to none: the volume was unmounted, or another
 * one was mounted over it. False also if that can't be found out. May block on the volume. */
bool store_is_elsewhere(const struct blob_store *store);
/* Opens the directory at the store's path, and lets the store use it if its id is `id`. written: the mark that this process wrote
 * last to the volume, which a copy of it lacks; NULL, or a mark of 0: it wrote none. Creates nothing. ERR_NOT_FOUND: there is no
 * directory, or it has no id. ERR_CONFLICT: it has another id, or is a copy. May block on the volume. */
CHECKED enum err store_reopen(struct blob_store *store, const char *id, const struct node_mark *written);
/* How many bytes of a volume of total_bytes stay free: no fill begins with fewer. setting: MIN_FREE_BYTES; below 0, when it is
 * unset: 5 %, at most 1 GiB. */
uint64_t store_least_free(int64_t setting, uint64_t total_bytes);
/* The id on the volume. ERR_NOT_FOUND: it has none. ERR_CORRUPT: the file holds no valid id. */
CHECKED enum err store_id_of_volume(struct blob_store *store, char ret_id[STORE_ID_SIZE]);
/* Makes the database belong to the store with this id, on an operator's request. db must be in a writing transaction.
 * Running `serve` processes notice it within seconds, and are not ready while they have another volume. */
CHECKED enum err store_adopt(struct db *db, const char *id);
