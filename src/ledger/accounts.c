/* accounts.c - see accounts.h. */
#include "ledger/accounts.h"

#include "db/db_clock.h"

enum err accounts_get(struct db *db, int64_t business_id, struct account *ret_account) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(
      db, &q,
      "select auth_failed_at, auth_trial_at, error_streak, credentials_version, auth_good_version, auth_suspect_sid"
      " from businesses"
      " where business_id = ?1",
      DB_INT(business_id)));
  TRY(db_next(&q));
  struct account account = {.auth_failed_at = db_int(&q, 0),
                            .auth_trial_at = db_int(&q, 1),
                            .error_streak = db_int(&q, 2),
                            .credentials_version = db_int(&q, 3),
                            .good_version = db_int(&q, 4)};
  if (str_copy(account.suspect_sid, sizeof(account.suspect_sid), db_text(&q, 5)) != OK) return ERR_CORRUPT;
  *ret_account = account;
  return OK;
}

enum err accounts_is_removed(struct db *db, int64_t business_id, bool *ret_removed) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select removed_at is not null from businesses where business_id = ?1", DB_INT(business_id)));
  TRY(db_next(&q));
  *ret_removed = db_int(&q, 0) != 0;
  return OK;
}

enum err accounts_refused(struct db *db, int64_t business_id, struct str recording_sid, int64_t now, int64_t trial_at) {
  return db_run(db,
                "update businesses set auth_failed_at = coalesce(auth_failed_at, ?2), auth_trial_at = ?3,"
                " auth_suspect_sid = ?4 where business_id = ?1",
                DB_INT(business_id), DB_INT(now), DB_INT(trial_at), DB_TEXT(recording_sid));
}

enum err accounts_suspect(struct db *db, int64_t business_id, struct str recording_sid) {
  return db_run(db, "update businesses set auth_suspect_sid = ?2 where business_id = ?1", DB_INT(business_id),
                DB_TEXT(recording_sid));
}

enum err accounts_set_trial(struct db *db, int64_t business_id, int64_t trial_at) {
  return db_run(db, "update businesses set auth_trial_at = ?2 where business_id = ?1", DB_INT(business_id),
                DB_INT(trial_at));
}

enum err accounts_answered(struct db *db, int64_t business_id, int64_t version, bool *ret_released) {
  struct account had;
  TRY(accounts_get(db, business_id, &had));
  *ret_released = false;
  if (version && version < had.credentials_version) {
    if (had.error_streak == 0) return OK;
    return db_run(db, "update businesses set error_streak = 0 where business_id = ?1", DB_INT(business_id));
  }
  *ret_released = had.auth_failed_at != 0;
  bool is_known = had.good_version == had.credentials_version && !had.suspect_sid[0];
  if (!*ret_released && had.error_streak == 0 && is_known) return OK;
  return db_run(db,
                "update businesses set auth_failed_at = null, auth_trial_at = null, error_streak = 0,"
                " auth_good_version = credentials_version, auth_suspect_sid = null where business_id = ?1",
                DB_INT(business_id));
}

enum err accounts_errored(struct db *db, int64_t business_id) {
  return db_run(db, "update businesses set error_streak = error_streak + 1 where business_id = ?1",
                DB_INT(business_id));
}

enum err accounts_stopped(struct db *db, int64_t after, int limit, accounts_each_fn *fn, void *arg, int64_t *ret_last) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select business_id from businesses indexed by businesses_stopped_ids"
               " where auth_failed_at is not null and removed_at is null and business_id > ?1"
               " order by business_id limit ?2",
               DB_INT(after), DB_INT(limit)));
  enum err e;
  int count = 0;
  int64_t last = after;
  for (; (e = db_next(&q)) == OK; count++) {
    last = db_int(&q, 0);
    TRY(fn(arg, last));
  }
  if (e != ERR_NOT_FOUND) return e;
  *ret_last = count < limit ? INT64_MAX : last;
  return OK;
}

static enum err accounts_read_each_id(struct db_rows *q, accounts_each_fn *fn, void *arg) {
  enum err e;
  while ((e = db_next(q)) == OK) TRY(fn(arg, db_int(q, 0)));
  return e == ERR_NOT_FOUND ? OK : e;
}

/* Stopped accounts whose trial is due, the first ?2 of them. ?1: now. */
#define TRIALS_DUE                                                                                       \
  " (select business_id as id from (select business_id from businesses indexed by businesses_trials"     \
  "   where auth_failed_at is not null and removed_at is null and trial_idle is null"                    \
  "    and auth_trial_at is null limit ?2) never"                                                        \
  "  union all select business_id from (select business_id from businesses indexed by businesses_trials" \
  "   where auth_failed_at is not null and removed_at is null and trial_idle is null"                    \
  "    and auth_trial_at <= ?1 order by auth_trial_at limit ?2) before_now) due"

/* A trial can be made of a failed recording (?3: its code), and nothing is queued that will be the trial. */
#define MAY_BE_TRIED                                                                \
  "(not exists (select 1 from recordings q indexed by recordings_queue"             \
  "  where q.status = 'queued' and q.rank in (0, 1, 2) and q.business_id = due.id)" \
  " and exists (select 1 from recordings f indexed by recordings_failed"            \
  "  where f.status = 'failed' and f.business_id = due.id and f.error_code = ?3))"

static enum err bring_trials_forward(struct db *db, int64_t now, int limit) {
  return db_run(db,
                "update businesses set auth_trial_at = ?1 where business_id in ("
                " select business_id from businesses indexed by businesses_stopped"
                " where auth_failed_at is not null and removed_at is null and auth_trial_at > ?2 limit ?3)",
                DB_INT(now), DB_INT(now + ACCOUNT_TRIAL_MS + DB_CLOCK_SLACK_MS), DB_INT(limit));
}

static enum err leave_idle_trials_out(struct db *db, int64_t now, int limit, struct str error_code) {
  return db_run(db,
                "update businesses set trial_idle = 1 where business_id in ("
                " select due.id from" TRIALS_DUE " where not " MAY_BE_TRIED ")",
                DB_INT(now), DB_INT(limit), DB_TEXT(error_code));
}

enum err accounts_trials_due(struct db *db, int64_t now, struct str error_code, int limit, accounts_each_fn *fn,
                             void *arg) {
  TRY(bring_trials_forward(db, now, limit));
  TRY(leave_idle_trials_out(db, now, limit, error_code));
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select due.id from" TRIALS_DUE " where " MAY_BE_TRIED " limit ?2", DB_INT(now), DB_INT(limit),
               DB_TEXT(error_code)));
  return accounts_read_each_id(&q, fn, arg);
}
