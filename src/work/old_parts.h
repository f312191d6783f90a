/* old_parts.h - finds, once, the parts that an earlier release left beside their blobs, and removes what nobody needs.
 *
 *   old_parts_new(store, writer, disk, &old);   about once a second: old_parts_tick(old);
 *
 * Runs on the disk pool and asks the writer; posts nothing back. Thread rule: see worker.c. */
#pragma once

#include "base/pool.h"
#include "blob/blob.h"
#include "db/db_writer.h"

struct old_parts;
CHECKED enum err old_parts_new(struct blob_store *store, struct db_writer *writer, struct pool *disk,
                               struct old_parts **ret_old);
/* Looks at some more of the store, unless it is all done or a piece is under way. */
void old_parts_tick(struct old_parts *o);
/* After the pool is gone. NULL is fine. Always NULL. */
struct old_parts *old_parts_free(struct old_parts *o);
