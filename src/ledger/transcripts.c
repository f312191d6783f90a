/* transcripts.c - see transcripts.h.
 *
 *   (no row) --ASK--> queued --CLAIM--> running --FINISH--> ready --ASK--> queued
 *                       ^                 |  `----FAIL----> failed --ASK--> queued
 *                       `------WAIT-------'
 *   any --the recording expires--> removed                                        [recordings_expire_transcript, a trigger]
 *
 * Invariants
 *  (1) A row that is queued or running has a task, any other has none.
 *  (2) A worker's write changes nothing unless its task is still its own.
 *  (3) A version is stored together with what searches read of it.
 *  (4) Answers count only for the run that they were given in. */
#include "ledger/transcripts.h"

#include <string.h>

#include "base/secret.h"
#include "ledger/calls_search.h"
#include "ledger/changes.h"

#define TRANSCRIPT_COLUMNS                                                                                   \
  "status, error, run, etag, pieces_done, pieces_all, failing_since, engine, model, language, duration_ms, " \
  "version, edited_by, edited_at, created_at, updated_at"

static const char *const status_names[] = {
#define X(name, text) [TRANSCRIPT_##name] = text,
#include "ledger/transcript_status.def"
#undef X
};

static const struct {
  const char *code, *message;
} errors[] = {
#define X(name, text, sentence) [TRANSCRIPT_ERROR_##name] = {text, sentence},
#include "ledger/transcript_error.def"
#undef X
};

const char *transcript_status_name(enum transcript_status status) {
  return status_names[status];
}
const char *transcript_error_code(enum transcript_error error) {
  return errors[error].code;
}
const char *transcript_error_message(enum transcript_error error) {
  return errors[error].message;
}

enum err transcript_error_of(struct str code, enum transcript_error *ret_error) {
  for (size_t i = 0; i < COUNT_OF(errors); i++) {
    if (!str_eq(code, str_from(errors[i].code))) continue;
    *ret_error = (enum transcript_error)i;
    return OK;
  }
  return ERR_INVALID;
}

bool transcript_next(enum transcript_status status, enum transcript_event event, enum transcript_status *ret_next) {
  bool is_open = status == TRANSCRIPT_QUEUED || status == TRANSCRIPT_RUNNING;
  switch (event) {
    case TRANSCRIPT_ASK:
      *ret_next = TRANSCRIPT_QUEUED;
      return status == TRANSCRIPT_READY || status == TRANSCRIPT_FAILED;
    case TRANSCRIPT_CLAIM:
      *ret_next = TRANSCRIPT_RUNNING;
      return is_open; /* running: the worker before lost its lease */
    case TRANSCRIPT_WAIT:
      *ret_next = TRANSCRIPT_QUEUED;
      return is_open;
    case TRANSCRIPT_FINISH:
      *ret_next = TRANSCRIPT_READY;
      return status == TRANSCRIPT_RUNNING;
    case TRANSCRIPT_FAIL:
      *ret_next = TRANSCRIPT_FAILED;
      return status == TRANSCRIPT_RUNNING;
  }
  return false;
}

/* ---- reading ---- */

static enum err status_of(struct str name, enum transcript_status *ret_status) {
  for (size_t i = 0; i < COUNT_OF(status_names); i++) {
    if (!str_eq(name, str_from(status_names[i]))) continue;
    *ret_status = (enum transcript_status)i;
    return OK;
  }
  return ERR_CORRUPT;
}

static enum err transcript_read_row(const struct db_rows *q, struct transcript *ret_row) {
  struct transcript t = {.run = db_int(q, 2)};
  TRY(status_of(db_text(q, 0), &t.status));
  if (transcript_error_of(db_text(q, 1), &t.error) != OK) return ERR_CORRUPT;
  enum err e = str_copy(t.etag, sizeof(t.etag), db_text(q, 3));
  if (e == OK) e = str_copy(t.engine, sizeof(t.engine), db_text(q, 7));
  if (e == OK) e = str_copy(t.model, sizeof(t.model), db_text(q, 8));
  if (e == OK) e = str_copy(t.language, sizeof(t.language), db_text(q, 9));
  if (e == OK) e = str_copy(t.edited_by, sizeof(t.edited_by), db_text(q, 12));
  if (e != OK) return ERR_CORRUPT;
  t.pieces_done = db_int(q, 4);
  t.pieces_all = db_int(q, 5);
  t.failing_since = db_int(q, 6);
  t.duration_ms = db_int_or(q, 10, -1);
  t.version = db_int(q, 11);
  t.edited_at = db_int(q, 13);
  t.created_at = db_int(q, 14);
  t.updated_at = db_int(q, 15);
  *ret_row = t;
  return OK;
}

