/* turns.c - see turns.h. Each query reads the first rows of one index. */
#include "ledger/turns.h"

#include "db/db_clock.h"
#include "ledger/accounts.h"
#include "ledger/recordings.h"

enum err turns_count_fills(struct db *db, struct turns_fills *ret_fills) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select coalesce(sum(n), 0), coalesce(sum(case when rank = 2 then n else 0 end), 0) from fill_counts"));
  TRY(db_next(&q));
  *ret_fills = (struct turns_fills){.all = db_int(&q, 0), .rest = db_int(&q, 1)};
  return OK;
}

enum err turns_make_due(struct db *db, int64_t now, int limit) {
  return db_run_later(
      db,
      "update turns set due_at = 0 where (rank, business_id) in ("
      " select rank, business_id from ("
      "  select rank, business_id from (select rank, business_id from turns indexed by turns_later"
      "   where due_at > 0 and due_at <= ?1 order by due_at limit ?3) came"
      "  union all select rank, business_id from (select rank, business_id from turns indexed by turns_later"
      "   where due_at > ?2 order by due_at limit ?3) jumped) due"
      " limit ?3)",
      DB_INT(now), DB_INT(now + RECORDING_BACKOFF_CAP_MS + DB_CLOCK_SLACK_MS), DB_INT(limit));
}

enum err turns_first(struct db *db, int rank, int64_t most, int64_t *ret_business_id) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select business_id from turns indexed by turns_first where rank = ?1 and due_at = 0 and fills < ?2"
               " order by fills, served_at, business_id limit 1",
               DB_INT(rank), DB_INT(most)));
  TRY(db_next(&q));
  *ret_business_id = db_int(&q, 0);
  return OK;
}

enum err turns_is_due(struct db *db, int rank, int64_t business_id, int64_t now, bool *ret_due) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select due_at is not null and (first_at <= ?3 or first_at > ?3 + ?4)"
               " and (account_at <= ?3 or account_at > ?3 + ?5)"
               " from turns_expected where rank = ?1 and business_id = ?2",
               DB_INT(rank), DB_INT(business_id), DB_INT(now), DB_INT(RECORDING_BACKOFF_CAP_MS + DB_CLOCK_SLACK_MS),
               DB_INT(ACCOUNT_TRIAL_MS + DB_CLOCK_SLACK_MS)));
  enum err e = db_next(&q);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_due = e == OK && db_int(&q, 0) != 0;
  return OK;
}

enum err turns_renew(struct db *db, int rank, int64_t business_id) {
  return db_run(db, "insert into turns_changed (rank, business_id) values (?1, ?2)", DB_INT(rank), DB_INT(business_id));
}
