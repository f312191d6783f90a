/* sweep.h - removes parts that nobody needs: what crashed workers left where nobody fills that recording again.
 * Runs on the disk pool and asks the writer; posts nothing back. Thread rule: see worker.c. */
#pragma once

#include "base/pool.h"
#include "blob/blob.h"
#include "db/db_writer.h"

struct sweep;
CHECKED enum err sweep_new(struct blob_store *store, struct db_writer *writer, struct pool *disk,
                           struct sweep **ret_sweep);
/* Starts a round unless one is under way. */
void sweep_start(struct sweep *s);
/* After the pool is gone: no round is under way any more. NULL is fine. Always NULL. */
struct sweep *sweep_free(struct sweep *s);
