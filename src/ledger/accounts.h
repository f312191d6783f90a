/* accounts.h - how the provider treats a business's account: columns of `businesses` that only fills write.
 *
 * auth_failed_at: its credentials were refused, fills are stopped; auth_trial_at: when one is tried again.
 * error_streak: errors of the provider in a row. Thread rule: inside db_writer's transaction. */
#pragma once

#include "db/db.h"

/* A trial is at most this far ahead: one further ahead counts as due. */
enum { ACCOUNT_TRIAL_MS = 10 * 60 * 1000 };

struct account {
  int64_t auth_failed_at; /* 0: its fills are not stopped */
  int64_t auth_trial_at;
  int64_t error_streak;
  int64_t credentials_version; /* of what is to be asked with */
};
CHECKED enum err accounts_get(struct db *db, int64_t business_id, struct account *ret_account);
/* Credentials were refused: stops the account's fills; the next trial is at trial_at. */
CHECKED enum err accounts_refused(struct db *db, int64_t business_id, int64_t now, int64_t trial_at);
CHECKED enum err accounts_set_trial(struct db *db, int64_t business_id, int64_t trial_at);
/* A fill got its answer: the streak is over, and fills go on; *ret_released says that they had been stopped. */
CHECKED enum err accounts_answered(struct db *db, int64_t business_id, bool *ret_released);
/* provider_error or timeout. */
CHECKED enum err accounts_errored(struct db *db, int64_t business_id);
/* Businesses whose fills are stopped; fn called with each id. */
typedef enum err accounts_each_fn(void *arg, int64_t business_id);
CHECKED enum err accounts_stopped(struct db *db, accounts_each_fn *fn, void *arg);
/* At most limit businesses whose trial is due at now, that have nothing queued to try with, but a recording that failed with
 * error_code; fn called with each id. */
CHECKED enum err accounts_trials_due(struct db *db, int64_t now, struct str error_code, int limit, accounts_each_fn *fn,
                                     void *arg);