/* Also one that is removed. */
static enum err find_any(struct db *db, int64_t business_id, struct str recording_sid, struct transcript *ret_row) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select " TRANSCRIPT_COLUMNS " from transcripts where business_id = ?1 and recording_sid = ?2",
               DB_INT(business_id), DB_TEXT(recording_sid)));
  TRY(db_next(&q));
  return transcript_read_row(&q, ret_row);
}

enum err transcripts_find(struct db *db, int64_t business_id, struct str recording_sid, struct transcript *ret_row) {
  struct transcript t;
  TRY(find_any(db, business_id, recording_sid, &t));
  if (t.status == TRANSCRIPT_REMOVED) return ERR_NOT_FOUND;
  *ret_row = t;
  return OK;
}

enum err transcripts_read(struct db *db, int64_t business_id, struct str recording_sid, int64_t version,
                          struct transcript_version *ret_version, struct buf *b) {
  struct transcript t;
  struct transcript_version v;
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(transcripts_find(db, business_id, recording_sid, &t));
  TRY(db_query(db, &q,
               "select version, engine, model, edited_by, made_at, document from transcript_versions"
               " where business_id = ?1 and recording_sid = ?2 and version = ?3",
               DB_INT(business_id), DB_TEXT(recording_sid), DB_INT(version ? version : t.version)));
  TRY(db_next(&q));
  v.version = db_int(&q, 0);
  v.made_at = db_int(&q, 4);
  enum err e = str_copy(v.engine, sizeof(v.engine), db_text(&q, 1));
  if (e == OK) e = str_copy(v.model, sizeof(v.model), db_text(&q, 2));
  if (e == OK) e = str_copy(v.edited_by, sizeof(v.edited_by), db_text(&q, 3));
  if (e != OK) return ERR_CORRUPT;
  TRY(buf_add(b, db_text(&q, 5)));
  *ret_version = v;
  return OK;
}

/* ---- writing ---- */

static struct db_value error_value(enum transcript_error error) {
  return DB_FILLED_OR_NULL(errors[error].code);
}

static enum err transcript_store(struct db *db, int64_t business_id, struct str recording_sid,
                                 const struct transcript *t) {
  TRY(db_run(db,
             "update transcripts set status = ?3, error = ?4, run = ?5, etag = ?6, pieces_done = ?7, pieces_all = ?8,"
             " failing_since = ?9, engine = ?10, model = ?11, language = ?12, duration_ms = ?13, version = ?14,"
             " edited_by = ?15, edited_at = ?16, updated_at = ?17 where business_id = ?1 and recording_sid = ?2",
             DB_INT(business_id), DB_TEXT(recording_sid), DB_TEXT(str_from(status_names[t->status])),
             error_value(t->error), DB_INT(t->run), DB_FILLED_OR_NULL(t->etag), DB_INT(t->pieces_done),
             DB_INT(t->pieces_all), t->failing_since ? DB_INT(t->failing_since) : DB_NULL, DB_FILLED_OR_NULL(t->engine),
             DB_FILLED_OR_NULL(t->model), DB_FILLED_OR_NULL(t->language), DB_INT_OR_NULL(t->duration_ms),
             DB_INT(t->version), DB_FILLED_OR_NULL(t->edited_by), t->edited_at ? DB_INT(t->edited_at) : DB_NULL,
             DB_INT(t->updated_at)));
  return changes_add(db, CHANGE_TRANSCRIPT, business_id, recording_sid);
}

static enum err transcripts_add_task(struct db *db, const struct recording *r, int rank, int64_t now) {
  struct task task = {.kind = TASK_TRANSCRIBE, .business_id = r->business_id, .rank = rank};
  memcpy(task.recording_sid, r->recording_sid, sizeof(task.recording_sid));
  return tasks_add(db, &task, now); /* (1) */
}

