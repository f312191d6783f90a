/* queue.h - the queue of downloads: which recording is filled next, what a fill reports, expired leases and retries.
 * The rows of `recordings` are the queue. The table `retries` only holds the progress of retries
 * of many recordings. docs/internals/queue.md shows the whole path.
 *
 *   queue_maintain(db, now, jitter, &maintained);                     takes back expired leases, queues due retries
 *   queue_claim(db, &limits, owner, now, &row);                       leases the next recording to this worker
 *   queue_report(db, business, sid, &event, now, &row);               a fill renews, completes, fails or releases
 *
 * To queue a recording for a person or a host application, use enqueue.h.
 * Thread rule: all functions run inside db_writer's transaction. now: db_now_ms, so that all processes agree. */
#pragma once

#include "domain/recording.h"
#include "ledger/accounts.h"
#include "ledger/retries.h"

struct queue_limits {
  int per_business; /* DOWNLOADS_PER_BUSINESS; a play may use one more */
  int total;        /* DOWNLOADS_TOTAL */
};
enum {
  QUEUE_TRIAL_FIRST_MS = 30 * 1000, /* the first trial of a stopped account; the pause before the next doubles … */
  QUEUE_TRIAL_EVERY_MS = ACCOUNT_TRIAL_MS, /* … up to this */
  QUEUE_TRIAL_STREAK = 5,                  /* from so many errors in a row on, one fill at a time tries an account */
};
/* How many recordings one call changes, so that a job of the writer touches at most DB_JOB_ROWS rows with all that triggers
 * write; the next call does the rest. QUEUE_MAINTAIN_MAX: of each kind, less if there is much of other kinds too.
 * QUEUE_CLAIM_MAX: claims in one job, after queue_maintain. The first part of a retry is larger because its number is shown to a
 * person. Later parts are small because a webhook may have to wait for one. */
enum { QUEUE_MAINTAIN_MAX = 50, QUEUE_CLAIM_MAX = 8, QUEUE_RETRY_FIRST = 80, QUEUE_RETRY_PART = 50 };
/* How many failed recordings a part of a retry of those since a time looks at. */
enum { QUEUE_RETRY_SCAN = 2000 };

/* A recording whose lease expired, after that. */
struct queue_expired {
  int64_t business_id;
  char call_sid[SID_SIZE];
  char recording_sid[SID_SIZE];
  bool has_failed; /* it failed for it; else it is queued again */
  char error_code[RECORDING_ERROR_CODE_SIZE];
  int64_t fail_count;
  bool permanent;
};
struct queue_maintained {
  struct queue_expired expired[QUEUE_MAINTAIN_MAX];
  int leases_expired; /* leases taken back from workers that died or hang: so many of `expired` */
  int due;            /* recordings whose back-off is over: queued again */
  int64_t next_at;    /* call queue_maintain again by then (database time); 0: nothing is waiting */
  bool retries;       /* true: call queue_retry_next */
};
/* Takes back expired leases, queues retries that are due, lowers the rank of plays that were not repeated, starts due
 * trials of accounts. jitter: uniform random. *ret_maintained is written also on an error. */
CHECKED enum err queue_maintain(struct db *db, int64_t now, uint32_t jitter, struct queue_maintained *ret_maintained);
/* Only says when queue_maintain has something to do, and whether there are retries; *ret_maintained tells of no other changes. */
CHECKED enum err queue_check_due(struct db *db, int64_t now, struct queue_maintained *ret_maintained);
/* Logs the expired leases, after the commit. */
void queue_log_maintained(const struct queue_maintained *maintained);
/* Leases the next recording to owner for 30 s. owner: the worker's name. ERR_NOT_FOUND: nothing may be filled now.
 * ERR_CONFLICT: another writer changed the row. */
CHECKED enum err queue_claim(struct db *db, const struct queue_limits *limits, struct str owner, int64_t now,
                             struct recording *ret_row);
/* Up to most claims, one after the other; *ret_n: how many were made. Less than most: nothing else may be filled now. */
struct queue_claimed {
  struct recording row;
  int64_t credentials_version; /* queue_credentials_version */
};
CHECKED enum err queue_claim_many(struct db *db, const struct queue_limits *limits, struct str owner, int64_t now,
                                  int most, struct queue_claimed *ret_claimed, int *ret_n);
