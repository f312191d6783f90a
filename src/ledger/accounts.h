/* accounts.h - the state of a business's provider account: columns of `businesses` that only fills write.
 *
 * When the provider refuses the credentials, the account is stopped: no fill runs, except one trial at auth_trial_at.
 * Times are UNIX milliseconds by the database's clock. Thread rule: reads the connection's; writes in db_writer's transaction. */
#pragma once

#include "ledger/recordings.h"

/* The longest wait for a trial. A later trial counts as due: the clock has jumped. */
enum { ACCOUNT_TRIAL_MS = 10 * 60 * 1000 };
/* A play is a trial of a stopped account at most this often. */
enum { ACCOUNT_PLAY_TRIAL_MS = 10 * 1000 };

struct account {
  int64_t auth_failed_at;      /* when the credentials were refused; 0: the account is not stopped */
  int64_t auth_trial_at;       /* when the next trial may run; 0: now */
  int64_t error_streak;        /* provider errors and timeouts in a row */
  int64_t credentials_version; /* of the credentials that the next fill uses */
  int64_t good_version;        /* of those with which a fill last succeeded; 0: none did */
  char suspect_sid[SID_SIZE];  /* the recording that was refused last, since when no fill succeeded; "": none */
};
CHECKED enum err accounts_get(struct db *db, int64_t business_id, struct account *ret_account);
/* ERR_NOT_FOUND: there is no such business. */
CHECKED enum err accounts_is_removed(struct db *db, int64_t business_id, bool *ret_removed);
/* The provider refused the credentials for this recording: stops the account. The next trial is at trial_at. */
CHECKED enum err accounts_refused(struct db *db, int64_t business_id, struct str recording_sid, int64_t now,
                                  int64_t trial_at);
/* The same, but the account is not stopped: the refusal seems to be about the recording. */
CHECKED enum err accounts_suspect(struct db *db, int64_t business_id, struct str recording_sid);
CHECKED enum err accounts_set_trial(struct db *db, int64_t business_id, int64_t trial_at);
/* The provider answered a fill that used credentials of this version (0: the present ones): ends the streak and restarts the
 * account, unless the credentials were replaced since. *ret_released: it was stopped and is restarted. */
CHECKED enum err accounts_answered(struct db *db, int64_t business_id, int64_t version, bool *ret_released);
/* A fill ended with provider_error or timeout: adds one to the streak. */
CHECKED enum err accounts_errored(struct db *db, int64_t business_id);
/* Calls fn with the ids of at most limit businesses above `after` whose account is stopped, in ascending order. *ret_last: the
 * last of them; INT64_MAX: there are no more. */
typedef enum err accounts_each_fn(void *arg, int64_t business_id);
CHECKED enum err accounts_stopped(struct db *db, int64_t after, int limit, accounts_each_fn *fn, void *arg,
                                  int64_t *ret_last);
/* Calls fn with the ids of at most limit businesses whose trial is due at now and that have no recording queued for it, but one
 * that failed with error_code. Leaves the other businesses out from now on, until one of their recordings changes its state.
 * A trial that is so far ahead that the clock must have jumped becomes due. Changes at most 2 * limit businesses itself. */
CHECKED enum err accounts_trials_due(struct db *db, int64_t now, struct str error_code, int limit, accounts_each_fn *fn,
                                     void *arg);