/* The first request for a recording. */
static enum err request_first(struct db *db, const struct recording *r, int rank, int64_t now,
                              struct transcript *ret_row) {
  struct str sid = str_from(r->recording_sid);
  TRY(db_run(db,
             "insert into transcripts (business_id, recording_sid, status, etag, created_at, updated_at)"
             " values (?1, ?2, 'queued', ?3, ?4, ?4)",
             DB_INT(r->business_id), DB_TEXT(sid), DB_FILLED_OR_NULL(r->etag), DB_INT(now)));
  TRY(transcripts_add_task(db, r, rank, now));
  TRY(changes_add(db, CHANGE_RECORDING, r->business_id, sid)); /* its row is read with transcript_asked from now on */
  TRY(changes_add(db, CHANGE_TRANSCRIPT, r->business_id, sid));
  return transcripts_find(db, r->business_id, sid, ret_row);
}

/* Only a higher rank brings a task that waits forward. */
static enum err raise_rank(struct db *db, const struct recording *r, int rank) {
  return db_run(db,
                "update tasks set rank = ?3, due_at = 0 where kind = 'transcribe' and business_id = ?1"
                " and recording_sid = ?2 and rank > ?3",
                DB_INT(r->business_id), DB_TEXT(str_from(r->recording_sid)), DB_INT(rank));
}

/* The run, its lease included, begins again. */
static enum err request_again(struct db *db, const struct recording *r, int rank, int64_t now, struct transcript *t) {
  struct str sid = str_from(r->recording_sid);
  t->status = TRANSCRIPT_QUEUED;
  t->error = TRANSCRIPT_ERROR_NONE;
  t->run++;
  t->pieces_done = t->pieces_all = t->failing_since = 0;
  memcpy(t->etag, r->etag, sizeof(t->etag));
  t->updated_at = now;
  TRY(db_run(db, "delete from tasks where kind = 'transcribe' and business_id = ?1 and recording_sid = ?2",
             DB_INT(r->business_id), DB_TEXT(sid)));
  TRY(transcripts_add_task(db, r, rank, now));
  return transcript_store(db, r->business_id, sid, t);
}

enum err transcripts_request(struct db *db, const struct recording *recording, int rank, bool force, int64_t now,
                             struct transcript *ret_row) {
  struct transcript t;
  enum transcript_status next;
  if (recording->status != RECORDING_READY) return ERR_CONFLICT;
  enum err e = find_any(db, recording->business_id, str_from(recording->recording_sid), &t);
  if (e == ERR_NOT_FOUND) return request_first(db, recording, rank, now, ret_row);
  TRY(e);
  if (t.status == TRANSCRIPT_REMOVED) return ERR_CONFLICT;
  bool same_bytes = strcmp(t.etag, recording->etag) == 0;
  if (transcript_next(t.status, TRANSCRIPT_ASK, &next)) {
    if (t.status == TRANSCRIPT_FAILED || force || !same_bytes) TRY(request_again(db, recording, rank, now, &t));
  } else if (!same_bytes) {
    TRY(request_again(db, recording, rank, now, &t));
  } else {
    TRY(raise_rank(db, recording, rank));
  }
  *ret_row = t;
  return OK;
}

/* ---- versions ---- */

/* The time of the row in which a list shows the recording. */
static enum err listed_at(struct db *db, int64_t business_id, struct str recording_sid, int64_t *ret_at) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select coalesce(listed_at, started_at, first_seen_at) from recordings"
               " where business_id = ?1 and recording_sid = ?2 and status <> 'expired'",
               DB_INT(business_id), DB_TEXT(recording_sid)));
  TRY(db_next(&q));
  *ret_at = db_int(&q, 0);
  return OK;
}

static enum err document_is_free(struct db *db, int64_t business_id, int64_t id, bool *ret_free) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  *ret_free = true;
  TRY(db_query_either(db, &q,
                      "select 1 from transcript_texts where document_id = ?2 union all"
                      " select 1 from transcript_terms_due where business_id = ?1 and rowid = ?2 limit 1",
                      "select 1 from transcript_texts where business_id = ?1 and document_id = ?2", DB_INT(business_id),
                      DB_INT(id)));
  enum err e = db_next(&q);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_free = e == ERR_NOT_FOUND;
  return OK;
}

