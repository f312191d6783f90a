/* notes.h - the table `notes`: what people wrote at a moment of a recording.
 *
 *   TRY(notes_add(db, business, sid, &note));   TRY(notes_each(db, business, sid, add_note, arg));
 *
 * Writes add to `changes`; the change's id is "{recording_sid}.{note_id}". Times are UNIX milliseconds.
 * Thread rule: the connection's; writes run in db_writer's transaction. */
#pragma once

#include "ledger/recordings.h"

enum {
  NOTES_MAX = 500,      /* of a recording */
  NOTE_TEXT_MAX = 2000, /* characters */
  NOTE_TEXT_SIZE = 4 * NOTE_TEXT_MAX + 1,
  NOTE_BY_SIZE = 256,
  NOTE_CHANGE_SIZE = SID_SIZE + 24,
};
#define NOTE_ID_MAX (((int64_t)1 << 53) - 1)

struct note {
  int64_t note_id;           /* 1 … NOTE_ID_MAX */
  int64_t at_ms;             /* -1: of the whole recording */
  char text[NOTE_TEXT_SIZE]; /* UTF-8 */
  char by[NOTE_BY_SIZE];     /* as it is shown */
  char author[NOTE_BY_SIZE]; /* whose it is; "": nobody's */
  int64_t created_at;
  int64_t edited_at; /* 0: never */
};

typedef enum err notes_each_fn(void *arg, const struct note *note);
/* Calls fn with all notes of a recording: first those of the whole, then by their moment. */
CHECKED enum err notes_each(struct db *db, int64_t business_id, struct str recording_sid, notes_each_fn *fn, void *arg);
CHECKED enum err notes_get(struct db *db, int64_t business_id, struct str recording_sid, int64_t note_id,
                           struct note *ret_note);
/* Adds a note under a new id, which it sets. Notes are listed in the order in which they were made: where created_at is not later
 * than that of the recording's newest note, it becomes 1 ms later. ERR_FULL: the recording has NOTES_MAX. */
CHECKED enum err notes_add(struct db *db, int64_t business_id, struct str recording_sid, struct note *note);
/* Stores note's at_ms, text, edited_at and by. ERR_NOT_FOUND. */
CHECKED enum err notes_store(struct db *db, int64_t business_id, struct str recording_sid, const struct note *note);
/* Deletes at most limit notes of an expired recording. *ret_more: there may be more. */
CHECKED enum err notes_expire(struct db *db, int64_t business_id, struct str recording_sid, int limit, bool *ret_more);
CHECKED enum err notes_delete(struct db *db, int64_t business_id, struct str recording_sid, int64_t note_id);
/* Deletes at most limit notes of a business, without changes: a purge. *ret_count: how many. */
CHECKED enum err notes_purge(struct db *db, int64_t business_id, int limit, int *ret_count);
/* Reads the id of a change. ERR_INVALID. */
CHECKED enum err notes_read_change(struct str id, char ret_sid[SID_SIZE], int64_t *ret_note_id);
