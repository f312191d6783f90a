/* notes.c - see notes.h. */
#include "ledger/notes.h"

#include <string.h>

#include "base/secret.h"
#include "ledger/changes.h"

#define NOTE_COLUMNS "note_id, at_ms, text, by, author, created_at, edited_at"

static enum err note_read_row(const struct db_rows *q, struct note *ret_note) {
  struct note *n = ret_note;
  n->note_id = db_int(q, 0);
  n->at_ms = db_int_or(q, 1, -1);
  n->created_at = db_int(q, 5);
  n->edited_at = db_int(q, 6);
  enum err e = str_copy(n->text, sizeof(n->text), db_text(q, 2));
  if (e == OK) e = str_copy(n->by, sizeof(n->by), db_text(q, 3));
  if (e == OK) e = str_copy(n->author, sizeof(n->author), db_text(q, 4));
  return e == OK ? OK : ERR_CORRUPT;
}

enum err notes_each(struct db *db, int64_t business_id, struct str recording_sid, notes_each_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select " NOTE_COLUMNS " from notes where business_id = ?1 and recording_sid = ?2"
               " order by at_ms nulls first, created_at, note_id limit ?3",
               DB_INT(business_id), DB_TEXT(recording_sid), DB_INT(NOTES_MAX)));
  enum err e;
  while ((e = db_next(&q)) == OK) {
    struct note n;
    TRY(note_read_row(&q, &n));
    TRY(fn(arg, &n));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

enum err notes_get(struct db *db, int64_t business_id, struct str recording_sid, int64_t note_id,
                   struct note *ret_note) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  struct note n;
  TRY(db_query(db, &q,
               "select " NOTE_COLUMNS " from notes where business_id = ?1 and recording_sid = ?2 and note_id = ?3",
               DB_INT(business_id), DB_TEXT(recording_sid), DB_INT(note_id)));
  TRY(db_next(&q));
  TRY(note_read_row(&q, &n));
  *ret_note = n;
  return OK;
}

static enum err notes_add_change(struct db *db, int64_t business_id, struct str recording_sid, int64_t note_id) {
  struct buf id CLEANUP(buf_done) = BUF_INIT(NOTE_CHANGE_SIZE);
  TRY(buf_addf(&id, "%.*s.%lld", STR_ARG(recording_sid), (long long)note_id));
  return changes_add(db, CHANGE_NOTE, business_id, buf_str(&id));
}

enum err notes_read_change(struct str id, char ret_sid[SID_SIZE], int64_t *ret_note_id) {
  struct str sid, rest;
  if (!str_cut(id, '.', &sid, &rest)) return ERR_INVALID;
  TRY(str_to_i64(rest, 1, NOTE_ID_MAX, ret_note_id));
  return str_copy(ret_sid, SID_SIZE, sid) == OK ? OK : ERR_INVALID;
}

/* Refuses one more than NOTES_MAX. *ret_newest: when the newest note of the recording was made; 0: there is none. */
static enum err notes_have_room(struct db *db, int64_t business_id, struct str recording_sid, int64_t *ret_newest) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select count(*), coalesce(max(created_at), 0) from"
               " (select created_at from notes where business_id = ?1 and recording_sid = ?2 limit ?3) few",
               DB_INT(business_id), DB_TEXT(recording_sid), DB_INT(NOTES_MAX)));
  TRY(db_next(&q));
  *ret_newest = db_int(&q, 1);
  return db_int(&q, 0) < NOTES_MAX ? OK : ERR_FULL;
}

enum err notes_add(struct db *db, int64_t business_id, struct str recording_sid, struct note *note) {
  uint64_t random;
  int64_t newest;
  TRY(notes_have_room(db, business_id, recording_sid, &newest));
  TRY(secret_random(&random, sizeof(random)));
  note->note_id = (int64_t)(random % (uint64_t)NOTE_ID_MAX) + 1;
  if (note->created_at <= newest) note->created_at = newest + 1;
  TRY(db_run(db,
             "insert into notes (business_id, recording_sid, note_id, at_ms, text, by, author, created_at)"
             " values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
             DB_INT(business_id), DB_TEXT(recording_sid), DB_INT(note->note_id), DB_INT_OR_NULL(note->at_ms),
             DB_TEXT(str_from(note->text)), DB_TEXT(str_from(note->by)), DB_TEXT(str_from(note->author)),
             DB_INT(note->created_at)));
  return notes_add_change(db, business_id, recording_sid, note->note_id);
}

enum err notes_store(struct db *db, int64_t business_id, struct str recording_sid, const struct note *note) {
  TRY(db_run(db,
             "update notes set at_ms = ?4, text = ?5, edited_at = ?6, by = ?7"
             " where business_id = ?1 and recording_sid = ?2 and note_id = ?3",
             DB_INT(business_id), DB_TEXT(recording_sid), DB_INT(note->note_id), DB_INT_OR_NULL(note->at_ms),
             DB_TEXT(str_from(note->text)), DB_INT(note->edited_at), DB_TEXT(str_from(note->by))));
  return db_changed(db) ? notes_add_change(db, business_id, recording_sid, note->note_id) : ERR_NOT_FOUND;
}

enum err notes_delete(struct db *db, int64_t business_id, struct str recording_sid, int64_t note_id) {
  TRY(db_run(db, "delete from notes where business_id = ?1 and recording_sid = ?2 and note_id = ?3",
             DB_INT(business_id), DB_TEXT(recording_sid), DB_INT(note_id)));
  return db_changed(db) ? notes_add_change(db, business_id, recording_sid, note_id) : ERR_NOT_FOUND;
}

enum err notes_purge(struct db *db, int64_t business_id, int limit, int *ret_count) {
  TRY(db_run(db,
             "delete from notes where business_id = ?1 and (recording_sid, note_id) in"
             " (select recording_sid, note_id from notes where business_id = ?1 limit ?2)",
             DB_INT(business_id), DB_INT(limit)));
  *ret_count = (int)db_changed(db);
  return OK;
}

enum err notes_expire(struct db *db, int64_t business_id, struct str recording_sid, int limit, bool *ret_more) {
  TRY(db_run(db,
             "delete from notes where business_id = ?1 and recording_sid = ?2 and note_id in"
             " (select note_id from notes where business_id = ?1 and recording_sid = ?2 limit ?3)",
             DB_INT(business_id), DB_TEXT(recording_sid), DB_INT(limit)));
  *ret_more = db_changed(db) == limit;
  return OK;
}
