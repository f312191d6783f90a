/* speech_days.c - see speech_days.h. A row a day: a sum over days reads as many rows. */
#include "ledger/speech_days.h"

enum { DAY_MS = 24 * 3600 * 1000 };

enum err speech_days_add(struct db *db, const struct speech_use *use, int64_t now) {
  return db_run(db,
                "insert into speech_days (day, pieces, sent_ms, took_ms, transcripts, recorded_ms)"
                " values (?1, ?2, ?3, ?4, ?5, ?6)"
                " on conflict (day) do update set pieces = speech_days.pieces + excluded.pieces,"
                " sent_ms = speech_days.sent_ms + excluded.sent_ms, took_ms = speech_days.took_ms + excluded.took_ms,"
                " transcripts = speech_days.transcripts + excluded.transcripts,"
                " recorded_ms = speech_days.recorded_ms + excluded.recorded_ms",
                DB_INT(now / DAY_MS), DB_INT(use->pieces), DB_INT(use->sent_ms), DB_INT(use->took_ms),
                DB_INT(use->transcripts), DB_INT(use->recorded_ms));
}

enum err speech_days_read(struct db *db, int64_t now, int days, struct speech_use *ret_use) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(
      db, &q, "select pieces, sent_ms, took_ms, transcripts, recorded_ms from speech_days where day > ?1 and day <= ?2",
      DB_INT(now / DAY_MS - days), DB_INT(now / DAY_MS)));
  struct speech_use sum = {0};
  enum err e;
  while ((e = db_next(&q)) == OK) {
    sum.pieces += db_int(&q, 0);
    sum.sent_ms += db_int(&q, 1);
    sum.took_ms += db_int(&q, 2);
    sum.transcripts += db_int(&q, 3);
    sum.recorded_ms += db_int(&q, 4);
  }
  if (e != ERR_NOT_FOUND) return e;
  *ret_use = sum;
  return OK;
}