/* Leases the next recording under whose name a file was seen, to check that file alone. It needs no download's place. The next
 * business after the id after_business has its turn; a removed business has none. Else as queue_claim. */
CHECKED enum err queue_claim_check(struct db *db, int64_t after_business, struct str owner, int64_t now,
                                   struct recording *ret_row);
/* The path of the recording's file, without extension: the one that its first claim fixed, else the one that it would fix. Only
 * reads. */
CHECKED enum err queue_stem(struct db *db, const struct recording *row, char ret_stem[RECORDING_NAME_SIZE]);
/* The version of the credentials that a fill of the business must use at least; 0: no such business. */
CHECKED enum err queue_credentials_version(struct db *db, int64_t business_id, int64_t *ret_version);
/* When a stopped account is tried again: the pause is as long as it has been stopped, and 30 s. So 30, 60, 120 s and so on, up to
 * QUEUE_TRIAL_EVERY_MS. Pure. */
int64_t queue_next_trial_at(const struct account *account, int64_t now);
/* Applies a fill's event if event->token holds the lease, and updates the account's error counters. *ret_row is the row
 * after that. If the provider refused credentials that have been replaced since, the recording is queued again. If it
 * refused credentials with which others succeed, the recording backs off alone; else the account stops.
 * ERR_CONFLICT: the lease is lost and nothing changed; the fill must stop. */
CHECKED enum err queue_report(struct db *db, int64_t business_id, struct str recording_sid,
                              const struct recording_event *event, int64_t now, struct recording *ret_row);
/* Applies an event that needs no lease (play, found, file gone …). For enqueue.h and callreel verify; handlers use enqueue.h.
 * ERR_NOT_FOUND: no such recording. ERR_CONFLICT:
 * another writer changed the row. */
CHECKED enum err queue_apply(struct db *db, int64_t business_id, struct str recording_sid,
                             const struct recording_event *event, int64_t now, struct recording *ret_row,
                             struct recording_outcome *ret_outcome);
/* The same for a row that was read in this transaction. */
CHECKED enum err queue_apply_row(struct db *db, const struct recording *row, const struct recording_event *event,
                                 int64_t now, struct recording *ret_row, struct recording_outcome *ret_outcome);
/* In the transaction that made the row ready by this event: stores its peaks, and asks for its transcript. */
CHECKED enum err queue_became_ready(struct db *db, const struct recording *row, const struct recording_event *event,
                                    int64_t now);
/* The business has new credentials: queues its recordings that failed with auth_failed; works like queue_retry_all. It
 * has nothing to do with the event RECORDING_RELEASED. */
CHECKED enum err queue_release_account(struct db *db, int64_t business_id, int64_t now);

/* Retrying many recordings. queue_retry_all queues the first part at once. If there are more, it adds a row to the
 * table `retries`; the worker calls queue_retry_next until no row is left, one part of one business at a time. So a
 * retry survives a crash. */
struct queue_retried {
  int64_t queued; /* recordings in the first part */
  bool more;      /* queue_retry_next does the rest */
};
/* Retries all failed recordings of a business that have this code (RECORDING_NONE: any) and failed at `since` or later
 * (UNIX ms; 0: at any time). forced: also what failed with `absent_…`. */
CHECKED enum err queue_retry_all(struct db *db, int64_t business_id, enum recording_error code, int64_t since,
                                 bool forced, int64_t now, struct queue_retried *ret_retried);
/* Queues the next part of the retry whose turn it is. *ret_row: that retry and its progress; *ret_ended: it is
 * finished. ERR_NOT_FOUND: there is no retry. */
CHECKED enum err queue_retry_next(struct db *db, int64_t now, struct retries_row *ret_row, bool *ret_ended);
/* Queues at most limit recordings of a retry that is not in the table; advances row->after and row->queued. *ret_more:
 * call it again, there may be more. */
CHECKED enum err queue_retry_part(struct db *db, struct retries_row *row, int limit, int64_t now, bool *ret_more);