static enum err document_new_id(struct db *db, int64_t business_id, int64_t at, int64_t *ret_id) {
  enum { TRIES = 20 };
  for (int i = 0; i < TRIES; i++) {
    uint32_t random;
    bool is_free;
    TRY(secret_random(&random, sizeof(random)));
    *ret_id = calls_search_first_id(at + (i > TRIES / 2 ? i : 0)) | (random >> (32 - CALLS_SEARCH_ID_BITS));
    TRY(document_is_free(db, business_id, *ret_id, &is_free));
    if (is_free) return OK;
  }
  return ERR_FULL;
}

static enum err text_replace(struct db *db, int64_t business_id, struct str recording_sid,
                             const struct transcript_content *c) {
  int64_t at, id = 0;
  TRY(listed_at(db, business_id, recording_sid, &at));
  TRY(db_run(db, "delete from transcript_texts where business_id = ?1 and recording_sid = ?2", DB_INT(business_id),
             DB_TEXT(recording_sid)));
  TRY(document_new_id(db, business_id, at, &id));
  TRY(db_run(db,
             "insert into transcript_texts (business_id, recording_sid, document_id, words, marks, text)"
             " values (?1, ?2, ?3, ?4, ?5, ?6)",
             DB_INT(business_id), DB_TEXT(recording_sid), DB_INT(id), DB_TEXT(buf_str(&c->words)),
             DB_TEXT(buf_str(&c->marks)), DB_TEXT(buf_str(&c->text))));
  return db_run(
      db, "update recordings set transcribed = 1 where business_id = ?1 and recording_sid = ?2 and transcribed = 0",
      DB_INT(business_id), DB_TEXT(recording_sid));
}

/* (3) *t has who made it. */
static enum err version_add(struct db *db, int64_t business_id, struct str recording_sid,
                            const struct transcript_content *c, int64_t now, struct transcript *t) {
  TRY(db_run(db,
             "insert into transcript_versions (business_id, recording_sid, version, engine, model, edited_by, made_at,"
             " document) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
             DB_INT(business_id), DB_TEXT(recording_sid), DB_INT(t->version + 1), DB_FILLED_OR_NULL(t->engine),
             DB_FILLED_OR_NULL(t->model), DB_FILLED_OR_NULL(t->edited_by), DB_INT(now),
             DB_TEXT(buf_str(&c->document))));
  t->version++;
  t->updated_at = now;
  TRY(db_run(db, "delete from transcript_versions where business_id = ?1 and recording_sid = ?2 and version = ?3",
             DB_INT(business_id), DB_TEXT(recording_sid), DB_INT(t->version - TRANSCRIPT_VERSIONS_MAX)));
  TRY(text_replace(db, business_id, recording_sid, c));
  return transcript_store(db, business_id, recording_sid, t);
}

enum err transcripts_edit(struct db *db, int64_t business_id, struct str recording_sid, int64_t expected_version,
                          const struct transcript_content *content, struct str by, int64_t now, int64_t *ret_version) {
  struct transcript t;
  TRY(transcripts_find(db, business_id, recording_sid, &t));
  if (!t.version) return ERR_NOT_FOUND;
  if (t.version != expected_version) return ERR_CONFLICT;
  TRY(str_copy(t.edited_by, sizeof(t.edited_by), by));
  t.edited_at = now;
  TRY(version_add(db, business_id, recording_sid, content, now, &t));
  *ret_version = t.version;
  return OK;
}

/* ---- the worker ---- */

/* (2) */
static enum err find_of_task(struct db *db, const struct task *task, int64_t now, struct transcript *ret_row) {
  TRY(tasks_renew(db, task, now));
  enum err e = transcripts_find(db, task->business_id, str_from(task->recording_sid), ret_row);
  return e == ERR_NOT_FOUND ? ERR_CONFLICT : e;
}

static enum err transcripts_move(struct db *db, const struct task *task, enum transcript_event event, int64_t now,
                                 struct transcript *t) {
  if (!transcript_next(t->status, event, &t->status)) return ERR_CONFLICT;
  t->updated_at = now;
  return transcript_store(db, task->business_id, str_from(task->recording_sid), t);
}

