/* recordings_queue.c - queries of the download queue: the next recording, expired leases, due retries (recordings.h).
 *
 * Invariants
 *  (1) A claim reads the first row of one index for the business (turns.h), then the first rows of two indexes for its
 *      recording: those that may be claimed now, and those that may be claimed from next_ask_at on. The one that has waited
 *      longer goes first. So the cost grows neither with businesses nor with recordings.
 *  (2) Limits count the leases of all processes on the database, but for those of checks (file_seen_at).
 *  (3) A time that is further ahead than its longest wait and DB_CLOCK_SLACK_MS counts as past: the clock must have jumped. */
#include "db/db_clock.h"
#include "ledger/recordings_row.h"
#include "ledger/turns.h"

/* Turns that a clock that went back has made due too early: a claim changes at most this many, besides TURNS_DUE_MAX. */
enum { TURNS_EARLY_MAX = 5 };

/* ?1: now; ?2: rank; ?3: business. */
#define QUEUED "q.status = 'queued' and q.lease_until is null and q.rank = ?2 and q.business_id = ?3"

static enum err first_of_business(struct db *db, int rank, int64_t business_id, int64_t now,
                                  struct recording *ret_row) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(
      db, &q,
      "select " RECORDING_COLUMNS
      " from recordings r where r.business_id = ?3 and r.recording_sid = (select sid from ("
      "  select * from (select q.recording_sid as sid, q.enqueued_at as since from recordings q"
      "   indexed by recordings_claimable where " QUEUED
      "   and q.next_ask_at is null order by q.enqueued_at limit 1) now"
      "  union all select * from (select q.recording_sid, q.next_ask_at from recordings q indexed by recordings_later"
      "   where " QUEUED
      " and q.next_ask_at <= ?1 order by q.next_ask_at limit 1) later"
      "  union all select * from (select q.recording_sid, q.next_ask_at from recordings q indexed by recordings_later"
      "   where " QUEUED
      " and q.next_ask_at > ?4 order by q.next_ask_at limit 1) jumped) first"
      "  order by since limit 1)",
      DB_INT(now), DB_INT(rank), DB_INT(business_id), DB_INT(now + RECORDING_BACKOFF_CAP_MS + DB_CLOCK_SLACK_MS)));
  return recordings_read_one(&q, ret_row);
}

static enum err next_of_rank(struct db *db, int rank, const struct recordings_limits *limits, int64_t now,
                             struct recording *ret_row) {
  int64_t most = limits->per_business + (rank == RECORDING_RANK_PLAY ? 1 : 0), business_id;
  for (int i = 0; i < TURNS_EARLY_MAX; i++) {
    TRY(turns_first(db, rank, most, &business_id));
    bool is_due;
    TRY(turns_is_due(db, rank, business_id, now, &is_due));
    if (is_due) return first_of_business(db, rank, business_id, now, ret_row);
    TRY(turns_renew(db, rank, business_id));
  }
  return ERR_NOT_FOUND;
}

enum err recordings_next(struct db *db, const struct recordings_limits *limits, int64_t now,
                         struct recording *ret_row) {
  struct turns_fills fills;
  TRY(turns_count_fills(db, &fills));
  if (fills.all >= limits->total) return ERR_NOT_FOUND;
  int64_t rest_max = (int64_t)limits->total * 3 / 4;
  if (rest_max < 1) rest_max = 1;
  TRY(turns_make_due(db, now, TURNS_DUE_MAX));
  for (int rank = RECORDING_RANK_PLAY; rank <= RECORDING_RANK_REST; rank++) {
    if (rank == RECORDING_RANK_REST && fills.rest >= rest_max) break;
    enum err e = next_of_rank(db, rank, limits, now, ret_row);
    if (e != ERR_NOT_FOUND) return e;
  }
  return ERR_NOT_FOUND;
}

static enum err first_file_seen(struct db *db, int64_t after_business, struct recording *ret_row) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select " RECORDING_COLUMNS
               " from recordings r indexed by recordings_file_seen where status = 'queued' and lease_until is null"
               " and file_seen_at is not null and business_id > ?1 order by business_id, rank, file_seen_at limit 1",
               DB_INT(after_business)));
  return recordings_read_one(&q, ret_row);
}

enum err recordings_next_file_seen(struct db *db, int64_t after_business, struct recording *ret_row) {
  enum err e = first_file_seen(db, after_business, ret_row);
  return e == ERR_NOT_FOUND && after_business > 0 ? first_file_seen(db, 0, ret_row) : e;
}

