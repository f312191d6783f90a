/* old_parts.h - finds, once, the parts that an earlier release left beside its blobs, and removes those that are not
 * needed.
 *
 *   old_parts_new(store, writer, disk, &old);   about once a second: old_parts_tick(old);
 *
 * Thread rule: the worker's thread. A piece of the walk runs on the disk pool and calls the writer; it posts nothing
 * back. */
#pragma once

#include "base/pool.h"
#include "blob/blob.h"
#include "db/db_writer.h"

struct old_parts;
CHECKED enum err old_parts_new(struct blob_store *store, struct db_writer *writer, struct pool *disk,
                               struct old_parts **ret_old);
/* Starts the next piece of the walk, unless the walk is done or a piece is under way. */
void old_parts_tick(struct old_parts *o);
/* Call it after the pool was freed. NULL is fine. Always NULL. */
struct old_parts *old_parts_free(struct old_parts *o);
