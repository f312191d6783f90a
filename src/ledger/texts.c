/* texts.c - see texts.h. */
#include "ledger/texts.h"

static enum err walk_ended(enum err e) {
  return e == ERR_NOT_FOUND || e == ERR_FULL ? OK : e;
}

enum err texts_each_call(struct db *db, int64_t business_id, struct str after, int limit, texts_call_fn *fn,
                         void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select call_sid, top_sid, from_number, to_number, caller_name, customer_name, ref, agent_said,"
               " metadata, tags, fields from calls where business_id = ?1 and call_sid > ?2 order by call_sid limit ?3",
               DB_INT(business_id), DB_TEXT(after), DB_INT(limit)));
  enum err e;
  while ((e = db_next(&q)) == OK) {
    struct texts_call c = {.call_sid = db_text(&q, 0), .top_sid = db_text(&q, 1)};
    for (int i = 0; i < (int)COUNT_OF(c.addresses); i++) c.addresses[i] = db_text(&q, 2 + i);
    for (int i = 0; i < (int)COUNT_OF(c.plain); i++) c.plain[i] = db_text(&q, 4 + i);
    for (int i = 0; i < (int)COUNT_OF(c.json); i++) c.json[i] = db_text(&q, 8 + i);
    e = fn(arg, &c);
    if (e != OK) break;
  }
  return walk_ended(e);
}

enum err texts_each_recording(struct db *db, int64_t business_id, struct str after, int limit, texts_recording_fn *fn,
                              void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select recording_sid, fields from recordings where business_id = ?1 and recording_sid > ?2"
               " order by recording_sid limit ?3",
               DB_INT(business_id), DB_TEXT(after), DB_INT(limit)));
  enum err e;
  while ((e = db_next(&q)) == OK && (e = fn(arg, db_text(&q, 0), 0, db_text(&q, 1), STR_NONE)) == OK) continue;
  return walk_ended(e);
}

enum err texts_each_note(struct db *db, int64_t business_id, struct str after, int limit, texts_recording_fn *fn,
                         void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select recording_sid, note_id, text, by from notes where business_id = ?1 and recording_sid > ?2"
               " order by recording_sid, note_id limit ?3",
               DB_INT(business_id), DB_TEXT(after), DB_INT(limit)));
  enum err e;
  while ((e = db_next(&q)) == OK && (e = fn(arg, db_text(&q, 0), db_int(&q, 1), db_text(&q, 2), db_text(&q, 3))) == OK)
    continue;
  return walk_ended(e);
}
