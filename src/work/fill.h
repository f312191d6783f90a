/* fill.h - one recording on its way from the provider to the store, under one lease.
 *
 * All functions are called on the worker's thread (fetch's); the steps that sync are run by the disk pool and posted back.
 * A fill ends by calling fill_context.over, after which it is gone. */
#pragma once

#include "base/pool.h"
#include "blob/blob.h"
#include "db/db_writer.h"
#include "domain/access.h"
#include "domain/recording.h"
#include "domain/tape_follow.h"
#include "fetch/fetch.h"
#include "provider/provider.h"

struct fill;

/* What all fills of a worker share. Outlives them. */
struct fill_context {
  struct fetch *fetch;
  struct pool *disk;
  struct db_writer *writer;
  struct blob_store *store;
  struct tapes *tapes;          /* who listens while it arrives; NULL: nobody */
  struct tape_follows *follows; /* with tapes */
  const struct provider *provider;
  enum provider_format formats[PROVIDER_FORMATS_MAX];
  size_t format_count;
  int64_t max_bytes;
  struct access_snapshot *snapshot;        /* the newest; the worker's */
  bool closing;                            /* a last word that the database refuses is not repeated any more */
  void (*over)(void *arg, struct fill *f); /* last call of a fill, which frees itself then */
  void *arg;
};

/* Starts: row is as queue_claim leased it, at mono_ms of this process's clock. Nothing is asked with credentials older than
 * credentials_version for as long as newer ones may be expected. */
CHECKED enum err fill_start(const struct fill_context *context, const struct recording *row,
                            int64_t credentials_version, int64_t mono_ms, struct fill **ret_fill);
/* Renews, waits out, gives up: returns in how many ms it wants to be called again. */
int64_t fill_tick(struct fill *f, int64_t mono_ms);
/* Ends it soon and gives its lease back, unless it is about to be complete. */
void fill_return(struct fill *f);
/* For a fill that does not come back from the volume, at the end of the process: the ledger may give the recording to others. */
void fill_give_lease_back(const struct fill *f);
/* The context's snapshot is another one: the fill of a business that was removed ends as fill_return says. */
void fill_take_access(struct fill *f);