enum err transcripts_begin(struct db *db, const struct task *task, int64_t now, struct transcript *ret_row) {
  struct transcript t;
  TRY(find_of_task(db, task, now, &t));
  t.error = TRANSCRIPT_ERROR_NONE;
  TRY(transcripts_move(db, task, TRANSCRIPT_CLAIM, now, &t));
  *ret_row = t;
  return OK;
}

enum err transcripts_set_pieces(struct db *db, const struct task *task, int64_t pieces_all, int64_t now) {
  struct transcript t;
  TRY(find_of_task(db, task, now, &t));
  t.pieces_all = pieces_all;
  t.updated_at = now;
  return transcript_store(db, task->business_id, str_from(task->recording_sid), &t);
}

enum err transcripts_piece_put(struct db *db, const struct task *task, int64_t run, int channel, int piece,
                               struct str answer, int64_t now) {
  struct transcript t;
  struct str sid = str_from(task->recording_sid);
  if (answer.n > TRANSCRIPT_ANSWER_MAX) return ERR_TOO_BIG;
  TRY(find_of_task(db, task, now, &t));
  if (t.run != run) return ERR_CONFLICT; /* (4) */
  TRY(db_run(
      db,
      "insert into transcript_pieces (business_id, recording_sid, run, channel, piece, answer)"
      " values (?1, ?2, ?3, ?4, ?5, ?6) on conflict (business_id, recording_sid, run, channel, piece) do nothing",
      DB_INT(task->business_id), DB_TEXT(sid), DB_INT(run), DB_INT(channel), DB_INT(piece), DB_TEXT(answer)));
  t.pieces_done += db_changed(db);
  t.failing_since = 0;
  t.updated_at = now;
  return transcript_store(db, task->business_id, sid, &t);
}

enum err transcripts_piece_get(struct db *db, int64_t business_id, struct str recording_sid, int64_t run, int channel,
                               int piece, struct buf *b) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select answer from transcript_pieces where business_id = ?1 and recording_sid = ?2 and run = ?3"
               " and channel = ?4 and piece = ?5",
               DB_INT(business_id), DB_TEXT(recording_sid), DB_INT(run), DB_INT(channel), DB_INT(piece)));
  TRY(db_next(&q));
  return buf_add(b, db_text(&q, 0));
}

enum err transcripts_pieces_each(struct db *db, int64_t business_id, struct str recording_sid, int64_t run,
                                 transcripts_piece_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select channel, piece, answer from transcript_pieces where business_id = ?1 and recording_sid = ?2"
               " and run = ?3 order by channel, piece",
               DB_INT(business_id), DB_TEXT(recording_sid), DB_INT(run)));
  enum err e;
  while ((e = db_next(&q)) == OK) TRY(fn(arg, (int)db_int(&q, 0), (int)db_int(&q, 1), db_text(&q, 2)));
  return e == ERR_NOT_FOUND ? OK : e;
}

enum err transcripts_finish(struct db *db, const struct task *task, const struct transcript_result *result,
                            const struct transcript_content *content, int64_t now, int64_t *ret_version) {
  struct transcript t;
  TRY(find_of_task(db, task, now, &t));
  if (!transcript_next(t.status, TRANSCRIPT_FINISH, &t.status)) return ERR_CONFLICT;
  t.error = TRANSCRIPT_ERROR_NONE;
  t.failing_since = t.edited_at = 0;
  t.edited_by[0] = '\0';
  t.duration_ms = result->duration_ms;
  TRY(str_copy(t.engine, sizeof(t.engine), str_from(result->engine)));
  TRY(str_copy(t.model, sizeof(t.model), str_head_utf8(str_from(result->model), sizeof(t.model) - 1)));
  TRY(str_copy(t.language, sizeof(t.language), str_from(result->language)));
  TRY(version_add(db, task->business_id, str_from(task->recording_sid), content, now, &t));
  *ret_version = t.version;
  return tasks_end(db, task); /* (1) */
}

enum err transcripts_fail(struct db *db, const struct task *task, enum transcript_error error, int64_t now) {
  struct transcript t;
  TRY(find_of_task(db, task, now, &t));
  t.error = error;
  TRY(transcripts_move(db, task, TRANSCRIPT_FAIL, now, &t));
  return tasks_end(db, task); /* (1) */
}

