/* api.h - the HTTP surface: routes, who may, answers. Built by cmd/app, which owns all that it points to.
 *
 *   api_new(&parts, snapshot, &api);   struct http_app app = api_http_app(api);   api_set_server(api, server);
 *   the end: api_drain, http_server_drain; then changes, readers and writer are freed, since they post to the loops;
 *   then the server, and last api_free(api).
 *
 * Thread rule: api_new and api_free by the owner; the rest as marked. */
#pragma once

#include "base/conf.h"
#include "base/hmac.h"
#include "blob/blob.h"
#include "db/db_readers.h"
#include "db/db_writer.h"
#include "domain/access.h"
#include "domain/events.h"
#include "domain/tape_follow.h"
#include "domain/volume.h"
#include "http/http.h"
#include "ledger/changes.h"

struct api;

struct api_parts {
  const struct conf *conf;
  struct db_readers *readers;
  struct db_writer *writer;
  struct blob_store *store;
  struct volume *volume;   /* who calls into the store; NULL only with health_only */
  uint64_t min_free_bytes; /* of the store: below that no fill begins */
  struct events *events;
  struct tape_follows *follows;   /* finds what arrives, here or in another process. NULL only with health_only */
  const struct hmac_key *url_key; /* of signed URLs; copied. NULL only with health_only */
  struct buf *ret_problem; /* NULL, or gets a sentence that begins with a setting's name when api_new refuses it */
  const char *path_base;   /* path of PUBLIC_BASE_URL without trailing '/', or "" */
  int64_t seq;             /* the last change before those that api_tell_change will tell of */
  bool health_only;        /* a worker's process: nothing but health is served */
  unsigned loops;          /* of the server that api_http_app is given to */
  /* What the process knows of itself; (any thread), cheap. */
  bool (*worker_alive)(void *arg); /* a worker was seen in the last 30 s, in any process */
  bool (*account_stopped)(void *arg, int64_t business_id);
  bool (*storage_full)(void *arg); /* there are workers, in whichever process, and none has room for a recording */
  /* NULL when able to serve; else a sentence without paths, hosts or settings' values. *ret_degraded: "database" or NULL. */
  const char *(*not_ready)(void *arg, const char **ret_degraded);
  void *arg;
};

/* ERR_INVALID: a setting that can't be meant so: see ret_problem. */
CHECKED enum err api_new(const struct api_parts *parts, struct access_snapshot *snapshot, struct api **ret_api);
struct api *api_free(struct api *a);
/* The application for http_server_new; api_set_server before http_server_start. */
struct http_app api_http_app(struct api *a);
void api_set_server(struct api *a, struct http_server *s);
/* The application of a second server, for who watches: /metrics without credentials, /healthz, /readyz; nothing else. It is
 * freed before the api. */
struct http_app api_admin_app(struct api *a);
/* (any thread) A newer snapshot: each loop swaps to it within a moment. Takes a reference of its own. */
void api_set_access(struct api *a, struct access_snapshot *snapshot);
/* (any thread) A key was made or revoked, key_id 0: those of a business, or the business itself: sessions that it opened are
 * looked up anew. The snapshot is set apart from that. */
void api_key_changed(struct api *a, int64_t business_id, int64_t key_id);
/* (any thread) After a snapshot was set or sessions changed: event streams of that business (0: of all) whose credential is
 * not good any more end. */
void api_check_streams(struct api *a, int64_t business_id);
/* (any thread) A session ended: digest is what a CHANGE_SESSION names; empty: any of the business. */
void api_session_changed(struct api *a, int64_t business_id, struct str digest);
/* The changes thread: every change, and when some were missed; api_tick after every look. */
void api_tell_change(struct api *a, const struct change *change);
void api_tell_lost(struct api *a);
void api_tick(struct api *a);
/* (any thread) From now on /readyz is 503 and what waits is answered soon. */
void api_drain(struct api *a);
