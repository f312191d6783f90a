/* recording.h - the state machine of a recording: (row, event, now) gives the next row. Pure: no SQL, no clock.
 *
 *   struct recording_event event = {.kind = RECORDING_PLAY};
 *   struct recording_outcome outcome = recording_apply(&row, &event, now, &next);
 *   if (outcome.moved) TRY(recordings_store(db, &row, &next));
 *
 * The moves are listed in recording.def. docs/internals/queue.md shows who sends which event. The times and counts
 * below are fixed by the contract.
 * Thread rule: any thread. */
#pragma once

#include "domain/recording_error.h"
#include "ledger/recordings.h"

enum {
  RECORDING_COOLDOWN_MS = 60 * 1000,
  RECORDING_BACKOFF_FIRST_MS = 30 * 1000,
  RECORDING_NOT_YET_ENDED_MS = 10 * 60 * 1000, /* a 404 means "not yet" for this long after the call's end … */
  RECORDING_NOT_YET_ASKING_MS = 5 * 60 * 1000, /* … and for this long after the first 404 */
  RECORDING_OLD_MS = 24 * 60 * 60 * 1000,      /* a 404 of an older recording is permanent */
  RECORDING_LAST_FAILURE = 8,                  /* with class EIGHTH, failure number 8 is permanent */
  RECORDING_CRASHES_MAX = 3, /* leases that may end without a report in a row; the next one is a failure */
  RECORDING_RETRY_WINDOW_MS = 10 * 60 * 1000, /* a person may retry 3 times within it */
  RECORDING_PLAY_RANK_MS = 2 * 60 * 1000,     /* a recording keeps a play's rank this long after the last play */
  RECORDING_PLAY_REPEAT_MS = 30 * 1000,       /* a play this soon after another is not written to the row */
  RECORDING_NOT_YET_ASKS = 8,                 /* attempts in the first 5 minutes (backoff_not_yet_ms) … */
  RECORDING_NOT_YET_REQUESTS = 20,       /* … and the requests that they may make together, all formats included */
  RECORDING_FORMATS_ON_404_FROM_ASK = 3, /* from this attempt on, a 404 makes the fill try the other formats too */
};

/* In brackets: the members of struct recording_event that the event uses. */
enum recording_event_kind {
  RECORDING_PLAY,      /* a person plays it */
  RECORDING_PREPARE,   /* a host application asks for it ahead of a play */
  RECORDING_COMPLETED, /* the provider reported it as completed */
  RECORDING_REFUSED,   /* [error] the provider reported that it has no audio, or its URL may not be fetched */
  RECORDING_RETRY_DUE, /* its back-off is over */
  RECORDING_CLAIM,     /* [owner, stem, is_check] a worker leases it */
  RECORDING_RENEW, /* [owner, token, received_bytes, announced_bytes, file] a fill renews its lease and reports progress */
  RECORDING_ANSWERED,  /* [as RENEW, and credentials_version] the provider answered the fill with audio */
  RECORDING_NEW_TOKEN, /* [owner, token] the fill discards what it received and continues under the next token */
  RECORDING_NOT_FOUND, /* [owner, token, jitter, credentials_version] the provider answered the fill with 404 */
  RECORDING_FAILURE, /* [owner, token, error, retry_after_ms, jitter, credentials_version, is_its_own] the fill failed */
  RECORDING_COMPLETE,        /* [owner, token, file] the fill published the whole, verified file */
  RECORDING_RELEASED,        /* [owner, token] the fill gives its lease back */
  RECORDING_LEASE_EXPIRED,   /* [jitter] the lease ended without a report: its worker died or hangs */
  RECORDING_FOUND,           /* [owner and token, or 0; file] a whole, valid file stands in the store already */
  RECORDING_FILE_SEEN,       /* a file has the name of a recording that waits or failed; a worker must check it */
  RECORDING_FILE_WRONG,      /* [owner, token] a check found no whole file of this recording */
  RECORDING_FILE_GONE,       /* the file of a ready recording is missing or has another length */
  RECORDING_EXPIRE,          /* [is_held, reason, stem] its retention is over, or a person deletes it */
  RECORDING_PERSON_RETRY,    /* [forced] a person retries it */
  RECORDING_RETRY_ALL,       /* [forced] an operator retries all failed recordings */
  RECORDING_ACCOUNT_STOPPED, /* the provider refuses the account's credentials */
  RECORDING_CREDENTIALS,     /* the business has new credentials */
  RECORDING_EVENT_COUNT_
};

/* The facts that the row keeps of a file: of a whole one (COMPLETE, FOUND), or its validators (RENEW, ANSWERED). The caller owns
 * the texts. */
