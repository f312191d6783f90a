/* recording.h - the rules of a recording's life: (row, event, now) gives the next row. Pure.
 *
 *   struct recording_event event = {.kind = RECORDING_PLAY};
 *   struct recording_outcome outcome = recording_apply(&row, &event, now, &next);
 *   if (outcome.moved) TRY(recordings_store(db, &row, &next));
 *
 * The moves are the table recording.def; the figures below are the contract's. */
#pragma once

#include "domain/recording_error.h"
#include "ledger/recordings.h"

enum {
  RECORDING_COOLDOWN_MS = 60 * 1000,
  RECORDING_BACKOFF_FIRST_MS = 30 * 1000,
  RECORDING_NOT_YET_ENDED_MS = 10 * 60 * 1000, /* a 404 is "not yet" this long after the end … */
  RECORDING_NOT_YET_ASKING_MS = 5 * 60 * 1000, /* … and this long after the first 404 */
  RECORDING_OLD_MS = 24 * 60 * 60 * 1000,      /* a 404 of an older one is for good */
  RECORDING_LAST_FAILURE = 8,                  /* the failure that is for good, of class EIGHTH */
  RECORDING_CRASHES_MAX = 3,
  RECORDING_RETRY_WINDOW_MS = 10 * 60 * 1000,
  RECORDING_PLAY_RANK_MS = 2 * 60 * 1000, /* a play's rank lasts this long after the last ask */
  RECORDING_PLAY_REPEAT_MS = 30 * 1000,   /* an ask is not noted again this soon */
  RECORDING_FORMATS_ON_404_FROM_ASK = 3,
};

enum recording_event_kind {
  RECORDING_PLAY,
  RECORDING_PREPARE,
  RECORDING_COMPLETED,
  RECORDING_REFUSED, /* error */
  RECORDING_RETRY_DUE,
  RECORDING_CLAIM,     /* owner */
  RECORDING_RENEW,     /* token, received_bytes, announced_bytes */
  RECORDING_ANSWERED,  /* token, begun */
  RECORDING_RESTARTED, /* token: bytes that were told are void; it goes on under the next token */
  RECORDING_NOT_FOUND, /* token */
  RECORDING_FAILURE,   /* token, error, retry_after_ms, jitter */
  RECORDING_COMPLETE,  /* token, file */
  RECORDING_RELEASED,  /* token */
  RECORDING_LEASE_EXPIRED,
  RECORDING_FOUND, /* token or 0, file */
  RECORDING_FILE_GONE,
  RECORDING_PERSON_RETRY,
  RECORDING_RETRY_ALL,
  RECORDING_CREDENTIALS,
  RECORDING_EVENT_COUNT_
};

/* A whole, verified file, or one that begins: what the row keeps of it. Texts are the caller's. */
struct recording_file {
  struct str name; /* in the store */
  int64_t bytes;
  struct str content_type;
  struct str etag;
  int64_t modified_at;
  int64_t duration_ms; /* -1 unknown */
  int channels;
  struct str sha256; /* hexadecimal; empty unknown */
  struct str peaks;  /* as the table `waveforms` keeps them; empty: there are none */
};

struct recording_event {
  enum recording_event_kind kind;
  int64_t token;    /* the fencing token of who reports */
  struct str owner; /* of a claim */
  struct str stem;  /* of a claim: name without extension, taken when the row has none */
  enum recording_error error;
  int64_t retry_after_ms;      /* what the provider asked for; 0 none */
  uint32_t jitter;             /* random: spreads the back-off */
  int64_t credentials_version; /* of a refusal: what was asked with; 0 unknown */
  int64_t received_bytes;
  int64_t announced_bytes; /* -1 unknown */
  struct recording_file file;
};

/* Why nothing was done. The first eight are the reasons not to enqueue. */
enum recording_skip {
  RECORDING_SKIP_NOTHING,
  RECORDING_SKIP_READY,
  RECORDING_SKIP_FILLING_HERE,
  RECORDING_SKIP_ALREADY_QUEUED,
  RECORDING_SKIP_COOLDOWN,
  RECORDING_SKIP_BACKOFF,
  RECORDING_SKIP_PERMANENT,
  RECORDING_SKIP_EXPIRED,
  RECORDING_SKIP_TOO_OFTEN,
  RECORDING_SKIP_LEASE_LOST, /* the lease is another's or ran out */
  RECORDING_SKIP_COUNT_
};
const char *recording_skip_name(enum recording_skip skip); /* "already_queued", …: log and metrics */

struct recording_outcome {
  bool moved;               /* *ret_next differs from row and is to be stored */
  bool enqueued;            /* it was not queued before and is now */
  enum recording_skip skip; /* when not moved */
};

/* *ret_next is row's copy, changed when moved. */
struct recording_outcome recording_apply(const struct recording *row, const struct recording_event *event, int64_t now,
                                         struct recording *ret_next);

/* True if a 404 is the provider's "not yet" at now. */
bool recording_not_yet(const struct recording *row, int64_t now);
/* The provider is still making it: in-progress, paused, stopped, processing. */
bool recording_still_being_made(const struct recording *row);
/* When it ended, as far as known; else when it was first reported completed; 0: neither. */
int64_t recording_ended_at(const struct recording *row);
/* The 404 ladder: true if the next formats are to be tried in this ask although the answer was 404. */
bool recording_tries_formats_on_404(const struct recording *row);
bool recording_holds_lease(const struct recording *row, int64_t token, int64_t now);
/* Why it is not here, or what is waited for; RECORDING_NONE: nothing in particular. storage_full: no worker has room. */
enum recording_error recording_reason(const struct recording *row, bool storage_full, int64_t now);
/* Whole seconds 1–8 that a looker waits before looking again; 0 when the state calls for none. */
int recording_retry_after_s(const struct recording *row, int64_t now);
/* Whole seconds for Retry-After of a failed one, at least 1; 0: not tried again by itself. */
int64_t recording_failed_retry_after_s(const struct recording *row, int64_t now);
/* Where its files stand, without extension: "{business}/{yyyy}/{mm}/{call}.{recording}". call_started_at: 0 unknown. */
CHECKED enum err recording_stem(const struct recording *row, int64_t call_started_at,
                                char ret_stem[RECORDING_NAME_SIZE]);
