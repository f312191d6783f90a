/* worker.h - claims queued recordings and fills each, on one thread of its own.
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
  struct tapes *tapes;          /* for the listeners of this process; NULL: it serves none */
  struct tape_follows *follows; /* NULL if tapes is */
  const struct provider *provider;
  const char *owner;          /* names this process among all, as the owner of its leases; at most 39 bytes */
  bool keeps_provider_copies; /* nothing is deleted at the provider */
  bool transcribes;           /* also has recordings transcribed, if there is an engine */
  int64_t min_free_bytes; /* MIN_FREE_BYTES, or below 0 (see store_least_free): with less free space no fill begins */
};

CHECKED enum err worker_new(const struct worker_parts *parts, struct access_snapshot *snapshot,
                            struct worker **ret_worker);
/* The queue may have something to claim: the worker looks soon. */
void worker_wake(struct worker *w);
/* The businesses and credentials to use from now on. Takes a reference of its own. */
void worker_set_access(struct worker *w, struct access_snapshot *snapshot);
/* A recording expired: its fill ends, if this worker runs one, and its files are removed soon. */
void worker_expired(struct worker *w, int64_t business_id, struct str recording_sid);
void worker_wake_transcriber(struct worker *w); /* a transcript may have been queued */
/* The volume has less than min_free_bytes free: nothing is claimed until there is room. */
bool worker_is_full(const struct worker *w);
/* (any thread) While held the worker claims nothing and removes nothing from the volume, because this is not the right one.
 * Running fills continue. */
void worker_hold(struct worker *w, bool is_held);
/* Stops claiming and waits up to timeout_ms for the fills to end; then stops them and gives their leases back. False: some
 * fills can't be ended, because the volume does not answer. Their leases are given back too, but the worker's threads still
 * use the worker_parts: the process must exit without freeing any of them. */
bool worker_drain(struct worker *w, int64_t timeout_ms);
/* Calls worker_drain(w, 0); if that returns false, nothing is freed. NULL is fine. Always NULL. */
struct worker *worker_free(struct worker *w);
