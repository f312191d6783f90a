/* sweep.h - removes parts that no fill needs any more: those that a crash left, of recordings that are not filled again.
 *
 *   sweep_new(store, writer, disk, &sweep);   every 10 minutes: sweep_start(sweep);
 *
 * Thread rule: the worker's thread. A round runs on the disk pool and calls the writer; it posts nothing back. */
#pragma once

#include "base/pool.h"
#include "blob/blob.h"
#include "db/db_writer.h"

struct sweep;
CHECKED enum err sweep_new(struct blob_store *store, struct db_writer *writer, struct pool *disk,
                           struct sweep **ret_sweep);
/* Starts a round unless one is under way. */
void sweep_start(struct sweep *s);
/* Call it after the pool was freed, so that no round is under way. NULL is fine. Always NULL. */
struct sweep *sweep_free(struct sweep *s);
