/* recordings.h - the table `recordings`. The row is the queue: there is no other.
 *
 *   TRY(recordings_get(db, business, sid, &row));
 *   struct recording next = row;  … a pure rule changes next …
 *   TRY(recordings_store(db, &row, &next));    ERR_CONFLICT: somebody else moved it meanwhile
 *
 * Times are UNIX milliseconds by the database's clock; 0 means none. Thread rule: the connection's. Writing functions run
 * inside db_writer's transaction. */
#pragma once

#include <stdint.h>

#include "db/db.h"

enum { SID_SIZE = 40, RECORDING_URL_SIZE = 2049, RECORDING_NAME_SIZE = 160, RECORDING_ETAG_SIZE = 48 };

/* The longest that a stored time may lie ahead: one further ahead counts as past, so a clock that jumped strands nobody. */
enum { RECORDING_LEASE_MS = 30 * 1000, RECORDING_BACKOFF_CAP_MS = 20 * 60 * 1000 };

enum recording_status {
#define X(name, text) RECORDING_##name,
#include "ledger/recording_status.def"
#undef X
  RECORDING_STATUS_COUNT_
};
const char *recording_status_name(enum recording_status s);
/* ERR_INVALID for no such name. */
CHECKED enum err recording_status_of(struct str name, enum recording_status *ret_status);

enum recording_rank { RECORDING_RANK_PLAY, RECORDING_RANK_NEW, RECORDING_RANK_REST };

struct recording {
  int64_t business_id;
  char recording_sid[SID_SIZE];
  char call_sid[SID_SIZE]; /* "" when there is no call */
  /* what the provider told */
  char provider_status[16];     /* "" while nothing was told */
  char url[RECORDING_URL_SIZE]; /* where to ask; "" while unknown */
  bool forbidden;               /* url may not be fetched */
  int64_t provider_duration_s;  /* 0 unknown */
  int provider_channels;        /* 0 unknown */
  char source[64];
  int64_t started_at;
  int64_t completed_at;
  int64_t first_seen_at;
  /* the queue */
  enum recording_status status;
  int rank; /* enum recording_rank */
  int64_t enqueued_at;
  int64_t last_enqueue_at;
  int64_t wanted_at;
  int64_t next_ask_at;
  char lease_owner[40];
  int64_t lease_token;
  int64_t lease_until; /* 0: no lease */
  int64_t fail_count;
  int64_t failed_at;     /* the last failure */
  int64_t next_retry_at; /* 0: not by itself */
  char error_code[32];
  bool permanent;
  int64_t not_found_count;
  int64_t first_404_at;
  int64_t crashes;
  int64_t retried[3]; /* the latest first */
  /* the bytes */
  char stem[RECORDING_NAME_SIZE]; /* "" before the first fill */
  char name[RECORDING_NAME_SIZE]; /* "" unless ready */
  int64_t bytes;                  /* of the file; 0 unless ready */
  int64_t announced_bytes;        /* what the provider announced; -1 unknown */
  int64_t received_bytes;         /* by the fill under way */
  char content_type[40];
  char etag[RECORDING_ETAG_SIZE]; /* with its quotes */
  int64_t modified_at;
  int64_t duration_ms; /* of the audio; -1 unknown */
  int channels;        /* of the audio; 0 unknown */
  char sha256[65];
  int64_t ready_at;
  int64_t version; /* for compare-and-set */
};

CHECKED enum err recordings_get(struct db *db, int64_t business_id, struct str recording_sid,
                                struct recording *ret_row);
/* A new row; its version becomes 1. fields is the ranked document. ERR_EXISTS. */
CHECKED enum err recordings_insert(struct db *db, const struct recording *row, struct str fields);
/* next takes old's place, and a row in `changes` says so. ERR_CONFLICT when old is no longer what stands there. */
CHECKED enum err recordings_store(struct db *db, const struct recording *old, const struct recording *next);
/* The ranked document of told fields, appended to b; and storing it with what follows from it. */
CHECKED enum err recordings_fields(struct db *db, int64_t business_id, struct str recording_sid, struct buf *b);
CHECKED enum err recordings_set_fields(struct db *db, int64_t business_id, struct str recording_sid, struct str fields);

/* The recording that {id} means: itself, or of a call the first usable one of its own, then its parent's, then its
 * children's, the newest first within each; where none is usable, its own newest, then the others'.
 * ERR_NOT_FOUND with *ret_call_known telling whether the call is known at all. */
CHECKED enum err recordings_resolve(struct db *db, int64_t business_id, struct str id, bool *ret_call_known,
                                    struct recording *ret_row);

typedef enum err recordings_each_fn(void *arg, const struct recording *row);
/* All of one call, newest first. */
CHECKED enum err recordings_of_call(struct db *db, int64_t business_id, struct str call_sid, recordings_each_fn *fn,
                                    void *arg);
/* All of a business that have status; at most limit, in key order after the key `after` (empty: from the start). */
CHECKED enum err recordings_with_status(struct db *db, int64_t business_id, enum recording_status status,
                                        struct str after, int limit, recordings_each_fn *fn, void *arg);

/* Failed ones of a business with that error code (empty: any), that failed since `since`; keys after `after`. */
CHECKED enum err recordings_failed(struct db *db, int64_t business_id, struct str error_code, int64_t since,
                                   struct str after, int limit, recordings_each_fn *fn, void *arg);

/* ---- the queue; see domain/queue.h for the rules ---- */
struct recordings_limits {
  int per_business; /* one more for a play */
  int total;
  int64_t trial_streak; /* from this many errors in a row on an account is tried by one fill at a time */
};
/* The next one to claim at now: by rank, then the business with the fewest fills, then the one not served for longest.
 * ERR_NOT_FOUND. */
CHECKED enum err recordings_next(struct db *db, const struct recordings_limits *limits, int64_t now,
                                 struct recording *ret_row);
/* Notes whose turn it was. */
CHECKED enum err recordings_turn(struct db *db, int64_t business_id, int64_t now);
/* Rows whose lease ran out, at most limit. */
CHECKED enum err recordings_lapsed(struct db *db, int64_t now, int limit, recordings_each_fn *fn, void *arg);
/* Failed rows whose retry is due. */
CHECKED enum err recordings_due(struct db *db, int64_t now, int limit, recordings_each_fn *fn, void *arg);
/* Plays that nobody asked for or waited on since before: to the rank of new ones. */
CHECKED enum err recordings_demote(struct db *db, int64_t before, int limit);
/* When the next queued, due or leased row, or account to be tried, will want attention; past: at once; 0: none. */
CHECKED enum err recordings_next_event(struct db *db, int64_t now, int64_t *ret_at);
