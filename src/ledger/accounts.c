/* accounts.c - see accounts.h. */
#include "ledger/accounts.h"

enum err accounts_get(struct db *db, int64_t business_id, struct account *ret_account) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select auth_failed_at, auth_trial_at, error_streak, credentials_version from businesses"
               " where business_id = ?1",
               DB_INT(business_id)));
  TRY(db_next(&q));
  *ret_account = (struct account){db_int(&q, 0), db_int(&q, 1), db_int(&q, 2), db_int(&q, 3)};
  return OK;
}

enum err accounts_refused(struct db *db, int64_t business_id, int64_t now, int64_t trial_at) {
  return db_run(db,
                "update businesses set auth_failed_at = coalesce(auth_failed_at, ?2), auth_trial_at = ?3"
                " where business_id = ?1",
                DB_INT(business_id), DB_INT(now), DB_INT(trial_at));
}

enum err accounts_set_trial(struct db *db, int64_t business_id, int64_t trial_at) {
  return db_run(db, "update businesses set auth_trial_at = ?2 where business_id = ?1", DB_INT(business_id),
                DB_INT(trial_at));
}

enum err accounts_answered(struct db *db, int64_t business_id, bool *ret_released) {
  struct account had;
  TRY(accounts_get(db, business_id, &had));
  *ret_released = had.auth_failed_at != 0;
  if (!*ret_released && had.error_streak == 0) return OK;
  return db_run(db,
                "update businesses set auth_failed_at = null, auth_trial_at = null, error_streak = 0"
                " where business_id = ?1",
                DB_INT(business_id));
}

enum err accounts_errored(struct db *db, int64_t business_id) {
  return db_run(db, "update businesses set error_streak = error_streak + 1 where business_id = ?1",
                DB_INT(business_id));
}

static enum err accounts_read_each_id(struct db_rows *q, accounts_each_fn *fn, void *arg) {
  enum err e;
  while ((e = db_next(q)) == OK) TRY(fn(arg, db_int(q, 0)));
  return e == ERR_NOT_FOUND ? OK : e;
}

enum err accounts_stopped(struct db *db, accounts_each_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select business_id from businesses indexed by businesses_stopped"
               " where auth_failed_at is not null and removed_at is null"));
  return accounts_read_each_id(&q, fn, arg);
}

enum err accounts_trials_due(struct db *db, int64_t now, struct str error_code, int limit, accounts_each_fn *fn,
                             void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "with stopped(id) as ("
               " select business_id from businesses indexed by businesses_stopped"
               "  where auth_failed_at is not null and removed_at is null and auth_trial_at is null"
               " union all select business_id from businesses indexed by businesses_stopped"
               "  where auth_failed_at is not null and removed_at is null and auth_trial_at <= ?1"
               " union all select business_id from businesses indexed by businesses_stopped"
               "  where auth_failed_at is not null and removed_at is null and auth_trial_at > ?1 + ?2)"
               " select id from stopped where not exists (select 1 from recordings q indexed by recordings_queue"
               "  where q.status = 'queued' and q.rank in (0, 1, 2) and q.business_id = stopped.id)"
               " and exists (select 1 from recordings f indexed by recordings_failed"
               "  where f.status = 'failed' and f.business_id = stopped.id and f.error_code = ?3)"
               " limit ?4",
               DB_INT(now), DB_INT(ACCOUNT_TRIAL_MS), DB_TEXT(error_code), DB_INT(limit)));
  return accounts_read_each_id(&q, fn, arg);
}
