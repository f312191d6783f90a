/* serve_parts.h - the objects of a serving process, for serve_*.c and cmd_serve.c.
 *
 * cmd_serve.c builds them in the order of the members and frees them in reverse order.
 * Thread rule: the main thread, except what is marked. */
#pragma once

#include <stdatomic.h>

#include "api/api.h"
#include "base/lock.h"
#include "cmd/app.h"
#include "domain/access.h"
#include "domain/audit_queue.h"
#include "domain/events.h"
#include "domain/tape_follow.h"
#include "domain/volume.h"
#include "ledger/calls_upkeep.h"
#include "ledger/changes.h"
#include "ledger/changes_postgres.h"
#include "ledger/changes_trimmer.h"
#include "ledger/nodes.h"
#include "work/worker.h"

/* Businesses and keys that have changed since the access snapshot was made. */
struct access_changes {
  struct access_change *changes; /* owned */
  size_t count, room;
  bool all; /* more than ACCESS_CHANGES_MAX changes, or unknown ones: read everything again */
};
enum { ACCESS_CHANGES_MAX = 16384 };

/* A sorted list of businesses. */
struct business_ids {
  int64_t *ids; /* owned */
  size_t count, room;
};

/* Businesses that were stopped or released since event streams were notified. Beyond the ceiling all are notified. */
enum { SERVE_RESTATED_MAX = 64 };
struct restated {
  int64_t ids[SERVE_RESTATED_MAX];
  size_t count;
};

/* Why the recordings' volume can't be used; VOLUME_RIGHT: it can. */
enum volume_fault {
  VOLUME_RIGHT,
  VOLUME_UNKNOWN,      /* its id is not the one that the database knows, or can't be read */
  VOLUME_ELSEWHERE,    /* RECORDINGS_DIR leads to another place than the one that is open */
  VOLUME_LACKS_A_MARK, /* another process has another volume */
};

enum serve_role { SERVE_ALL, SERVE_WEB, SERVE_WORKER };

struct serve {
  const struct cmd_args *args;
  int signals; /* signalfd of SIGTERM and SIGINT */
  int wake;    /* eventfd: wakes the main thread for the upkeep */
  struct app app;
  enum serve_role role;
  bool shadow; /* a trial beside another system */
  struct node node;
  struct blob_store *store;
  struct volume *volume;
  struct changes_epoch epoch; /* as the writer knows it */
  struct changes *changes;
  struct db_writer *writer;
  struct changes_epoch webhook_epoch; /* as webhook_writer knows it */
  struct db_writer *webhook_writer;   /* of sets; NULL: with SQLite, and without the role */
  struct audit_queue *audit;
  struct db_readers *readers;
  struct events *events;
  struct tapes *tapes;
  struct tape_follows *follows;
  struct access_snapshot *access;
  struct api *api;
  struct http_server *server;
  struct http_server *admin;         /* of ADMIN_LISTEN, or NULL */
  struct worker *worker;             /* NULL in a web process */
  struct serve_reconcile *reconcile; /* NULL in a web process */

  /* The state of the process and of others: the upkeep writes it, any thread may read it. */
  atomic_bool draining;
  _Atomic enum volume_fault volume_fault;
  _Atomic int64_t worker_seen_ms; /* monotonic: when a worker of any process was last alive; 0: never */
  atomic_bool worker_was_alive;   /* when the upkeep looked last */
  atomic_bool storage_full;       /* there are workers, and the volume is full for all of them */
  atomic_bool
      wait_reason_changed; /* what all queued recordings wait for has changed since event streams were notified */
  struct changes_trimmer changes_trimmer;
  bool more_sessions_to_trim; /* these two belong to the writer's thread */
  bool more_urls_to_trim;
  struct {
    int64_t after, count, audit_after;
    bool more, audit_is_signed;
  } reseal; /* the writer's thread's */
  struct {
    atomic_bool is_cutting;
    bool more; /* these two belong to the writer's thread */
    int64_t cut;
  } audit_upkeep;
  atomic_bool is_indexing_calls; /* calls_upkeep runs; the three members below belong to the writer's thread */
  struct calls_upkeep calls_upkeep;
  bool more_of_calls;
  int64_t calls_logged_ms; /* monotonic: when its progress was last logged */
  struct lock lock;        /* covers stopped, access_changes and missing_node; never held during SQL */
  struct access_changes access_changes;
  struct restated restated;
  struct business_ids stopped;     /* sorted: businesses whose credentials the provider refused */
  char missing_node[NODE_ID_SIZE]; /* of VOLUME_LACKS_A_MARK: whose mark */
  atomic_bool figures_busy;        /* a reader reads them now */
  _Atomic int64_t figures_ms;      /* monotonic: when they were last read; 0: never */
};

