/* recordings_queue.c - queries of the download queue: the next recording, expired leases, due retries (recordings.h).
 *
 * Invariants
 *  (1) A claim reads only the first rows of two indexes for each (rank, business): recordings that may be claimed now, and
 *      recordings that may be claimed from next_ask_at on. The one that has waited longer goes first. So the cost grows with
 *      the number of waiting businesses, not of waiting recordings.
 *  (2) Limits count the live leases of all processes on the database. */
#include "ledger/accounts.h"
#include "ledger/recordings_row.h"

/* True for a time at or before now (?1), and for one so far ahead that the clock must have jumped. */
#define LEASE_MS_TEXT "30000"
#define WAIT_MS_TEXT "1200000"
#define TRIAL_MS_TEXT "600000"
#define PLAY_TRIAL_MS_TEXT "10000"
_Static_assert(RECORDING_LEASE_MS == 30000 && RECORDING_BACKOFF_CAP_MS == 1200000 && ACCOUNT_TRIAL_MS == 600000 &&
                   ACCOUNT_PLAY_TRIAL_MS == 10000,
               "as in the SQL");
#define PAST_LEASE(time) "(" time " <= ?1 or " time " > ?1 + " LEASE_MS_TEXT ")"
#define PAST_WAIT(time) "(" time " <= ?1 or " time " > ?1 + " WAIT_MS_TEXT ")"
#define PAST_TRIAL(time) "(" time " <= ?1 or " time " > ?1 + " TRIAL_MS_TEXT ")"
#define LIVE_LEASE "lease_until > ?1 and lease_until <= ?1 + " LEASE_MS_TEXT

#define WAITING "q.status = 'queued' and q.lease_until is null and q.rank = ?2 and q.business_id = b.business_id"

/* ?1: now; ?2: rank; ?3: most fills of one business; ?4: error streak from which an account gets one fill at a time.
 * A stopped account gets a fill only when its trial is due, or for a play if its last fill began 10 s ago. */
/* clang-format off */
#define NEXT_OF_RANK                                                                                            \
  "with recursive"                                                                                              \
  " live(business_id, n) as materialized ("                                                                     \
  "   select business_id, count(*) from recordings where " LIVE_LEASE " group by business_id),"                 \
  " waiting(business_id) as ("                                                                                  \
  "   select min(business_id) from recordings where status = 'queued' and rank = ?2"                            \
  "   union all"                                                                                                \
  "   select (select min(q.business_id) from recordings q"                                                      \
  "           where q.status = 'queued' and q.rank = ?2 and q.business_id > waiting.business_id)"               \
  "   from waiting where waiting.business_id is not null) "                                                     \
  "select " RECORDING_COLUMNS                                                                                   \
  " from waiting"                                                                                               \
  " join businesses b on b.business_id = waiting.business_id and b.removed_at is null"                          \
  " left join live on live.business_id = b.business_id"                                                         \
  " join recordings r on r.rowid = (select id from ("                                                           \
  "   select * from (select q.rowid as id, q.enqueued_at as at from recordings q indexed by recordings_claimable" \
  "     where " WAITING " and q.next_ask_at is null order by q.enqueued_at limit 1)"                            \
  "   union all select * from (select q.rowid, q.next_ask_at from recordings q indexed by recordings_later"     \
  "     where " WAITING " and q.next_ask_at <= ?1 order by q.next_ask_at limit 1)"                              \
  "   union all select * from (select q.rowid, q.next_ask_at from recordings q indexed by recordings_later"     \
  "     where " WAITING " and q.next_ask_at > ?1 + " WAIT_MS_TEXT " order by q.next_ask_at limit 1))"           \
  "   order by at limit 1)"                                                                                     \
  " where coalesce(live.n, 0) < ?3"                                                                             \
  " and (b.auth_failed_at is null or (live.n is null"                                                           \
  "   and (b.auth_trial_at is null or " PAST_TRIAL("b.auth_trial_at")                                           \
  "     or (?2 = 0 and (b.last_claim_at is null or b.last_claim_at <= ?1 - " PLAY_TRIAL_MS_TEXT ")))))"                                     \
  " and (b.error_streak < ?4 or live.n is null)"                                                                \
  " order by coalesce(live.n, 0), coalesce(b.last_claim_at, 0), b.business_id limit 1"
