/* fill.h - one recording on its way from the provider to the store, under one lease.
 *
 *   fill_start(&context, &row, credentials_version, mono_ms, &fill);
 *   about once a second, and when fill_tick asks for it:   next_ms = fill_tick(fill, mono_ms);
 *   at the end:   context.on_end(context.arg, fill);   the fill frees itself after that call
 *
 * Thread rule: the worker's thread (fetch's loop). The fill runs disk steps on the disk pool and posts the results back. */
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

/* The pause before a request is sent again after a failure that passes. It doubles with each such request of a fill. */
enum { FILL_ASK_AGAIN_MS = 500 };

/* Shared by all fills of a worker. Outlives them. */
struct fill_context {
  struct fetch *fetch;
  struct pool *disk;
  struct db_writer *writer;
  struct blob_store *store;
  struct tapes *tapes;          /* for listeners while the recording arrives; NULL: there are none in this process */
  struct tape_follows *follows; /* NULL if tapes is */
  const struct provider *provider;
  enum provider_format formats[PROVIDER_FORMATS_MAX];
  size_t format_count;
  int64_t max_bytes;
  int64_t ask_again_ms;             /* FILL_ASK_AGAIN_MS; tests may set less */
  struct access_snapshot *snapshot; /* the newest; owned by the worker */
  bool closing;                     /* the process ends: a final report that fails is not repeated */
  void (*on_end)(void *arg, struct fill *f);
  void *arg;
};

/* Starts a fill of row as queue_claim or queue_claim_check returned it. mono_ms: this process's clock before the claim.
 * The fill sends no request with credentials older than credentials_version until FILL_CREDENTIALS_MS have passed. */
CHECKED enum err fill_start(const struct fill_context *context, const struct recording *row,
                            int64_t credentials_version, int64_t mono_ms, struct fill **ret_fill);
/* Renews the lease, ends pauses, gives up a lease that ran out. Returns after how many ms the fill wants its next tick. May
 * free the fill. */
int64_t fill_tick(struct fill *f, int64_t mono_ms);
/* True: it only checks a file that was seen under the recording's name, and never asks the provider. */
bool fill_only_checks(const struct fill *f);
/* Stops the fill and gives its lease back, unless all bytes have arrived: then it completes. May free the fill. */
void fill_return(struct fill *f);
/* For the end of the process, if a disk step of the fill does not return: gives the lease back without the fill's help. done
 * is called once: on the writer's thread when the ledger has taken or refused it, or at once if the report could not be queued.
 * */
void fill_give_lease_back(const struct fill *f, void (*done)(void *), void *arg);
/* This recording expired: if it is the fill's, the fill has lost its lease. May free the fill. */
void fill_expired(struct fill *f, int64_t business_id, struct str recording_sid);
/* context->snapshot was replaced: a fill whose business was removed ends as by fill_return. May free the fill. */
void fill_access_changed(struct fill *f);
