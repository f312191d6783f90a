/* recordings.h - the table `recordings`. A recording's row is also its place in the download queue; there is no other queue.
 *
 *   TRY(recordings_get(db, business, sid, &row));
 *   struct recording next = row;  … a pure rule changes next …
 *   TRY(recordings_store(db, &row, &next));    ERR_CONFLICT: the row has changed meanwhile
 *
 * Times are UNIX milliseconds by the database's clock; 0: none. Thread rule: the connection's. Writes run in db_writer's
 * transaction. */
#pragma once

#include <stdint.h>

#include "db/db.h"

enum {
  SID_SIZE = 40,
  RECORDING_URL_SIZE = 2049,
  RECORDING_TEXT_SIZE = 1025,
  RECORDING_NAME_SIZE = 160,
  RECORDING_ETAG_SIZE = 48,
  RECORDING_ERROR_CODE_SIZE = 32,
  RECORDING_EXPIRE_REASON_SIZE = 16,
  RECORDING_HOLD_SIZE = 1024
};

/* The longest that a stored time may lie ahead. A time further ahead by more than DB_CLOCK_SLACK_MS (db_clock.h) counts as past,
 * so that no row waits for ever after the clock has jumped. */
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
  /* from the provider */
  char provider_status[RECORDING_TEXT_SIZE]; /* "": unknown */
  char url[RECORDING_URL_SIZE];              /* "": unknown */
  bool forbidden;                            /* the rules for URLs don't allow to fetch url */
  int64_t provider_duration_s;               /* 0 unknown */
  int provider_channels;                     /* 0 unknown */
  char source[RECORDING_TEXT_SIZE];
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
  int64_t
      file_seen_at; /* a file under its name is to be checked; 0: none. While leased: this is the lease of a check */
  char lease_owner[40];
  int64_t lease_token;
  int64_t lease_until; /* 0: no lease */
  int64_t fail_count;
  int64_t failed_at;     /* the last failure */
  int64_t next_retry_at; /* 0: not by itself */
  char error_code[RECORDING_ERROR_CODE_SIZE];
  bool permanent;
  int64_t not_found_count;
  int64_t first_404_at;
  int64_t crashes;
  int64_t retried[3]; /* the latest first */
  /* the bytes */
  char stem[RECORDING_NAME_SIZE]; /* "" before the first fill */
  char name[RECORDING_NAME_SIZE]; /* "" unless ready */
  int64_t bytes;                  /* of the file; 0 unless ready */
  int64_t announced_bytes;        /* as the provider announced; -1 unknown */
  int64_t received_bytes;         /* by the fill under way */
  char content_type[40];
  char etag[RECORDING_ETAG_SIZE]; /* with its quotes */
  int64_t modified_at;
  int64_t duration_ms; /* of the audio; -1 unknown */
  int channels;        /* of the audio; 0 unknown */
  char sha256[65];
  int64_t ready_at;
  /* its end */
  int64_t expired_at;                               /* 0: it has not expired */
  char expire_reason[RECORDING_EXPIRE_REASON_SIZE]; /* "" unless it has expired */
  int64_t kept_from;                                /* its retention counts from then. Triggers write it */
  char hold[RECORDING_HOLD_SIZE]; /* the legal hold that it shows, as JSON; "": none. holds.h writes it */
  bool has_transcript;            /* ledger/transcripts.h writes it */
  bool transcript_asked; /* it is ready, and transcripts_find finds something: waiting, under way, made or failed */
  int64_t version;       /* for compare-and-set */
};

CHECKED enum err recordings_get(struct db *db, int64_t business_id, struct str recording_sid,
                                struct recording *ret_row);
/* Inserts a row with version 1. fields: its ranked document. ERR_EXISTS. */
CHECKED enum err recordings_insert(struct db *db, const struct recording *row, struct str fields);
/* Replaces old by next, and adds to `changes`. ERR_CONFLICT: the stored row is no longer old (its version differs). */
CHECKED enum err recordings_store(struct db *db, const struct recording *old, const struct recording *next);
/* Appends the ranked document (each field the provider sent, with its rank) to b. recordings_set_fields replaces it. */
CHECKED enum err recordings_fields(struct db *db, int64_t business_id, struct str recording_sid, struct buf *b);
CHECKED enum err recordings_set_fields(struct db *db, int64_t business_id, struct str recording_sid, struct str fields);

/* The recording that an API id names. A recording's SID: that recording. A call's SID: one that is
 * ready, else one that is queued or downloading, else one that may still come (neither expired nor failed permanently), else
 * any; within each of these the newest of the call, else of its parent, else of its children.
 * ERR_NOT_FOUND: no recording; *ret_call_known then says whether the call is known. */
