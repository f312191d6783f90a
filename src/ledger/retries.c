/* retries.c - see retries.h. */
#include "ledger/retries.h"

#include <string.h>

#define RETRIES_COLUMNS "business_id, code, since, after, queued, forced"

static enum err retries_read_row(const struct db_rows *q, struct retries_row *ret_row) {
  struct retries_row row = {
      .business_id = db_int(q, 0), .since = db_int(q, 2), .queued = db_int(q, 4), .forced = db_int(q, 5) != 0};
  TRY(str_copy(row.code, sizeof(row.code), db_text(q, 1)));
  TRY(str_copy(row.after, sizeof(row.after), db_text(q, 3)));
  *ret_row = row;
  return OK;
}

enum err retries_begin(struct db *db, const struct retries_row *row, int64_t now) {
  return db_run(
      db,
      "insert into retries (business_id, code, since, after, queued, turn, forced)"
      " values (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
      " on conflict (business_id, code) do update set"
      " since = case when excluded.since < retries.since then excluded.since else retries.since end, after = '',"
      " queued = retries.queued + excluded.queued,"
      " forced = case when excluded.forced > retries.forced then excluded.forced else retries.forced end",
      DB_INT(row->business_id), DB_TEXT(str_from(row->code)), DB_INT(row->since), DB_TEXT(str_from(row->after)),
      DB_INT(row->queued), DB_INT(now), DB_INT(row->forced));
}

enum err retries_next(struct db *db, struct retries_row *ret_row) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select " RETRIES_COLUMNS " from retries order by turn limit 1"));
  TRY(db_next(&q));
  return retries_read_row(&q, ret_row);
}

enum err retries_advance(struct db *db, const struct retries_row *row, int64_t now) {
  /* The turn grows even if the clock does not: with equal turns two rows could starve a third. */
  return db_run(
      db,
      "update retries set after = ?3, queued = ?4, turn = (select case when last >= ?5 then last + 1 else ?5 end"
      " from (select max(turn) as last from retries) latest)"
      " where business_id = ?1 and code = ?2",
      DB_INT(row->business_id), DB_TEXT(str_from(row->code)), DB_TEXT(str_from(row->after)), DB_INT(row->queued),
      DB_INT(now));
}

enum err retries_end(struct db *db, const struct retries_row *row) {
  return db_run(db, "delete from retries where business_id = ?1 and code = ?2", DB_INT(row->business_id),
                DB_TEXT(str_from(row->code)));
}

enum err retries_each(struct db *db, int64_t business_id, retries_each_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select " RETRIES_COLUMNS " from retries where business_id = ?1 order by code",
               DB_INT(business_id)));
  struct retries_row row;
  enum err e;
  while ((e = db_next(&q)) == OK) {
    TRY(retries_read_row(&q, &row));
    TRY(fn(arg, &row));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}
