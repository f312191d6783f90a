/* worker.h - claims what is to be filled and sees each fill to its end, on one thread of its own.
 *
 *   worker_new(&parts, snapshot, &worker);  … worker_wake(worker) whenever the queue may have grown …
 *   worker_drain(worker, 8000);  worker_free(worker);
 *
 * Thread rule: new, drain and free by the owner; the rest from any thread. */
#pragma once

#include "base/conf.h"
#include "blob/blob.h"
#include "db/db_writer.h"
#include "domain/access.h"
#include "domain/tape_follow.h"
#include "provider/provider.h"

struct worker;

struct worker_parts {
  const struct conf *conf;
  struct db_writer *writer;
  struct blob_store *store;
  struct tapes *tapes;          /* of this process's listeners; NULL: there are none */
  struct tape_follows *follows; /* with tapes */
  const struct provider *provider;
  const char *owner;       /* this process among all: the lease's owner, at most 39 bytes */
  uint64_t min_free_bytes; /* below it no fill begins */
};

CHECKED enum err worker_new(const struct worker_parts *parts, struct access_snapshot *snapshot,
                            struct worker **ret_worker);
/* The queue may have something: look soon. */
void worker_wake(struct worker *w);
/* Credentials to use from now on; takes a reference of its own. */
void worker_set_access(struct worker *w, struct access_snapshot *snapshot);
/* The volume has less than min_free_bytes free: nothing is claimed until there is room. */
bool worker_is_full(const struct worker *w);
/* Claims nothing more; fills get timeout_ms to end, then are cut and their leases given back. False: some can't be ended, since
 * the volume does not answer. Their leases are given back too, but the worker's threads go on to use what it was made of: the
 * process has to end without freeing any of that. */
bool worker_drain(struct worker *w, int64_t timeout_ms);
/* Drains at once if that was not done; what can't be ended stays. NULL is fine. Always NULL. */
struct worker *worker_free(struct worker *w);