enum err transcripts_wait(struct db *db, const struct task *task, enum transcript_error error, int64_t due_at,
                          int64_t now) {
  struct transcript t;
  TRY(find_of_task(db, task, now, &t));
  t.error = error;
  if (error != TRANSCRIPT_ERROR_NONE && !t.failing_since) t.failing_since = now;
  TRY(transcripts_move(db, task, TRANSCRIPT_WAIT, now, &t));
  /* An engine that can't be asked says nothing about the recording, so no attempt has failed. */
  bool was_tried = error != TRANSCRIPT_ERROR_ENGINE_UNREACHABLE && error != TRANSCRIPT_ERROR_RATE_LIMITED;
  return tasks_postpone(db, task, due_at, was_tried ? str_from(errors[error].code) : STR_NONE);
}

/* ---- a person's number is taken out ---- */

enum { PLACE_RUN_BITS = 40, PLACE_CHANNEL_BITS = 32 };

static enum err place_next(struct db_rows *q, int64_t at, struct transcript_place *place, struct buf *b) {
  TRY(db_text_copy(q, 0, place->recording_sid, sizeof(place->recording_sid)));
  place->at = at;
  return buf_add(b, db_text(q, 1));
}

enum err transcripts_next_version(struct db *db, int64_t business_id, struct transcript_place *place, struct buf *b) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select recording_sid, document, version, edited_by from transcript_versions where business_id = ?1"
               " and (recording_sid, version) > (?2, ?3) order by recording_sid, version limit 1",
               DB_INT(business_id), DB_TEXT(str_from(place->recording_sid)), DB_INT(place->at)));
  TRY(db_next(&q));
  TRY(db_text_copy(&q, 3, place->edited_by, sizeof(place->edited_by)));
  return place_next(&q, db_int(&q, 2), place, b);
}

static int64_t place_run(const struct transcript_place *place) {
  return place->at >> PLACE_RUN_BITS;
}

static int64_t place_channel(const struct transcript_place *place) {
  return (place->at >> PLACE_CHANNEL_BITS) & ((INT64_C(1) << (PLACE_RUN_BITS - PLACE_CHANNEL_BITS)) - 1);
}

static int64_t place_piece(const struct transcript_place *place) {
  return place->at & ((INT64_C(1) << PLACE_CHANNEL_BITS) - 1);
}

enum err transcripts_next_answer(struct db *db, int64_t business_id, struct transcript_place *place, struct buf *b) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select recording_sid, answer, run, channel, piece from transcript_pieces where business_id = ?1"
               " and (recording_sid, run, channel, piece) > (?2, ?3, ?4, ?5)"
               " order by recording_sid, run, channel, piece limit 1",
               DB_INT(business_id), DB_TEXT(str_from(place->recording_sid)), DB_INT(place_run(place)),
               DB_INT(place_channel(place)), DB_INT(place_piece(place))));
  TRY(db_next(&q));
  return place_next(&q, db_int(&q, 2) << PLACE_RUN_BITS | db_int(&q, 3) << PLACE_CHANNEL_BITS | db_int(&q, 4), place,
                    b);
}

/* The number of the version changes, so that ETags and corrections of the earlier text are refused. */
enum err transcripts_replace(struct db *db, int64_t business_id, struct str recording_sid,
                             const struct transcript_content *content, int64_t now) {
  struct transcript t;
  TRY(transcripts_find(db, business_id, recording_sid, &t));
  TRY(db_run(db,
             "update transcript_versions set version = version + 1, document = ?4 where business_id = ?1"
             " and recording_sid = ?2 and version = ?3",
             DB_INT(business_id), DB_TEXT(recording_sid), DB_INT(t.version), DB_TEXT(buf_str(&content->document))));
  if (!db_changed(db)) return ERR_NOT_FOUND;
  t.version++;
  t.updated_at = now;
  TRY(text_replace(db, business_id, recording_sid, content));
  return transcript_store(db, business_id, recording_sid, &t);
}

