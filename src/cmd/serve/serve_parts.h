/* serve_parts.h - everything that a serving process is made of, for the files serve_*.c and cmd_serve.c.
 *
 * Built in the order of the members, torn down in reverse. */
#pragma once

#include <stdatomic.h>

#include "api/api.h"
#include "base/lock.h"
#include "cmd/app.h"
#include "domain/access.h"
#include "domain/events.h"
#include "domain/tape_follow.h"
#include "domain/volume.h"
#include "ledger/calls_upkeep.h"
#include "ledger/changes.h"
#include "ledger/nodes.h"
#include "work/worker.h"

/* What changed of businesses and keys since the snapshot was made. */
struct access_news {
  struct access_change changes[256];
  size_t count;
  bool all; /* more than that, or not known what: all is read anew */
};

/* A sorted list of businesses. */
struct business_ids {
  int64_t *ids; /* owned */
  size_t count, room;
};

enum serve_role { SERVE_ALL, SERVE_WEB, SERVE_WORKER };

struct serve {
  const struct cmd_args *args;
  int signals; /* signalfd of those that end */
  int wake;    /* eventfd: upkeep now */
  struct app app;
  enum serve_role role;
  struct node node;
  struct blob_store *store;
  struct volume *volume;
  uint64_t min_free_bytes;
  struct changes *changes;
  struct db_writer *writer;
  struct db_readers *readers;
  struct events *events;
  struct tapes *tapes;
  struct tape_follows *follows;
  struct access_snapshot *access;
  struct api *api;
  struct http_server *server;
  struct http_server *admin; /* of ADMIN_LISTEN; or NULL */
  struct worker *worker;     /* NULL in a web process */

  /* What the process knows of itself; written by the upkeep, read by any thread. */
  atomic_bool draining;
  atomic_bool store_is_right;
  _Atomic int64_t worker_seen_ms; /* mono: when some worker was last known to live; 0 never */
  atomic_bool storage_full;       /* there are workers, and none has room */
  atomic_bool storage_full_moved; /* it is another than streams were told */
  atomic_bool trims;              /* a trim of `changes` is under way; more_to_trim is the writer's thread's */
  bool more_to_trim;
  bool more_sessions_to_trim; /* the writer's thread's */
  atomic_bool keeps_calls;    /* calls_upkeep is under way; the three below are the writer's thread's */
  struct calls_upkeep calls_upkeep;
  bool more_of_calls;
  int64_t calls_told_ms; /* mono: when the log last said how far it is */
  struct lock lock;      /* covers stopped and news; held for a look at memory only, never during SQL */
  struct access_news news;
  struct business_ids stopped; /* businesses whose credentials were refused */
  atomic_bool figures_busy;    /* a reader looks */
  _Atomic int64_t figures_ms;  /* mono: when the database last told its figures; 0 never */
};

/* serve_upkeep.c: what a process does from time to time, on the main thread */
void serve_upkeep(struct serve *s);
/* Loads all businesses and keys and hands them to whoever holds some. */
CHECKED enum err serve_load_access(struct serve *s);
/* (any thread) The main thread is to read that anew, soon. NULL: everything. */
void serve_note_access(struct serve *s, const struct access_change *change);

/* serve_state.c: what the process knows about itself; (any thread). serve: a struct serve. */
enum { SERVE_WORKER_LIVES_MS = 30 * 1000 };
/* True if a worker of any process reported within SERVE_WORKER_LIVES_MS. */
bool serve_worker_alive(void *serve);
/* True if the provider refused the credentials of the business. */
bool serve_account_stopped(void *serve, int64_t business_id);
size_t serve_stopped_count(struct serve *s);
/* Exchanges the list of those businesses with *list, which the caller frees. */
void serve_set_stopped(struct serve *s, struct business_ids *list);
/* True if there are workers and none has room for a recording. */
bool serve_storage_full(void *serve);
/* NULL when able to serve; else a sentence for /readyz. *ret_degraded: "database" or NULL. */
const char *serve_not_ready(void *serve, const char **ret_degraded);

/* serve_figures.c: what /metrics shows, and the server that shows it inside */
enum { ADMIN_CONNECTIONS = 256 };
void serve_refresh_figures(struct serve *s); /* on the main thread, with the upkeep */
CHECKED enum err serve_watch_figures(struct serve *s);
CHECKED int serve_build_admin(struct serve *s);

/* serve_changes.c: what follows from changes, on the changes thread */
CHECKED enum err serve_follow_changes(struct serve *s);
/* serve_business.c: the business of TWILIO_ACCOUNT_SID */
CHECKED int serve_keep_business(struct serve *s);
