/* recordings_count.c - see recordings_count.h. */
#include "ledger/recordings_count.h"

#include <string.h>

#include "ledger/recordings_row.h"

/* Reads only first rows of indexes: of all that is queued, or of each rank of a business. */
static enum err oldest_queued(struct db *db, int64_t business_id, int64_t *ret_at) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  if (business_id)
    TRY(db_query(db, &q,
                 "with ranks(rank) as (values (0), (1), (2)) select min((select min(enqueued_at) from recordings"
                 " indexed by recordings_queue where status = 'queued' and rank = ranks.rank and business_id = ?1))"
                 " from ranks",
                 DB_INT(business_id)));
  else
    TRY(db_query(db, &q,
                 "select min(enqueued_at) from recordings indexed by recordings_oldest where status = 'queued'"));
  TRY(db_next(&q));
  *ret_at = db_int(&q, 0);
  return OK;
}

enum err recordings_count(struct db *db, int64_t business_id, struct recordings_counts *ret_counts) {
  struct recordings_counts c;
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  memset(&c, 0, sizeof(c));
  if (business_id)
    TRY(db_query(db, &q,
                 "select status, sum(n), sum(bytes) from recording_counts where business_id = ?1 group by status",
                 DB_INT(business_id)));
  else
    TRY(db_query(db, &q, "select status, sum(n), sum(bytes) from recording_totals group by status"));
  enum err e;
  while ((e = db_next(&q)) == OK) {
    enum recording_status status;
    if (recording_status_of(db_text(&q, 0), &status) != OK) return ERR_CORRUPT;
    c.by_status[status] = db_int(&q, 1);
    if (status == RECORDING_READY) c.bytes = db_int(&q, 2);
  }
  if (e != ERR_NOT_FOUND) return e;
  if (c.by_status[RECORDING_QUEUED]) TRY(oldest_queued(db, business_id, &c.oldest_queued_at));
  *ret_counts = c;
  return OK;
}

enum err recordings_are_few(struct db *db, int64_t business_id, enum recording_status status, int64_t most,
                            bool *ret_few) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select coalesce(sum(n), 0) from recording_counts where business_id = ?1 and status = ?2",
               DB_INT(business_id), DB_TEXT(str_from(recording_status_name(status)))));
  TRY(db_next(&q));
  *ret_few = db_int(&q, 0) <= most;
  return OK;
}

enum err recordings_count_codes(struct db *db, recordings_code_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select code, n from recording_totals where status = 'failed'"));
  enum err e;
  while ((e = db_next(&q)) == OK) TRY(fn(arg, db_text(&q, 0), db_int(&q, 1), 0));
  return e == ERR_NOT_FOUND ? OK : e;
}

enum err recordings_count_failures(struct db *db, int64_t business_id, recordings_code_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  if (business_id)
    TRY(db_query(db, &q,
                 "select code, n, for_good from recording_counts where business_id = ?1 and status = 'failed' and n > 0"
                 " order by 2 desc, 1",
                 DB_INT(business_id)));
  else
    TRY(db_query(db, &q,
                 "select code, n, for_good from recording_totals where status = 'failed' and n > 0"
                 " order by 2 desc, 1"));
  enum err e;
  while ((e = db_next(&q)) == OK) TRY(fn(arg, db_text(&q, 0), db_int(&q, 1), db_int(&q, 2)));
  return e == ERR_NOT_FOUND ? OK : e;
}

enum err recordings_fills(struct db *db, int64_t business_id, int64_t now, recordings_each_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  if (business_id)
    TRY(db_query(db, &q,
                 "select " RECORDING_COLUMNS " from recordings r indexed by recordings_leases"
                 " where lease_until > ?2 and business_id = ?1 order by recording_sid",
                 DB_INT(business_id), DB_INT(now)));
  else
    TRY(db_query(db, &q,
                 "select " RECORDING_COLUMNS " from recordings r indexed by recordings_leases"
                 " where lease_until > ?1 order by business_id, recording_sid",
                 DB_INT(now)));
  return recordings_read_each(&q, fn, arg);
}

enum err recordings_count_fills(struct db *db, struct str owner, int64_t now, int64_t *ret_count) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select count(*) from recordings r indexed by recordings_leases"
               " where lease_until > ?1 and lease_owner = ?2",
               DB_INT(now), DB_TEXT(owner)));
  TRY(db_next(&q));
  *ret_count = db_int(&q, 0);
  return OK;
}

/* Of businesses b that a condition chooses. */
#define DUE_COUNT(which)                                                                                        \
  "select count(*) from (select 1 from " which                                                                  \
  " cross join recordings r indexed by recordings_kept where r.business_id = b.business_id and"                 \
  " r.status <> 'expired' and r.hold is null and r.kept_from <= ?1 - coalesce(b.retention_days, ?2) * 86400000" \
  " limit ?3) due"

enum err recordings_count_due(struct db *db, int64_t business_id, int64_t default_days, int64_t now, int most,
                              int64_t *ret_count) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  if (business_id)
    TRY(db_query(db, &q,
                 DUE_COUNT("(select business_id, retention_days from businesses where business_id = ?4"
                           " and coalesce(retention_days, ?2) > 0 and purged_at is null) b"),
                 DB_INT(now), DB_INT(default_days), DB_INT(most), DB_INT(business_id)));
  else if (default_days > 0)
    TRY(db_query(db, &q,
                 DUE_COUNT("(select business_id, retention_days from businesses"
                           " where coalesce(retention_days, ?2) > 0 and purged_at is null) b"),
                 DB_INT(now), DB_INT(default_days), DB_INT(most)));
  else
    TRY(db_query(db, &q,
                 DUE_COUNT("(select business_id, retention_days from businesses indexed by businesses_retained"
                           " where retention_days > 0 and purged_at is null) b"),
                 DB_INT(now), DB_INT(0), DB_INT(most)));
  TRY(db_next(&q));
  *ret_count = db_int(&q, 0);
  return OK;
}
