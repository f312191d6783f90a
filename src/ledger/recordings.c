/* recordings.c - see recordings.h. A row is read and stored as a whole, by compare-and-set on `version`.
 *
 * Invariants
 *  (1) Every write that users can see goes through recordings_insert or recordings_store, which add a row to `changes` in the
 *      same transaction. (Users see neither the ranked fields nor the rank that recordings_demote lowers.)
 *  (2) recordings_store changes nothing unless the stored version is the one that was read. */
#include "ledger/recordings.h"

#include <stdio.h>
#include <string.h>

#include "ledger/changes.h"
#include "ledger/recordings_row.h"

static const char *const status_names[] = {
#define X(name, text) text,
#include "ledger/recording_status.def"
#undef X
};

const char *recording_status_name(enum recording_status s) {
  return status_names[s];
}

enum err recording_status_of(struct str name, enum recording_status *ret_status) {
  for (size_t i = 0; i < COUNT_OF(status_names); i++) {
    if (!str_eq(name, str_from(status_names[i]))) continue;
    *ret_status = (enum recording_status)i;
    return OK;
  }
  return ERR_INVALID;
}

#define READ_TEXT(member, column) TRY(db_text_copy(q, (column), r.member, sizeof(r.member)))

static enum err read_told(struct db_rows *q, struct recording *ret_row) {
  struct recording r = *ret_row;
  r.business_id = db_int(q, RECORDING_COLUMN_business_id);
  READ_TEXT(recording_sid, RECORDING_COLUMN_recording_sid);
  READ_TEXT(call_sid, RECORDING_COLUMN_call_sid);
  READ_TEXT(provider_status, RECORDING_COLUMN_provider_status);
  READ_TEXT(url, RECORDING_COLUMN_url);
  READ_TEXT(source, RECORDING_COLUMN_source);
  r.forbidden = db_int(q, RECORDING_COLUMN_forbidden) != 0;
  r.provider_duration_s = db_int(q, RECORDING_COLUMN_told_duration_s);
  r.provider_channels = (int)db_int(q, RECORDING_COLUMN_told_channels);
  r.started_at = db_int(q, RECORDING_COLUMN_started_at);
  r.completed_at = db_int(q, RECORDING_COLUMN_completed_at);
  r.first_seen_at = db_int(q, RECORDING_COLUMN_first_seen_at);
  *ret_row = r;
  return OK;
}

static enum err read_queue(struct db_rows *q, struct recording *ret_row) {
  struct recording r = *ret_row;
  if (recording_status_of(db_text(q, RECORDING_COLUMN_status), &r.status) != OK) return ERR_CORRUPT;
  r.rank = (int)db_int(q, RECORDING_COLUMN_rank);
  r.enqueued_at = db_int(q, RECORDING_COLUMN_enqueued_at);
  r.last_enqueue_at = db_int(q, RECORDING_COLUMN_last_enqueue_at);
  r.wanted_at = db_int(q, RECORDING_COLUMN_wanted_at);
  r.next_ask_at = db_int(q, RECORDING_COLUMN_next_ask_at);
  READ_TEXT(lease_owner, RECORDING_COLUMN_lease_owner);
  r.lease_token = db_int(q, RECORDING_COLUMN_lease_token);
  r.lease_until = db_int(q, RECORDING_COLUMN_lease_until);
  r.fail_count = db_int(q, RECORDING_COLUMN_fail_count);
  r.failed_at = db_int(q, RECORDING_COLUMN_failed_at);
  r.next_retry_at = db_int(q, RECORDING_COLUMN_next_retry_at);
  READ_TEXT(error_code, RECORDING_COLUMN_error_code);
  r.permanent = db_int(q, RECORDING_COLUMN_for_good) != 0;
  r.not_found_count = db_int(q, RECORDING_COLUMN_asks_404);
  r.first_404_at = db_int(q, RECORDING_COLUMN_first_404_at);
  r.crashes = db_int(q, RECORDING_COLUMN_crashes);
  r.retried[0] = db_int(q, RECORDING_COLUMN_retried_1);
  r.retried[1] = db_int(q, RECORDING_COLUMN_retried_2);
  r.retried[2] = db_int(q, RECORDING_COLUMN_retried_3);
  *ret_row = r;
  return OK;
}

