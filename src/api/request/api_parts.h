/* api_parts.h - the parts that an api is built with. api_new copies the struct; cmd/app owns all that it points to.
 *
 * Thread rule: constant once api_new was called. */
#pragma once

#include "base/conf.h"
#include "base/hmac.h"
#include "blob/blob.h"
#include "db/db_readers.h"
#include "db/db_writer.h"
#include "domain/access.h"
#include "domain/audit_queue.h"
#include "domain/events.h"
#include "domain/tape_follow.h"
#include "domain/volume.h"
#include "http/http.h"
#include "ledger/changes.h"

struct api_parts {
  const struct conf *conf;
  struct db_readers *readers;
  struct db_writer *writer;
  struct db_writer *webhook_writer; /* of sets, for webhooks; NULL: writer */
  struct audit_queue *audit;        /* plays, downloads, exports; NULL: they are not audited */
  struct blob_store *store;
  bool shadow;            /* webhooks may be copies of requests to another system: X-Callreel-Signed-URL */
  struct volume *volume;  /* makes the calls into the store; NULL only with health_only */
  int64_t min_free_bytes; /* MIN_FREE_BYTES, or below 0 (see store_least_free) */
  struct events *events;
  struct tape_follows *follows;   /* finds what arrives, here or in another process. NULL only with health_only */
  const uint8_t *secrets_key;     /* 32 bytes, which seal credentials in the database; NULL only with health_only */
  const struct hmac_key *url_key; /* of signed URLs; copied. NULL only with health_only */
  struct buf *ret_problem; /* NULL, or gets a sentence that begins with a setting's name when api_new refuses it */
  const char *data_dir;    /* DATA_DIR, where assets of the page are kept from release to release; NULL: nowhere */
  const char *path_base;   /* path of PUBLIC_BASE_URL without trailing '/', or "" */
  int64_t seq;             /* the last change before those that api_on_change will be given */
  bool health_only;        /* a worker's process: it serves nothing but health */
  unsigned loops;          /* of the server that api_http_app is given to */
  /* The state of the process. Each is called from any thread and must be cheap. */
  bool (*worker_alive)(void *arg); /* a worker of any process reported within the last 30 s */
  bool (*account_stopped)(void *arg, int64_t business_id);
  bool (*storage_full)(void *arg); /* there are workers, and none of them has room for a recording */
  /* NULL when able to serve; else a sentence without paths, hosts or settings' values. *ret_degraded: "database" or NULL. */
  const char *(*not_ready)(void *arg, const char **ret_degraded);
  void *arg;
};