enum err transcripts_set_editor(struct db *db, int64_t business_id, const struct transcript_place *place, int64_t now) {
  struct str sid = str_from(place->recording_sid);
  struct transcript t;
  TRY(transcripts_find(db, business_id, sid, &t));
  TRY(db_run(db,
             "update transcript_versions set edited_by = ?4 where business_id = ?1 and recording_sid = ?2"
             " and version = ?3",
             DB_INT(business_id), DB_TEXT(sid), DB_INT(place->at), DB_TEXT(str_from(place->edited_by))));
  if (place->at != t.version) return OK;
  memcpy(t.edited_by, place->edited_by, sizeof(t.edited_by));
  t.updated_at = now;
  return transcript_store(db, business_id, sid, &t);
}

enum err transcripts_delete_version(struct db *db, int64_t business_id, const struct transcript_place *place) {
  return db_run(
      db,
      "delete from transcript_versions where business_id = ?1 and recording_sid = ?2 and version = ?3"
      " and version < (select t.version from transcripts t where t.business_id = ?1 and t.recording_sid = ?2)",
      DB_INT(business_id), DB_TEXT(str_from(place->recording_sid)), DB_INT(place->at));
}

enum err transcripts_delete_answer(struct db *db, int64_t business_id, const struct transcript_place *place) {
  struct db_value business = DB_INT(business_id), sid = DB_TEXT(str_from(place->recording_sid)),
                  run = DB_INT(place_run(place));
  TRY(db_run(db,
             "delete from transcript_pieces where business_id = ?1 and recording_sid = ?2 and run = ?3"
             " and channel = ?4 and piece = ?5",
             business, sid, run, DB_INT(place_channel(place)), DB_INT(place_piece(place))));
  return db_run(db,
                "update transcripts set pieces_done = pieces_done - 1 where business_id = ?1 and recording_sid = ?2"
                " and run = ?3 and pieces_done > 0",
                business, sid, run);
}

/* ---- removing ---- */

enum err transcripts_forget_pieces(struct db *db, int64_t business_id, struct str recording_sid, int64_t run, int limit,
                                   bool *ret_more) {
  TRY(db_run(db,
             "delete from transcript_pieces where business_id = ?1 and recording_sid = ?2 and (run, channel, piece) in"
             " (select run, channel, piece from transcript_pieces where business_id = ?1 and recording_sid = ?2"
             "  and run < ?3 limit ?4)",
             DB_INT(business_id), DB_TEXT(recording_sid), DB_INT(run), DB_INT(limit)));
  *ret_more = db_changed(db) == limit;
  return OK;
}

enum err transcripts_remove(struct db *db, int64_t business_id, struct str recording_sid, int limit, bool *ret_more) {
  TRY(transcripts_forget_pieces(db, business_id, recording_sid, INT64_MAX, limit, ret_more));
  if (*ret_more) return OK;
  TRY(db_run(db,
             "delete from transcript_versions where business_id = ?1 and recording_sid = ?2 and version in"
             " (select version from transcript_versions where business_id = ?1 and recording_sid = ?2 limit ?3)",
             DB_INT(business_id), DB_TEXT(recording_sid), DB_INT(limit)));
  *ret_more = db_changed(db) == limit;
  if (*ret_more) return OK;
  return db_run(db, "delete from transcripts where business_id = ?1 and recording_sid = ?2 and status = 'removed'",
                DB_INT(business_id), DB_TEXT(recording_sid));
}

enum err transcripts_purge(struct db *db, int64_t business_id, int limit, int *ret_count) {
  int64_t count = 0;
  TRY(db_run(db,
             "delete from transcript_pieces where business_id = ?1 and (recording_sid, run, channel, piece) in"
             " (select recording_sid, run, channel, piece from transcript_pieces where business_id = ?1 limit ?2)",
             DB_INT(business_id), DB_INT(limit)));
  count += db_changed(db);
  TRY(db_run(db,
             "delete from transcript_versions where business_id = ?1 and (recording_sid, version) in"
             " (select recording_sid, version from transcript_versions where business_id = ?1 limit ?2)",
             DB_INT(business_id), DB_INT(limit - count)));
  count += db_changed(db);
  TRY(db_run(db,
             "delete from transcripts where business_id = ?1 and recording_sid in"
             " (select recording_sid from transcripts where business_id = ?1 limit ?2)",
             DB_INT(business_id), DB_INT(limit - count)));
  count += db_changed(db);
  *ret_count = (int)count;
  return OK;
}