/* serve_upkeep.c: periodic work on the main thread, about four times a second */
void serve_upkeep(struct serve *s);
/* Reads all businesses and keys, gives the snapshot to the api and the worker, and reads which accounts are stopped. */
CHECKED enum err serve_load_access(struct serve *s);
/* (any thread) Makes the main thread read the changed business or key again, at once. NULL: read everything again. */
void serve_note_access(struct serve *s, const struct access_change *change);

/* serve_state.c and serve_volume.c: the state of the process; (any thread). serve: a struct serve. */
enum { SERVE_WORKER_LIVES_MS = 30 * 1000 };
/* True if a worker of any process reported within SERVE_WORKER_LIVES_MS. */
bool serve_worker_alive(void *serve);
/* True if the provider refused the credentials of the business. */
bool serve_account_stopped(void *serve, int64_t business_id);
size_t serve_stopped_count(struct serve *s);
/* Of the businesses with after < id <= last, those of *list, which is sorted, are the stopped ones. ERR_NOMEM. */
CHECKED enum err serve_set_stopped(struct serve *s, int64_t after, int64_t last, const struct business_ids *list);
/* Takes the businesses that serve_set_stopped found stopped or released. */
void serve_take_restated(struct serve *s, struct restated *ret_restated);
/* True if there are workers and none has room for a recording. */
bool serve_storage_full(void *serve);
/* Compares the volume as it was probed last with the database; holds the worker while they differ. */
void serve_watch_volume(struct serve *s);
/* Logs which database a worker opened if no other process uses it: it may be the wrong one. */
void serve_log_lonely_worker(struct serve *s);
/* A sentence without paths; NULL: the volume is right. Valid until the thread's next call. */
const char *serve_volume_problem(struct serve *s);
/* NULL when able to serve; else a sentence for /readyz, valid until the thread's next call. *ret_degraded: "database" or NULL. */
const char *serve_not_ready(void *serve, const char **ret_degraded);

/* serve_figures.c: metrics that come from the database and the volume, and the server of ADMIN_LISTEN */
enum { ADMIN_CONNECTIONS = 256 };
void serve_refresh_figures(struct serve *s); /* the upkeep calls it on the main thread */
CHECKED enum err serve_watch_figures(struct serve *s);
CHECKED int serve_build_admin(struct serve *s);

/* serve_changes.c: passes changes on, on the changes thread */
CHECKED enum err serve_follow_changes(struct serve *s);
/* serve_audit.c: writes what waits for the audit, cuts its old end, logs its digests; on the main thread */
void serve_audit_upkeep(struct serve *s, bool can_write);
/* serve_reconcile.c: looks for calls and recordings that no webhook reported, on a thread of its own */
CHECKED enum err serve_reconcile_start(struct serve *s);
void serve_reconcile_watch(struct serve *s, bool can_write); /* on the main thread, at each upkeep */
void serve_reconcile_stop(struct serve *s);                  /* waits for the end of its thread */
/* serve_reseal.c: seals secrets again during a rotation of SECRETS_KEY */
void serve_reseal(struct serve *s);
/* serve_business.c: adds or updates the business of TWILIO_ACCOUNT_SID. Returns an exit code. */
CHECKED int serve_keep_business(struct serve *s);