CHECKED enum err recordings_resolve(struct db *db, int64_t business_id, struct str id, bool *ret_call_known,
                                    struct recording *ret_row);
/* The same for what can't be undone, and must do nothing else when it is repeated: a call's SID names a recording only if the
 * call, its parent and its children have no other, whatever its status. ERR_CONFLICT: they have several. */
CHECKED enum err recordings_resolve_only(struct db *db, int64_t business_id, struct str id, bool *ret_call_known,
                                         struct recording *ret_row);

typedef enum err recordings_each_fn(void *arg, const struct recording *row);
/* Calls fn with all recordings of one call, newest first. */
CHECKED enum err recordings_of_call(struct db *db, int64_t business_id, struct str call_sid, recordings_each_fn *fn,
                                    void *arg);
/* Calls fn with at most limit recordings of a business in that status, in order of SID, after the SID `after` (empty: first). */
CHECKED enum err recordings_with_status(struct db *db, int64_t business_id, enum recording_status status,
                                        struct str after, int limit, recordings_each_fn *fn, void *arg);

/* Calls fn with at most limit failed recordings of a business, in order of SID, with SIDs behind `after` up to
 * `until` ("\x7f": all): with that error code (empty: any) and failed_at >= since. */
CHECKED enum err recordings_failed(struct db *db, int64_t business_id, struct str error_code, int64_t since,
                                   struct str after, struct str until, int limit, recordings_each_fn *fn, void *arg);
/* The SID of the count-th such recording behind `after`, whenever it failed. ERR_NOT_FOUND: there are fewer. */
CHECKED enum err recordings_failed_skip(struct db *db, int64_t business_id, struct str error_code, struct str after,
                                        int count, char ret_sid[SID_SIZE]);

/* The place where a list in the order of kept_from continues. Zeroed: at its beginning. */
struct recordings_place {
  int64_t kept_from;
  int passed; /* rows with this kept_from that were read */
};
/* Calls fn with at most limit recordings of a business that have not expired, show no hold, and whose kept_from is at most `at`,
 * the oldest first, from *place on, which it moves behind them. *ret_count: how many. */
CHECKED enum err recordings_kept_since(struct db *db, int64_t business_id, int64_t at, struct recordings_place *place,
                                       int limit, recordings_each_fn *fn, void *arg, int *ret_count);
/* Calls fn with at most limit recordings of a business that show a hold, by their SID, from the one behind `after` on. */
CHECKED enum err recordings_held(struct db *db, int64_t business_id, struct str after, int limit,
                                 recordings_each_fn *fn, void *arg);

/* ---- the queue; see domain/queue.h for the rules ---- */
struct recordings_limits {
  int per_business; /* fills of one business; a play may exceed it by one */
  int total;        /* fills of all processes */
};
/* The next recording to claim: by rank, then of the business with the fewest running fills, then of the one that was not served
 * for the longest time. ERR_NOT_FOUND: none may be claimed now. */
CHECKED enum err recordings_next(struct db *db, const struct recordings_limits *limits, int64_t now,
                                 struct recording *ret_row);
/* The next recording whose file is to be checked, of the first business after the id after_business, else of the first. Within a
 * business by rank, then by age. ERR_NOT_FOUND: none. */
CHECKED enum err recordings_next_file_seen(struct db *db, int64_t after_business, struct recording *ret_row);
/* Unmarks at most limit such recordings of a business. */
CHECKED enum err recordings_forget_files_seen(struct db *db, int64_t business_id, int limit);
/* Records that the business was served at now. */
CHECKED enum err recordings_turn(struct db *db, int64_t business_id, int64_t now);
/* Calls fn with at most limit rows whose lease has expired. */
CHECKED enum err recordings_lapsed(struct db *db, int64_t now, int limit, recordings_each_fn *fn, void *arg);
/* Calls fn with at most limit failed rows whose automatic retry is due. */
CHECKED enum err recordings_due(struct db *db, int64_t now, int limit, recordings_each_fn *fn, void *arg);
/* Lowers the rank of at most limit queued plays that nobody has requested or waited for since `before`. */
CHECKED enum err recordings_demote(struct db *db, int64_t before, int limit);
/* Makes at most limit queued rows claimable at now whose next_ask_at is so far ahead that the clock must have jumped. */
CHECKED enum err recordings_bring_forward(struct db *db, int64_t now, int limit);
/* When the worker must look at the queue next: a turn, an expiring lease, a retry or a trial. In the past: now; 0: never. */
CHECKED enum err recordings_next_event(struct db *db, int64_t now, int64_t *ret_at);