struct recording_file {
  struct str name; /* in the store */
  int64_t bytes;
  struct str content_type;
  struct str etag;
  int64_t modified_at;
  int64_t duration_ms; /* -1 unknown */
  int channels;
  struct str sha256; /* hexadecimal; empty unknown */
  struct str peaks;  /* in the format of the table `waveforms`; empty: none */
};

struct recording_event {
  enum recording_event_kind kind;
  struct str owner; /* of a claim, or of the lease under which the fill reports; the caller owns it */
  int64_t token;    /* the fencing token of the reporting fill */
  bool is_check;    /* of a claim: only the file that was seen is checked, and nothing is downloaded */
  struct str stem;  /* of a claim, of EXPIRE and of FOUND: file name without extension; used if the row has none */
  enum recording_error error;
  int64_t retry_after_ms;      /* the provider's Retry-After; 0 none */
  uint32_t jitter;             /* uniform random: spreads the back-off */
  int64_t credentials_version; /* with which the provider was asked; 0 unknown */
  bool is_its_own;             /* of AUTH_FAILED: others of the account succeed with these credentials */
  bool is_held;                /* a legal hold covers it */
  const char *reason;          /* why it expires; a static text */
  bool forced;                 /* also what failed with `absent_…` */
  int64_t received_bytes;
  int64_t announced_bytes; /* -1 unknown */
  struct recording_file file;
};

/* Why an event changed nothing. Those from READY to TOO_OFTEN are reasons not to enqueue. */
enum recording_skip {
  RECORDING_SKIP_NOTHING,
  RECORDING_SKIP_READY,
  RECORDING_SKIP_ALREADY_QUEUED,
  RECORDING_SKIP_COOLDOWN,
  RECORDING_SKIP_BACKOFF,
  RECORDING_SKIP_PERMANENT,
  RECORDING_SKIP_EXPIRED,
  RECORDING_SKIP_TOO_OFTEN,
  RECORDING_SKIP_HELD,       /* a legal hold covers it */
  RECORDING_SKIP_LEASE_LOST, /* another worker holds the lease, or it expired */
  RECORDING_SKIP_COUNT_
};
const char *recording_skip_name(enum recording_skip skip); /* "already_queued", …: log and metrics */

struct recording_outcome {
  bool moved;               /* *ret_next differs from row: the caller must store it */
  bool enqueued;            /* true if this event put it into the queue */
  enum recording_skip skip; /* when not moved */
  bool file_gone;           /* set by enqueue_file_gone: it had no file any more */
  bool file_seen;           /* set by enqueue_file_seen: it was queued to have its file checked */
};

/* Applies an event. *ret_next is a copy of row, changed if the outcome says moved. */
struct recording_outcome recording_apply(const struct recording *row, const struct recording_event *event, int64_t now,
                                         struct recording *ret_next);

/* True if a 404 at `now` means that the provider does not have the recording yet. */
bool recording_not_yet(const struct recording *row, int64_t now);
/* True if it is queued, no fill runs, and no file of it waits to be checked: a file that is seen now is to be checked. */
bool recording_may_be_checked(const struct recording *row);
/* True if the provider's status is in-progress, paused, stopped or processing. */
bool recording_still_being_made(const struct recording *row);
/* When the recording ended (UNIX ms), or when it was first reported completed; 0 if neither is known. */
int64_t recording_ended_at(const struct recording *row);
/* True if this attempt is to try the other of format_count formats after a 404: from attempt 3 on, while the requests of
 * the first 5 minutes suffice for all attempts. */
bool recording_tries_formats_on_404(const struct recording *row, size_t format_count);
/* True if somebody holds a lease that has not expired. */
bool recording_is_leased(const struct recording *row, int64_t now);
/* True if that is this owner, with this token. A token alone does not name a lease: a database that lost its last writes in a
 * failover gives tokens again. */
bool recording_holds_lease(const struct recording *row, struct str owner, int64_t token, int64_t now);
/* The reason to show for a recording that is not ready; RECORDING_NONE if there is none. waits_for: why
 * all queued recordings of the business wait (storage_full, auth_failed, no_worker), or RECORDING_NONE. */
enum recording_error recording_reason(const struct recording *row, enum recording_error waits_for, int64_t now);
/* Seconds (1 to 8) after which a client should ask for the status again; 0 if the state will not change by itself. */
int recording_retry_after_s(const struct recording *row, int64_t now);
/* Seconds (at least 1) until a failed recording is retried, for Retry-After; 0: it is not retried by itself. */
int64_t recording_failed_retry_after_s(const struct recording *row, int64_t now);
/* The path of its file in the store, without extension: "{business}/{yyyy}/{mm}/{call}.{recording}". call_started_at:
 * UNIX ms, 0 unknown. ERR_TOO_BIG. */
CHECKED enum err recording_stem(const struct recording *row, int64_t call_started_at,
                                char ret_stem[RECORDING_NAME_SIZE]);