enum err recordings_forget_files_seen(struct db *db, int64_t business_id, int limit) {
  return db_run(db,
                "update recordings set file_seen_at = null, version = version + 1 where business_id = ?1"
                " and recording_sid in (select recording_sid from recordings indexed by recordings_file_seen"
                "  where business_id = ?1 and status = 'queued' and lease_until is null and file_seen_at is not null"
                "  limit ?2)",
                DB_INT(business_id), DB_INT(limit));
}

enum err recordings_turn(struct db *db, int64_t business_id, int64_t now) {
  return db_run_later(db, "update businesses set last_claim_at = ?2 where business_id = ?1", DB_INT(business_id),
                      DB_INT(now));
}

enum err recordings_lapsed(struct db *db, int64_t now, int limit, recordings_each_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(
      db, &q,
      "select " RECORDING_COLUMNS
      " from ("
      " select * from (select business_id, recording_sid from recordings indexed by recordings_leases"
      "  where lease_until <= ?1 order by lease_until limit ?2) past"
      " union all select * from (select business_id, recording_sid from recordings indexed by recordings_leases"
      "  where lease_until > ?3 order by lease_until limit ?2) jumped) lapsed cross join recordings r"
      " on r.business_id = lapsed.business_id and r.recording_sid = lapsed.recording_sid limit ?2",
      DB_INT(now), DB_INT(limit), DB_INT(now + RECORDING_LEASE_MS + DB_CLOCK_SLACK_MS)));
  return recordings_read_each(&q, fn, arg);
}

enum err recordings_due(struct db *db, int64_t now, int limit, recordings_each_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select " RECORDING_COLUMNS " from ("
               " select * from (select business_id, recording_sid from recordings indexed by recordings_due"
               "  where status = 'failed' and next_retry_at <= ?1 order by next_retry_at limit ?2) past"
               " union all select * from (select business_id, recording_sid from recordings indexed by recordings_due"
               "  where status = 'failed' and next_retry_at > ?3 order by next_retry_at limit ?2) jumped) due"
               " cross join recordings r on r.business_id = due.business_id and r.recording_sid = due.recording_sid"
               " limit ?2",
               DB_INT(now), DB_INT(limit), DB_INT(now + RECORDING_BACKOFF_CAP_MS + DB_CLOCK_SLACK_MS)));
  return recordings_read_each(&q, fn, arg);
}

enum err recordings_demote(struct db *db, int64_t before, int limit) {
  return db_run(db,
                "update recordings set rank = 1, version = version + 1 from ("
                " select business_id, recording_sid from ("
                "  select business_id, recording_sid from recordings indexed by recordings_plays"
                "   where status = 'queued' and rank = 0 and lease_until is null and wanted_at is null"
                "  union all select business_id, recording_sid from recordings indexed by recordings_plays"
                "   where status = 'queued' and rank = 0 and lease_until is null and wanted_at < ?1) plays"
                " limit ?2) play where recordings.business_id = play.business_id"
                " and recordings.recording_sid = play.recording_sid",
                DB_INT(before), DB_INT(limit));
}

enum err recordings_bring_forward(struct db *db, int64_t now, int limit) {
  return db_run(
      db,
      "update recordings set next_ask_at = ?1, version = version + 1 from ("
      " select business_id, recording_sid from recordings indexed by recordings_asks"
      " where status = 'queued' and lease_until is null and next_ask_at > ?3 limit ?2) jumped"
      " where recordings.business_id = jumped.business_id and recordings.recording_sid = jumped.recording_sid",
      DB_INT(now), DB_INT(limit), DB_INT(now + RECORDING_BACKOFF_CAP_MS + DB_CLOCK_SLACK_MS));
}

enum err recordings_next_event(struct db *db, int64_t now, int64_t *ret_at) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select min(due_at) from ("
               " select min(due_at) as due_at from turns indexed by turns_later where due_at > 0"
               " union all select min(lease_until) from recordings where lease_until is not null"
               " union all select min(next_retry_at) from recordings indexed by recordings_due"
               "  where status = 'failed' and next_retry_at is not null"
               " union all select min(auth_trial_at) from businesses indexed by businesses_stopped"
               "  where auth_trial_at > ?1 and auth_failed_at is not null and removed_at is null) events",
               DB_INT(now)));
  TRY(db_next(&q));
  *ret_at = db_int(&q, 0);
  return OK;
}
