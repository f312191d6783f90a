/* db_readers.h - connections that only look, each with a thread of its own.
 *
 *   db_readers_run(readers, business, look, arg);   … look(db, arg) runs on one of the threads …
 *
 * Thread rule: any thread; `look` uses the connection it is given and nothing that another holds for long. */
#pragma once

#include "db/db.h"

struct db_readers;

/* How long a look for a party may take, its queries and what is done between them: see db_deadline and db_in_time. */
enum { DB_READERS_LOOK_MS = 2000 };

CHECKED enum err db_readers_new(const struct db_open *how, unsigned threads, size_t queue_max,
                                struct db_readers **ret_readers);
/* Runs what is queued, joins, closes. NULL is fine. Always NULL. */
struct db_readers *db_readers_free(struct db_readers *r);
/* party: for whom it is looked, a business; 0 for the process's own, which sets its deadline itself. Parties take turns, and none has all threads.
 * db is NULL while the database can't be opened: look must say so to who waits. It is opened anew at the next look.
 * ERR_BUSY when the queue is full, or the party's share of it, ERR_CLOSED after db_readers_free began: look will not run. */
CHECKED enum err db_readers_run(struct db_readers *r, int64_t party, void (*look)(struct db *db, void *arg), void *arg);
