/* db_readers.h - connections that only look, each with a thread of its own, behind one queue.
 *
 *   db_readers_run(readers, look, arg);   … look(db, arg) runs on one of the threads …
 *
 * Thread rule: any thread; `look` uses the connection it is given and nothing that another holds for long. */
#pragma once

#include "db/db.h"

struct db_readers;

CHECKED enum err db_readers_new(const struct db_open *how, unsigned threads, size_t queue_max, struct db_readers **ret_readers);
/* Runs what is queued, joins, closes. NULL is fine. Always NULL. */
struct db_readers *db_readers_free(struct db_readers *r);
/* db is NULL while the database can't be opened: look must say so to who waits. It is opened anew at the next look.
 * ERR_BUSY when the queue is full, ERR_CLOSED after db_readers_free began: look will not run. */
CHECKED enum err db_readers_run(struct db_readers *r, void (*look)(struct db *db, void *arg), void *arg);
