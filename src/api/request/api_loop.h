/* api_loop.h - the state of the process (struct api) and of each of its loops (struct api_loop).
 *
 *   on the loop:     struct open_file *file = open_files_find(req->loop->open_files, …);       no lock
 *   anywhere:        rows_changed(api, business_id, recording_sid);       what loops cached of that row is void
 *                    loops_set_pending(api, PENDING_FILES);               each loop reacts within a moment
 *
 * Only pointers stand here, so that this file needs no file of a higher folder. api.c makes and frees what they point to.
 * Thread rule: a struct api_loop belongs to its loop's thread, except what is marked (any thread). A struct api is set up by
 * api_new and constant afterwards, except its atomics, `newest`, and objects with thread rules of their own. */
#pragma once

#include <stdatomic.h>

#include "api/request/api_parts.h"
#include "base/hmac.h"
#include "base/lock.h"
#include "base/metric.h"
#include "domain/cache_version.h"
#include "provider/provider.h"

enum {
  STREAM_BUCKETS = 256,       /* lists of a loop's event streams, by business */
  REFUSAL_SLOTS = 4096 * 16,  /* of struct api's refused */
  WEBHOOK_NOTE_SLOTS = 16384, /* of struct api's webhook_notes */
  LOCK_WAIT_SLOTS = 1024,     /* of struct api's lock_waits */
};

/* Events of other threads that a loop has not reacted to yet; bits. */
enum loop_pending {
  PENDING_ACCESS = 1,       /* there is a newer snapshot of access */
  PENDING_FILES = 2,        /* rows changed: their open files are to be closed */
  PENDING_SUBJECTS = 4,     /* subjects of event streams may have lost their rights */
  PENDING_EVENTS_RESET = 8, /* event streams missed events */
  PENDING_CHECKS = 16,      /* the volume's threads have checked open files */
};

struct api_loop {
  struct api *api;
  unsigned index;                 /* of http_loop_index */
  struct access_snapshot *access; /* held; keys, businesses, roles */
  struct key_cache *key_cache;    /* API keys, of access */
  struct session_cache *session_cache;
  struct jwt_cache *jwt_cache;     /* NULL: no JWT is accepted */
  struct open_files *open_files;   /* recordings that are ready and were played lately */
  struct file_check_batch *checks; /* checks of open files, gathered (api_file_check.c); or NULL */
  bool checks_under_way;
  int64_t checks_sent_ms; /* mono */
  _Atomic(struct file_check_batch *)
      checks_ended; /* (any thread sets) the batch under way, with its results; or NULL */
  struct playbacks_local *playbacks;
  struct status_cache *status_cache;
  struct playback_request *waiting;             /* a list: playback requests that wait for a change */
  struct access_lookup *lookups;                /* a list: requests that wait for a newer snapshot */
  struct event_stream *streams[STREAM_BUCKETS]; /* lists */
  atomic_uint pending;                          /* (any thread sets) bits of enum loop_pending */
} __attribute__((aligned(64)));

/* The loop calls react when it finds any of bits pending. */
struct loop_reaction {
  unsigned bits; /* of enum loop_pending; 0 ends the list */
  void (*react)(struct api_loop *l);
};

/* When a business's last webhook was written, and what it was. */
struct webhook_note {
  atomic_int_least64_t at_ms; /* mono; 0: never */
  atomic_uint_least64_t what;
};

/* Refusals of one kind since the last log line about them. */
struct refusals {
  atomic_int_least64_t logged_ms; /* mono; 0: never */
  atomic_uint_least64_t count;
};

struct api {
  struct api_parts parts;
  const struct provider *provider;
  const struct loop_reaction *reactions; /* in this order */
  struct http_server *server;            /* NULL until api_set_server */
  struct str path_base;                  /* of links: "" or "/sub" */
  char *public_origin;                   /* of PUBLIC_BASE_URL, without its path; NULL when there is none */
  char *public_url;                      /* with its path, without a trailing '/' */
  struct proxies *proxies;
  struct origins *origins;
  struct jwt *jwt; /* NULL: no JWT is accepted */
  struct hmac_key url_key, older_url_key;
  bool has_older_url_key; /* it verifies too */
  struct cookie_rules *cookie;
  struct page_files *page;
  struct credentials *credentials;
  struct webhook_note *webhook_notes; /* WEBHOOK_NOTE_SLOTS: of last_webhooks_note */
  atomic_int webhook_notes_waiting;
  struct event_feed *event_feed;
  struct playbacks *playbacks;
  struct hits *hits;
  struct media_cuts *cuts;         /* the changes thread's */
  struct quota *webhooks;          /* of each business: requests a second */
  struct quota *answers;           /* of each business: bytes of large answers under way */
  struct quota *exports;           /* of each business: CSV exports under way */
  struct cache_versions *versions; /* of rows and sessions that loops cache */
  atomic_bool must_sweep;          /* a row changed since open files were swept last */
  int64_t swept_ms;                /* mono; the changes thread's */
  struct lock lock;                /* rank API: covers newest */
  struct access_snapshot *newest;  /* held */
  atomic_bool draining;
  atomic_int_least64_t *refused; /* REFUSAL_SLOTS: when each kind of refused webhook was logged last */
  struct refusals refusals[METRIC_CREDENTIAL_COUNT_]; /* of security_refused */
  atomic_uint_least64_t lock_waits[LOCK_WAIT_SLOTS];  /* of media_response_note_lock */
  unsigned loop_count;
  struct api_loop *loops;
};

/* On the loop: reacts to all that is pending. Called before a request is looked at, so that it sees the newest state. */
void loop_apply_pending(struct api_loop *l);
/* (any thread) Sets the bit on the loop, then wakes it. */
void loop_set_pending(struct api_loop *l, enum loop_pending what);
/* (any thread) Sets the bit on all loops, then wakes them. */
void loops_set_pending(struct api *a, enum loop_pending what);

/* (any thread) The newest snapshot, which loops may not have taken yet. The caller unrefs it. */
struct access_snapshot *api_newest_access(struct api *a);
/* (any thread) The mark under which an answer about the recording or call id may be cached: taken before the row is read. */
struct cache_mark rows_mark(const struct api *a, int64_t business_id, struct str id);
/* (any thread) A recording or call of the business was written. id: the recording's SID; empty: not known, none that is
 * ready. Called before this process answers its own write, and when another process's write is reported. */
void rows_changed(struct api *a, int64_t business_id, struct str id);