static enum err read_bytes(struct db_rows *q, struct recording *ret_row) {
  struct recording r = *ret_row;
  READ_TEXT(stem, RECORDING_COLUMN_stem);
  READ_TEXT(name, RECORDING_COLUMN_name);
  r.bytes = db_int(q, RECORDING_COLUMN_bytes);
  r.announced_bytes = db_int_or(q, RECORDING_COLUMN_total, -1);
  r.received_bytes = db_int(q, RECORDING_COLUMN_got);
  READ_TEXT(content_type, RECORDING_COLUMN_content_type);
  READ_TEXT(etag, RECORDING_COLUMN_etag);
  r.modified_at = db_int(q, RECORDING_COLUMN_modified_at);
  r.duration_ms = db_int_or(q, RECORDING_COLUMN_duration_ms, -1);
  r.channels = (int)db_int(q, RECORDING_COLUMN_channels);
  READ_TEXT(sha256, RECORDING_COLUMN_sha256);
  r.ready_at = db_int(q, RECORDING_COLUMN_ready_at);
  r.file_seen_at = db_int(q, RECORDING_COLUMN_file_seen_at);
  r.version = db_int(q, RECORDING_COLUMN_version);
  r.expired_at = db_int(q, RECORDING_COLUMN_expired_at);
  READ_TEXT(expire_reason, RECORDING_COLUMN_expire_reason);
  r.kept_from = db_int(q, RECORDING_COLUMN_kept_from);
  READ_TEXT(hold, RECORDING_COLUMN_hold);
  r.has_transcript = db_int(q, RECORDING_COLUMN_transcribed) != 0;
  r.transcript_asked = db_int(q, RECORDING_COLUMN_transcript_asked) != 0;
  *ret_row = r;
  return OK;
}

enum err recordings_read_row(struct db_rows *q, struct recording *ret_row) {
  struct recording r;
  memset(&r, 0, sizeof(r));
  TRY(read_told(q, &r));
  TRY(read_queue(q, &r));
  TRY(read_bytes(q, &r));
  *ret_row = r;
  return OK;
}

enum err recordings_read_one(struct db_rows *q, struct recording *ret_row) {
  TRY(db_next(q));
  return recordings_read_row(q, ret_row);
}

enum err recordings_read_each(struct db_rows *q, recordings_each_fn *fn, void *arg) {
  enum err e;
  while ((e = db_next(q)) == OK) {
    struct recording row;
    TRY(recordings_read_row(q, &row));
    TRY(fn(arg, &row));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

enum err recordings_get(struct db *db, int64_t business_id, struct str recording_sid, struct recording *ret_row) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select " RECORDING_COLUMNS " from recordings r where business_id = ?1 and recording_sid = ?2",
               DB_INT(business_id), DB_TEXT(recording_sid)));
  return recordings_read_one(&q, ret_row);
}

/* Writes kept_from as the trigger recordings_kept_new would: that would update the new row. */
enum err recordings_insert(struct db *db, const struct recording *row, struct str fields) {
  TRY(db_run(db,
             "insert into recordings (business_id, recording_sid, " RECORDING_STORED_COLUMNS
             ", fields, kept_from) values (?1, ?2, " RECORDING_STORED_PARAMETERS
             ", ?48, coalesce((select c.started_at from calls c where c.business_id = ?1 and c.call_sid = ?49), ?50))"
             " on conflict (business_id, recording_sid) do nothing",
             DB_INT(row->business_id), DB_TEXT(str_from(row->recording_sid)), RECORDING_STORED_VALUES(row),
             DB_TEXT(fields), DB_TEXT(str_from(row->call_sid)),
             DB_INT(row->started_at ? row->started_at : row->first_seen_at)));
  if (db_changed(db) == 0) return ERR_EXISTS;
  return changes_add(db, CHANGE_RECORDING, row->business_id, str_from(row->recording_sid));
}

enum err recordings_store(struct db *db, const struct recording *old, const struct recording *next) {
  TRY(db_run(db,
             "update recordings set (" RECORDING_STORED_COLUMNS ", version) = (" RECORDING_STORED_PARAMETERS
             ", version + 1) where business_id = ?1 and recording_sid = ?2 and version = ?48",
             DB_INT(old->business_id), DB_TEXT(str_from(old->recording_sid)), RECORDING_STORED_VALUES(next),
             DB_INT(old->version)));
  if (db_changed(db) == 0) return ERR_CONFLICT;
  return changes_add(db, recording_change(old, next), old->business_id, str_from(old->recording_sid));
}

enum err recordings_fields(struct db *db, int64_t business_id, struct str recording_sid, struct buf *b) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select fields from recordings where business_id = ?1 and recording_sid = ?2",
               DB_INT(business_id), DB_TEXT(recording_sid)));
  TRY(db_next(&q));
  return buf_add(b, db_text(&q, 0));
}

enum err recordings_set_fields(struct db *db, int64_t business_id, struct str recording_sid, struct str fields) {
  TRY(db_run(db,
             "update recordings set fields = ?3, version = version + 1 where business_id = ?1 and recording_sid = ?2",
             DB_INT(business_id), DB_TEXT(recording_sid), DB_TEXT(fields)));
  return db_changed(db) ? OK : ERR_NOT_FOUND;
}

