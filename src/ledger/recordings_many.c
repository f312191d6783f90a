/* recordings_many.c - see recordings_many.h.
 *
 * Invariants
 *  (1) Rows are read and replaced under the lock of their business, so no other transaction changes them in between, and versions
 *      need not be compared. */
#include "ledger/recordings_many.h"

#include "ledger/recordings_row.h"

enum { FIELDS_MAX = 1024 * 1024 };

enum err recordings_many_send(struct db *db, struct db_rows *rows, struct recording_lookup *lookups, int count) {
  struct db_set set CLEANUP(db_set_done) = DB_SET;
  if (count == 0) return OK;
  for (int i = 0; i < count; i++) {
    buf_init(&lookups[i].fields, FIELDS_MAX);
    TRY(db_set_add(&set, DB_INT(i), DB_INT(lookups[i].business_id), DB_TEXT(str_from(lookups[i].recording_sid))));
  }
  return db_query_set_later(
      db, rows, &set,
      "select " RECORDING_COLUMNS
      ", r.fields, k.n from unnest(?1::bigint[], ?2::bigint[], ?3::text[]) k (n, business_id, recording_sid)"
      " join recordings r on r.business_id = k.business_id and r.recording_sid = k.recording_sid");
}

enum err recordings_many_receive(struct db_rows *rows, struct recording_lookup *lookups, int count) {
  enum { FIELDS = RECORDING_COLUMN_COUNT_, NUMBER };
  enum err e = ERR_NOT_FOUND;
  while (count > 0 && (e = db_next(rows)) == OK) {
    int64_t n = db_int(rows, NUMBER);
    if (n < 0 || n >= count) return ERR_CORRUPT;
    lookups[n].is_known = true;
    TRY(recordings_read_row(rows, &lookups[n].row));
    TRY(buf_add(&lookups[n].fields, db_text(rows, FIELDS)));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

enum err recordings_many_of_calls(struct db *db, struct call_recordings_lookup *lookups, int count) {
  enum { NUMBER = RECORDING_COLUMN_COUNT_ };
  struct db_set set CLEANUP(db_set_done) = DB_SET;
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  enum err e;
  if (count == 0) return OK;
  for (int i = 0; i < count; i++) {
    lookups[i].count = 0;
    TRY(db_set_add(&set, DB_INT(i), DB_INT(lookups[i].business_id), DB_TEXT(str_from(lookups[i].call_sid))));
  }
  TRY(db_query_set(db, &q, &set,
                   "select " RECORDING_COLUMNS
                   ", k.n from unnest(?1::bigint[], ?2::bigint[], ?3::text[]) k (n, business_id, call_sid)"
                   " cross join lateral (select * from recordings o where o.business_id = k.business_id"
                   " and o.call_sid = k.call_sid limit 2) r"));
  while ((e = db_next(&q)) == OK) {
    int64_t n = db_int(&q, NUMBER);
    if (n < 0 || n >= count) return ERR_CORRUPT;
    lookups[n].count++;
    TRY(recordings_read_row(&q, &lookups[n].row));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

/* Writes kept_from as the trigger recordings_kept_new would. */
static enum err insert_new(struct db *db, const struct recording_write *writes, int count) {
  struct db_set set CLEANUP(db_set_done) = DB_SET;
  for (int i = 0; i < count; i++) {
    const struct recording_write *w = &writes[i];
    const struct recording *r = w->next;
    if (w->was) continue;
    int64_t kept_from = w->call_started_at ? w->call_started_at : r->started_at ? r->started_at : r->first_seen_at;
    TRY(db_set_add(&set, DB_INT(r->business_id), DB_TEXT(str_from(r->recording_sid)), RECORDING_STORED_VALUES(r),
                   DB_TEXT(w->fields), DB_INT(kept_from), recording_time(w->listed_at)));
  }
  if (set.rows == 0) return OK;
  return db_run_set_later(
      db, &set,
      "insert into recordings (business_id, recording_sid, " RECORDING_STORED_COLUMNS
      ", fields, kept_from, listed_at) select * from unnest(?1::bigint[], ?2::text[], " RECORDING_STORED_ARRAYS
      ", ?48::text[], ?49::bigint[], ?50::bigint[])");
}

enum err recordings_many_write(struct db *db, const struct recording_write *writes, int count) {
  TRY(insert_new(db, writes, count));
  for (int i = 0; i < count; i++) {
    const struct recording_write *w = &writes[i];
    if (!w->was) continue;
    TRY(db_run_later(db,
                     DB_FOR_POSTGRES "update recordings set (" RECORDING_STORED_COLUMNS
                                     ", version, fields) = (" RECORDING_STORED_PARAMETERS
                                     ", version + 1, ?48) where business_id = ?1 and recording_sid = ?2",
                     DB_INT(w->was->business_id), DB_TEXT(str_from(w->was->recording_sid)),
                     RECORDING_STORED_VALUES(w->next), DB_TEXT(w->fields)));
  }
  return OK;
}

int recordings_many_change(const struct recording_write *w) {
  return w->was ? (int)recording_change(w->was, w->next) : (int)CHANGE_RECORDING;
}
