/* tasks.h - the table `tasks`: work on recordings that is no fill. A row exists until its work is done.
 *
 *   TRY(tasks_add(db, &task, now));                                   in the transaction that makes the work necessary
 *   TRY(tasks_maintain(db, now, 50));                                 takes expired leases back, makes tasks due
 *   TRY(tasks_claim(db, TASK_REMOVE, 2, &turn, owner, now, &task));   leases the next one for TASK_LEASE_MS
 *   TRY(tasks_end(db, &task));  or  TRY(tasks_postpone(db, &task, due_at, error));       ERR_CONFLICT: the lease is lost
 *
 * There is at most one task of a kind for a recording. Businesses take turns within a rank. Times are UNIX milliseconds by the
 * database's clock. Thread rule: the connection's. Writes need a transaction. */
#pragma once

#include "ledger/recordings.h"

enum {
  TASK_LEASE_MS = RECORDING_LEASE_MS,
  TASK_POSTPONE_MAX_MS = 24 * 3600 * 1000, /* a time further ahead counts as past */
  TASK_ERROR_SIZE = 64,
};

enum task_kind {
  TASK_REMOVE,             /* the files of an expired recording */
  TASK_REMOVE_AT_PROVIDER, /* the provider's copy of an expired recording */
  TASK_TRANSCRIBE,         /* a transcript that is queued or running (ledger/transcripts.h) */
  TASK_KIND_COUNT_
};

struct task {
  int64_t task_id;
  enum task_kind kind;
  int64_t business_id;
  char recording_sid[SID_SIZE];
  int rank;             /* RECORDING_RANK_PLAY: a person asked; RECORDING_RANK_REST */
  int64_t again_at;     /* see schema/0031_removal.sql; 0: no second look */
  char lease_owner[40]; /* with lease_token: the holder */
  int64_t lease_token;
  int64_t attempts; /* that failed */
};

/* Which business was served last, in each rank, and how many tasks were claimed. Zeroed at first. */
struct tasks_turn {
  int64_t business_id[RECORDING_RANK_REST + 1];
  uint64_t claims;
};

/* Uses kind, business_id, recording_sid, rank and again_at. A task that exists becomes due at once, at the higher rank. */
CHECKED enum err tasks_add(struct db *db, const struct task *task, int64_t now);
/* Takes back at most limit leases that expired, and makes at most limit tasks claimable whose time has come. */
CHECKED enum err tasks_maintain(struct db *db, int64_t now, int limit);
/* Leases the next task of that kind: by rank, then of the next business that is not paused, if fewer than per_business tasks of
 * the kind are leased of it. Every fourth claim begins with RECORDING_RANK_REST, so that a business with many requests of people
 * holds up the rest of others, but does not stop it. ERR_NOT_FOUND: there is none now. */
CHECKED enum err tasks_claim(struct db *db, enum task_kind kind, int per_business, struct tasks_turn *turn,
                             struct str owner, int64_t now, struct task *ret_task);
/* The lease lasts for TASK_LEASE_MS from now on. ERR_CONFLICT: it is lost. */
CHECKED enum err tasks_renew(struct db *db, const struct task *task, int64_t now);
/* The attempts that failed so far do not count any more: the task got further since. ERR_CONFLICT: the lease is lost. */
CHECKED enum err tasks_got_further(struct db *db, const struct task *task);
CHECKED enum err tasks_end(struct db *db, const struct task *task);
/* Gives the lease back; the task may be claimed again once tasks_maintain finds due_at past; 0: at once. error: of this
 * attempt, which then counts; empty: none. A task that had an again_at loses it. */
CHECKED enum err tasks_postpone(struct db *db, const struct task *task, int64_t due_at, struct str error);
/* No task of that kind and business is claimed before `until`. */
CHECKED enum err tasks_pause(struct db *db, enum task_kind kind, int64_t business_id, int64_t until);
/* Ends the pauses of a business. */
CHECKED enum err tasks_resume(struct db *db, int64_t business_id);
/* How many tasks of a kind there are, at most `most`. business_id 0: of all businesses. */
CHECKED enum err tasks_count(struct db *db, enum task_kind kind, int64_t business_id, int most, int64_t *ret_count);
/* When the oldest task of a removal was added; 0: there is none. */
CHECKED enum err tasks_oldest(struct db *db, int64_t *ret_created_at);
