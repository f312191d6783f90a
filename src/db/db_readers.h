/* db_readers.h - a pool of threads, each with a read-only connection.
 *
 *   db_readers_run(readers, business_id, read, arg);   … read(db, arg) runs on one of the threads …
 *
 * Thread rule: db_readers_run from any thread. `read` runs on a reader thread; it must not wait for anything but the database. */
#pragma once

#include "db/db.h"

struct db_readers;

/* Deadline of a read for a business, queries and the work between them: see db_deadline and db_in_time. */
enum { DB_READERS_READ_MS = 2000 };

CHECKED enum err db_readers_new(const struct db_open *how, unsigned threads, size_t queue_max,
                                struct db_readers **ret_readers);
/* Runs all queued reads, joins the threads, closes the connections. Accepts NULL; returns NULL. */
struct db_readers *db_readers_free(struct db_readers *r);
/* Queues read. Businesses take turns, and none gets all threads. business_id 0: the process's own read, without a deadline.
 * read gets NULL for db while the database can't be opened, and must report that to its caller; the next read opens it again.
 * ERR_BUSY: the queue, or the business's share of it, is full; ERR_CLOSED: db_readers_free began. Then read never runs. */
CHECKED enum err db_readers_run(struct db_readers *r, int64_t business_id, void (*read)(struct db *db, void *arg),
                                void *arg);
