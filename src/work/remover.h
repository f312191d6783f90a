/* remover.h - removes the files of expired recordings and, where asked for, the provider's copies; and expires recordings whose
 * retention is over.
 *
 *   remover_new(&parts, &remover);   about once a second, and after remover_wake: ms = remover_tick(remover, snapshot, mono_ms);
 *   when the worker drains: remover_stop(remover), then wait until remover_is_idle(remover)
 *
 * A round runs on the disk pool and calls the writer, as a sweep does. Requests to the provider run on the fetch thread.
 * Thread rule: the worker's thread (fetch's loop), except remover_wake. */
#pragma once

#include "base/pool.h"
#include "blob/blob.h"
#include "db/db_writer.h"
#include "domain/access.h"
#include "domain/removal.h"
#include "fetch/fetch.h"
#include "provider/provider.h"

struct remover;

struct remover_parts {
  struct db_writer *writer;
  struct blob_store *store;
  struct pool *disk;
  const struct provider *provider;
  struct retention retention;
  bool keeps_provider_copies; /* tasks of deletion at the provider wait */
  const char *owner;          /* of leases; at most 39 bytes */
};

CHECKED enum err remover_new(const struct remover_parts *parts, struct remover **ret_remover);
/* fetch: runs the provider's requests, and is woken after each round. Call it before the first tick. */
void remover_begin(struct remover *r, struct fetch *fetch);
/* Starts what is due. may_remove false: nothing is removed from the volume, because it is not the right one. Returns the ms after
 * which it wants its next tick. */
int64_t remover_tick(struct remover *r, const struct access_snapshot *snapshot, bool may_remove, int64_t mono_ms);
void remover_wake(struct remover *r); /* (any thread) something expired */
/* Starts nothing more and cancels the requests that run. Their tasks are done again when their leases have run out. */
void remover_stop(struct remover *r);
bool remover_is_idle(const struct remover *r);
/* Call it after the pool was freed. NULL is fine. Always NULL. */
struct remover *remover_free(struct remover *r);