enum err recordings_of_call(struct db *db, int64_t business_id, struct str call_sid, recordings_each_fn *fn,
                            void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select " RECORDING_COLUMNS " from recordings r where business_id = ?1 and call_sid = ?2 "
               "order by coalesce(started_at, first_seen_at) desc, recording_sid desc",
               DB_INT(business_id), DB_TEXT(call_sid)));
  return recordings_read_each(&q, fn, arg);
}

enum err recordings_with_status(struct db *db, int64_t business_id, enum recording_status status, struct str after,
                                int limit, recordings_each_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select " RECORDING_COLUMNS " from recordings r where business_id = ?1 and status = ?2 "
               "and recording_sid > ?3 order by recording_sid limit ?4",
               DB_INT(business_id), DB_TEXT(str_from(recording_status_name(status))),
               DB_TEXT(after.p ? after : STR("")), DB_INT(limit)));
  return recordings_read_each(&q, fn, arg);
}

enum err recordings_failed_skip(struct db *db, int64_t business_id, struct str error_code, struct str after, int count,
                                char ret_sid[SID_SIZE]) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  if (error_code.n)
    TRY(db_query(db, &q,
                 "select recording_sid from recordings r indexed by recordings_failed where business_id = ?1"
                 " and status = 'failed' and error_code = ?2 and recording_sid > ?3"
                 " order by recording_sid limit 1 offset ?4",
                 DB_INT(business_id), DB_TEXT(error_code), DB_TEXT(after), DB_INT(count - 1)));
  else
    TRY(db_query(db, &q,
                 "select recording_sid from recordings r indexed by recordings_failed_any where business_id = ?1"
                 " and status = 'failed' and recording_sid > ?2 order by recording_sid limit 1 offset ?3",
                 DB_INT(business_id), DB_TEXT(after), DB_INT(count - 1)));
  TRY(db_next(&q));
  return str_copy(ret_sid, SID_SIZE, db_text(&q, 0)) == OK ? OK : ERR_CORRUPT;
}

enum err recordings_failed(struct db *db, int64_t business_id, struct str error_code, int64_t since, struct str after,
                           struct str until, int limit, recordings_each_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  if (error_code.n)
    TRY(db_query(db, &q,
                 "select " RECORDING_COLUMNS
                 " from recordings r indexed by recordings_failed where business_id = ?1 and status = 'failed'"
                 " and error_code = ?2 and coalesce(failed_at, 0) >= ?3 and recording_sid > ?4"
                 " and recording_sid <= ?5 order by recording_sid limit ?6",
                 DB_INT(business_id), DB_TEXT(error_code), DB_INT(since), DB_TEXT(after), DB_TEXT(until),
                 DB_INT(limit)));
  else
    TRY(db_query(db, &q,
                 "select " RECORDING_COLUMNS
                 " from recordings r indexed by recordings_failed_any where business_id = ?1 and status = 'failed'"
                 " and coalesce(failed_at, 0) >= ?2 and recording_sid > ?3 and recording_sid <= ?4"
                 " order by recording_sid limit ?5",
                 DB_INT(business_id), DB_INT(since), DB_TEXT(after), DB_TEXT(until), DB_INT(limit)));
  return recordings_read_each(&q, fn, arg);
}

struct kept_reading {
  recordings_each_fn *fn;
  void *arg;
  struct recordings_place place;
  int count;
};

static enum err kept_reading_add(void *arg, const struct recording *row) {
  struct kept_reading *r = arg;
  if (row->kept_from != r->place.kept_from) r->place = (struct recordings_place){row->kept_from, 0};
  r->place.passed++;
  r->count++;
  return r->fn(r->arg, row);
}

enum err recordings_kept_since(struct db *db, int64_t business_id, int64_t at, struct recordings_place *place,
                               int limit, recordings_each_fn *fn, void *arg, int *ret_count) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  struct kept_reading r = {.fn = fn, .arg = arg, .place = *place};
  TRY(db_query(db, &q,
               "select " RECORDING_COLUMNS " from recordings r indexed by recordings_kept where business_id = ?1"
               " and status <> 'expired' and hold is null and kept_from <= ?2 and kept_from >= ?3"
               " order by kept_from limit ?4 offset ?5",
               DB_INT(business_id), DB_INT(at), DB_INT(place->kept_from), DB_INT(limit), DB_INT(place->passed)));
  TRY(recordings_read_each(&q, kept_reading_add, &r));
  *place = r.place;
  *ret_count = r.count;
  return OK;
}

enum err recordings_held(struct db *db, int64_t business_id, struct str after, int limit, recordings_each_fn *fn,
                         void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select " RECORDING_COLUMNS " from recordings r where business_id = ?1 and hold is not null"
               " and recording_sid > ?2 order by recording_sid limit ?3",
               DB_INT(business_id), DB_TEXT(after), DB_INT(limit)));
  return recordings_read_each(&q, fn, arg);
}
