/* waveforms.c - see waveforms.h. */
#include "ledger/waveforms.h"

enum err waveforms_put(struct db *db, int64_t business_id, struct str recording_sid, struct str bytes) {
  if (bytes.n > WAVEFORM_MAX) return ERR_TOO_BIG;
  if (bytes.n == 0)
    return db_run_later(db, "delete from waveforms where business_id = ?1 and recording_sid = ?2", DB_INT(business_id),
                        DB_TEXT(recording_sid));
  return db_run_later(db,
                      "insert into waveforms values (?1, ?2, ?3)"
                      " on conflict (business_id, recording_sid) do update set bytes = excluded.bytes",
                      DB_INT(business_id), DB_TEXT(recording_sid), DB_BLOB(bytes));
}

enum err waveforms_get(struct db *db, int64_t business_id, struct str recording_sid, struct buf *b) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select bytes from waveforms where business_id = ?1 and recording_sid = ?2", DB_INT(business_id),
               DB_TEXT(recording_sid)));
  TRY(db_next(&q));
  return buf_add(b, db_text(&q, 0));
}
