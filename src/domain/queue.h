/* queue.h - who is filled next, and what time does to rows by itself. No SQL of its own: rules over the ledger.
 *
 * All functions run inside db_writer's transaction; times are the database's. */
#pragma once

#include "domain/recording.h"
#include "ledger/accounts.h"
#include "ledger/retries.h"

struct queue_limits {
  int per_business; /* DOWNLOADS_PER_BUSINESS */
  int total;        /* DOWNLOADS_TOTAL */
};
/* Of each kind at most so many rows at once, so that a job of the writer stays short: the rest comes with the next. Of a retry
 * of many the first part is what a person is told; the further ones are small, since every webhook may have to wait for one. */
enum {
  QUEUE_TRIAL_EVERY_MS = ACCOUNT_TRIAL_MS,
  QUEUE_TRIAL_STREAK = 5,
  QUEUE_MAINTAIN_MAX = 50,
  QUEUE_RETRY_FIRST = 200,
  QUEUE_RETRY_PART = 50
};

struct queue_maintained {
  int leases_expired; /* taken back from workers that died or froze */
  int due;            /* put back into the queue after their back-off */
  int64_t next_at;    /* when to tend again at the latest; 0: nothing is waiting */
  bool retries;       /* queue_retry_next has something to do */
};
/* Takes back expired leases, queues what is due, lowers plays that nobody waits for, starts due trials of accounts.
 * jitter: uniform random. */
CHECKED enum err queue_maintain(struct db *db, int64_t now, uint32_t jitter, struct queue_maintained *ret_maintained);
/* Leases the next one to owner. ERR_NOT_FOUND: nothing may be filled now. */
CHECKED enum err queue_claim(struct db *db, const struct queue_limits *limits, struct str owner, int64_t now,
                             struct recording *ret_row);
/* What a fill of the business is to ask with, at least; 0 where there is no such business. */
CHECKED enum err queue_credentials_version(struct db *db, int64_t business_id, int64_t *ret_version);
/* What a fill reports: applies the event under its token, and lets its account feel it. *ret_row is the row as it then
 * stands. A refusal of credentials that were replaced meanwhile queues it again. ERR_CONFLICT: the lease is lost, nothing was
 * changed. */
CHECKED enum err queue_report(struct db *db, int64_t business_id, struct str recording_sid,
                              const struct recording_event *event, int64_t now, struct recording *ret_row);
/* Applies the event of somebody who holds no lease (play, found, file gone …). */
CHECKED enum err queue_apply(struct db *db, int64_t business_id, struct str recording_sid,
                             const struct recording_event *event, int64_t now, struct recording *ret_row,
                             struct recording_outcome *ret_outcome);
/* Queues all of a business that failed for its credentials: as queue_retry_all does. */
CHECKED enum err queue_release_account(struct db *db, int64_t business_id, int64_t now);

/* Retrying many. The first part is queued at once; where there is more, the table `retries` keeps that it is to go on, and
 * queue_retry_next does the next part of whose turn it is, until nothing is left. It survives a crash. */
struct queue_retried {
  int64_t queued; /* by the first part */
  bool more;      /* queue_retry_next does the rest */
};
/* Retries every failed one of a business with that code (RECORDING_NONE: any) that failed since (0: ever). */
CHECKED enum err queue_retry_all(struct db *db, int64_t business_id, enum recording_error code, int64_t since,
                                 int64_t now, struct queue_retried *ret_retried);
/* *ret_row: whose turn it was and how far it has come; *ret_ended: nothing is left of it. ERR_NOT_FOUND: nothing to do. */
CHECKED enum err queue_retry_next(struct db *db, int64_t now, struct retries_row *ret_row, bool *ret_ended);
/* At most limit of a retry that only the caller knows of, behind row->after; *ret_more: there may be more. */
CHECKED enum err queue_retry_part(struct db *db, struct retries_row *row, int limit, int64_t now, bool *ret_more);