/* clang-format on */

static enum err count_live(struct db *db, int64_t now, int64_t *ret_all, int64_t *ret_rest) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select count(*), coalesce(sum(rank = 2), 0) from recordings where " LIVE_LEASE, DB_INT(now)));
  TRY(db_next(&q));
  *ret_all = db_int(&q, 0);
  *ret_rest = db_int(&q, 1);
  return OK;
}

static enum err next_of_rank(struct db *db, int rank, const struct recordings_limits *limits, int64_t now,
                             struct recording *ret_row) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  int64_t most = limits->per_business + (rank == RECORDING_RANK_PLAY ? 1 : 0);
  TRY(db_query(db, &q, NEXT_OF_RANK, DB_INT(now), DB_INT(rank), DB_INT(most), DB_INT(limits->trial_streak)));
  return recordings_read_one(&q, ret_row);
}

enum err recordings_next(struct db *db, const struct recordings_limits *limits, int64_t now,
                         struct recording *ret_row) {
  int64_t all, rest;
  TRY(count_live(db, now, &all, &rest));
  if (all >= limits->total) return ERR_NOT_FOUND;
  int64_t rest_max = (int64_t)limits->total * 3 / 4;
  if (rest_max < 1) rest_max = 1;
  for (int rank = RECORDING_RANK_PLAY; rank <= RECORDING_RANK_REST; rank++) {
    if (rank == RECORDING_RANK_REST && rest >= rest_max) break;
    enum err e = next_of_rank(db, rank, limits, now, ret_row);
    if (e != ERR_NOT_FOUND) return e;
  }
  return ERR_NOT_FOUND;
}

enum err recordings_turn(struct db *db, int64_t business_id, int64_t now) {
  return db_run(db, "update businesses set last_claim_at = ?2 where business_id = ?1", DB_INT(business_id),
                DB_INT(now));
}

enum err recordings_lapsed(struct db *db, int64_t now, int limit, recordings_each_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select " RECORDING_COLUMNS
               " from recordings r where lease_until is not null and " PAST_LEASE("lease_until") " limit ?2",
               DB_INT(now), DB_INT(limit)));
  return recordings_read_each(&q, fn, arg);
}

enum err recordings_due(struct db *db, int64_t now, int limit, recordings_each_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select " RECORDING_COLUMNS " from ("
               " select * from (select rowid as id from recordings indexed by recordings_due"
               "  where status = 'failed' and next_retry_at <= ?1 order by next_retry_at limit ?2)"
               " union all select * from (select rowid from recordings indexed by recordings_due"
               "  where status = 'failed' and next_retry_at > ?1 + " WAIT_MS_TEXT " order by next_retry_at limit ?2)"
               ") due cross join recordings r on r.rowid = due.id limit ?2",
               DB_INT(now), DB_INT(limit)));
  return recordings_read_each(&q, fn, arg);
}

enum err recordings_demote(struct db *db, int64_t before, int limit) {
  return db_run(db,
                "update recordings set rank = 1, version = version + 1 where rowid in ("
                " select id from ("
                "  select rowid as id from recordings indexed by recordings_plays"
                "   where status = 'queued' and rank = 0 and lease_until is null and wanted_at is null"
                "  union all select rowid from recordings indexed by recordings_plays"
                "   where status = 'queued' and rank = 0 and lease_until is null and wanted_at < ?1)"
                " limit ?2)",
                DB_INT(before), DB_INT(limit));
}

enum err recordings_next_event(struct db *db, int64_t now, int64_t *ret_at) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select min(at) from ("
               " select min(next_ask_at) at from recordings indexed by recordings_asks"
               "  where status = 'queued' and lease_until is null and next_ask_at > ?1"
               " union all select min(lease_until) from recordings where lease_until is not null"
               " union all select min(next_retry_at) from recordings indexed by recordings_due"
               "  where status = 'failed' and next_retry_at is not null"
               " union all select min(auth_trial_at) from businesses indexed by businesses_stopped"
               "  where auth_trial_at > ?1 and auth_failed_at is not null and removed_at is null)",
               DB_INT(now)));
  TRY(db_next(&q));
  *ret_at = db_int(&q, 0);
  return OK;
}
