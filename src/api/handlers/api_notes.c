/* api_notes.c - GET and POST /api/recordings/{id}/notes; PATCH and DELETE /api/recordings/{id}/notes/{note_id}.
 *
 *   GET                  one read: the recording, its notes
 *   POST, PATCH, DELETE  one write: the recording, may it be done?, the note --> answered with what was written
 *
 * If {id} is a call, the request chooses its recording as others do; Content-Location names it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handlers/api_handlers.h"
#include "api/request/api_answer.h"
#include "api/request/api_audit.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/problem.h"
#include "domain/note.h"

/* A character takes at most six bytes of JSON; the rest is for the other members. */
enum { NOTE_JSON_MAX = 6 * NOTE_TEXT_SIZE + 2048, NOTES_JSON_MAX = NOTES_MAX * NOTE_JSON_MAX, WHAT_SIZE = 40 };

enum refusal { REFUSED_NOT, REFUSED_FULL, REFUSED_EXPIRED, REFUSED_ANOTHERS };

struct notes_request {
  struct db_call db_call;
  char id[SID_SIZE];
  struct note_patch patch;
  char by[NOTE_BY_SIZE], author[NOTE_BY_SIZE]; /* of the subject */
  bool call_known;
  enum refusal refusal;
  struct recording row;
  struct note note; /* note_id is that of the request */
  struct buf json;
};

/* db_call is the first member. */
static struct notes_request *notes_request_of(struct db_call *c) {
  return (struct notes_request *)(void *)c;
}

static void notes_request_free(struct notes_request *n) {
  db_call_end(&n->db_call);
  note_patch_done(&n->patch);
  buf_done(&n->json);
  free(n);
}

/* A note names its author as the host does; whose it is goes by the name in logs, which every subject has. */
static void notes_name_subject(struct notes_request *n, const struct api_request *req) {
  const struct subject *s = &req->subject;
  char text[SUBJECT_TEXT_SIZE];
  subject_text(s, &req->api->url_key, text);
  (void)snprintf(n->author, sizeof(n->author), "%s", text);
  if (s->kind == SUBJECT_USER && s->name[0])
    (void)snprintf(n->by, sizeof(n->by), "user:%s", s->name);
  else
    (void)snprintf(n->by, sizeof(n->by), "%s", text);
}

/* Takes patch, which may be NULL. NULL: 503 was answered. */
static struct notes_request *notes_request_new(const struct api_request *req, struct note_patch *patch) {
  struct notes_request *n = calloc(1, sizeof(*n));
  if (!n) {
    if (patch) note_patch_done(patch);
    problem_answer_err(req->x, ERR_NOMEM);
    return NULL;
  }
  db_call_begin(&n->db_call, req);
  n->db_call.leaves_catalog_unchanged = true;
  memcpy(n->id, req->id, sizeof(n->id));
  if (patch) n->patch = *patch;
  notes_name_subject(n, req);
  buf_init(&n->json, NOTES_JSON_MAX);
  return n;
}

/* ---- answers ---- */

static void notes_answer_refusal(struct http_exchange *x, enum refusal refusal) {
  if (refusal == REFUSED_FULL)
    problem_answer_detail(x, PROBLEM_CONFLICT, "The recording has 500 notes. Delete one first.");
  else if (refusal == REFUSED_EXPIRED)
    problem_answer(x, PROBLEM_GONE, NULL);
  else
    problem_answer_detail(x, PROBLEM_FORBIDDEN, "Only the one who wrote the note, or an admin, may change it.");
}

/* False: a problem was answered. */
static bool notes_went_well(struct notes_request *n) {
  struct db_call *c = &n->db_call;
  if (n->refusal)
    notes_answer_refusal(c->x, n->refusal);
  else if (c->result == ERR_NOT_FOUND && n->call_known)
    problem_answer_detail(c->x, PROBLEM_NOT_FOUND, "This call has no recording.");
  else if (c->result != OK)
    problem_answer_err(c->x, c->result);
  return !n->refusal && c->result == OK;
}

/* what: the path below the recording. */
static void notes_add_place(const struct notes_request *n, struct http_fields *f, const char *what) {
  answer_fields(f);
  if (!str_eq(str_from(n->id), str_from(n->row.recording_sid)))
    field_recording_path(n->db_call.api, f, STR("Content-Location"), n->row.recording_sid, what);
}

static void notes_on_list(struct db_call *c) {
  struct notes_request *n = notes_request_of(c);
  struct http_fields f;
  if (notes_went_well(n)) {
    notes_add_place(n, &f, "notes");
    db_call_answer_large(c, &f, STR("application/json"), buf_str(&n->json));
  }
  notes_request_free(n);
}

static void notes_answer_note(struct notes_request *n, int status) {
  struct http_fields f;
  char what[WHAT_SIZE];
  (void)snprintf(what, sizeof(what), "notes/%lld", (long long)n->note.note_id);
  notes_add_place(n, &f, what);
  if (status == 201) field_recording_path(n->db_call.api, &f, STR("Location"), n->row.recording_sid, what);
  enum err e = note_write(&n->json, &n->note);
  if (e == OK)
    answer_json(n->db_call.x, status, &f, buf_str(&n->json));
  else
    problem_answer_err(n->db_call.x, e);
}

static void notes_on_added(struct db_call *c) {
  struct notes_request *n = notes_request_of(c);
  if (notes_went_well(n)) notes_answer_note(n, 201);
  notes_request_free(n);
}

static void notes_on_edited(struct db_call *c) {
  struct notes_request *n = notes_request_of(c);
  if (notes_went_well(n)) notes_answer_note(n, 200);
  notes_request_free(n);
}

static void notes_on_deleted(struct db_call *c) {
  struct notes_request *n = notes_request_of(c);
  struct http_fields f;
  answer_fields(&f);
  if (notes_went_well(n)) answer_empty(c->x, 204, &f);
  notes_request_free(n);
}

/* ---- on the database's threads ---- */

static enum err notes_find_recording(struct db *db, struct notes_request *n) {
  n->refusal = REFUSED_NOT;
  enum err e = recordings_resolve(db, n->db_call.subject.business_id, str_from(n->id), &n->call_known, &n->row);
  if (e == OK) n->call_known = false; /* a later ERR_NOT_FOUND is about the note */
  return e;
}

static enum err notes_add_json(void *arg, const struct note *note) {
  struct buf *b = arg;
  if (b->p[b->n - 1] != '[') TRY(buf_add_char(b, ','));
  return note_write(b, note);
}

static enum err notes_write_list(struct db *db, struct notes_request *n) {
  TRY(notes_find_recording(db, n));
  TRY(buf_add(&n->json, STR("{\"notes\":[")));
  TRY(notes_each(db, n->db_call.subject.business_id, str_from(n->row.recording_sid), notes_add_json, &n->json));
  return buf_add(&n->json, STR("]}"));
}

static enum err notes_read_list(struct db *db, struct db_call *c) {
  struct notes_request *n = notes_request_of(c);
  TRY(db_begin(db));
  enum err e = notes_write_list(db, n);
  db_rollback(db);
  return e;
}

static enum err notes_audit(struct db *db, const struct notes_request *n, enum audit_action action) {
  struct buf details CLEANUP(buf_done) = BUF_INIT(AUDIT_DETAILS_SIZE);
  TRY(buf_addf(&details, "{\"note_id\":%lld}", (long long)n->note.note_id));
  return db_call_audit(db, &n->db_call, action, str_from(n->row.recording_sid), buf_str(&details));
}

static enum err notes_run_add(struct db *db, struct db_call *c) {
  struct notes_request *n = notes_request_of(c);
  TRY(notes_find_recording(db, n));
  if (n->row.status == RECORDING_EXPIRED) {
    n->refusal = REFUSED_EXPIRED;
    return OK;
  }
  n->note = (struct note){.at_ms = -1, .created_at = c->now};
  memcpy(n->note.by, n->by, sizeof(n->note.by));
  memcpy(n->note.author, n->author, sizeof(n->note.author));
  (void)note_patch_apply(&n->patch, &n->note);
  enum err e = notes_add(db, c->subject.business_id, str_from(n->row.recording_sid), &n->note);
  if (e == ERR_FULL) n->refusal = REFUSED_FULL;
  if (e != OK) return e == ERR_FULL ? OK : e;
  return notes_audit(db, n, AUDIT_NOTE_ADD);
}

/* Finds the note, and refuses what the subject may not do. */
static enum err notes_find_note(struct db *db, struct notes_request *n) {
  const struct subject *s = &n->db_call.subject;
  TRY(notes_find_recording(db, n));
  TRY(notes_get(db, s->business_id, str_from(n->row.recording_sid), n->note.note_id, &n->note));
  if (s->role < ACCESS_ADMIN && strcmp(n->note.author, n->author) != 0) n->refusal = REFUSED_ANOTHERS;
  return OK;
}

static enum err notes_run_edit(struct db *db, struct db_call *c) {
  struct notes_request *n = notes_request_of(c);
  TRY(notes_find_note(db, n));
  if (!n->refusal && n->row.status == RECORDING_EXPIRED) n->refusal = REFUSED_EXPIRED;
  if (n->refusal || !note_patch_apply(&n->patch, &n->note)) return OK;
  n->note.edited_at = c->now;
  TRY(notes_store(db, c->subject.business_id, str_from(n->row.recording_sid), &n->note));
  return notes_audit(db, n, AUDIT_NOTE_EDIT);
}

static enum err notes_run_delete(struct db *db, struct db_call *c) {
  struct notes_request *n = notes_request_of(c);
  TRY(notes_find_note(db, n));
  if (n->refusal) return OK;
  TRY(notes_delete(db, c->subject.business_id, str_from(n->row.recording_sid), n->note.note_id));
  return notes_audit(db, n, AUDIT_NOTE_DELETE);
}

/* ---- the requests ---- */

static void notes_begin_write(struct notes_request *n, enum err (*run)(struct db *db, struct db_call *c),
                              void (*on_done)(struct db_call *c)) {
  enum err e = db_call_write(&n->db_call, METRIC_JOB_EDIT, run, on_done);
  if (e == OK) return;
  problem_answer_err(n->db_call.x, e);
  notes_request_free(n);
}

/* False: 400 was answered. */
static bool notes_read_patch(struct api_request *req, bool is_new, struct note_patch *ret_patch) {
  const char *why;
  if (note_patch_read(req->request->body, is_new, ret_patch, &why) == OK) return true;
  problem_answer_detail(req->x, PROBLEM_BAD_REQUEST, why);
  return false;
}

/* False: 400 was answered. */
static bool notes_read_note_id(struct api_request *req, int64_t *ret_note_id) {
  if (str_to_i64(req->match.params[1], 1, NOTE_ID_MAX, ret_note_id) == OK) return true;
  problem_answer_field(req->x, STR("note_id"));
  return false;
}

void api_list_notes(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  if (!request_id(req, ID_RECORDING_OR_CALL)) return;
  struct notes_request *n = notes_request_new(req, NULL);
  if (!n) return;
  enum err e = db_call_read(&n->db_call, notes_read_list, notes_on_list);
  if (e == OK) return;
  problem_answer_err(x, e);
  notes_request_free(n);
}

void api_add_note(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  struct note_patch patch;
  (void)x;
  if (!request_id(req, ID_RECORDING_OR_CALL) || !notes_read_patch(req, true, &patch)) return;
  struct notes_request *n = notes_request_new(req, &patch);
  if (n) notes_begin_write(n, notes_run_add, notes_on_added);
}

void api_edit_note(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  struct note_patch patch;
  int64_t note_id;
  (void)x;
  if (!request_id(req, ID_RECORDING_OR_CALL) || !notes_read_note_id(req, &note_id)) return;
  if (!notes_read_patch(req, false, &patch)) return;
  struct notes_request *n = notes_request_new(req, &patch);
  if (!n) return;
  n->note.note_id = note_id;
  notes_begin_write(n, notes_run_edit, notes_on_edited);
}

void api_delete_note(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  int64_t note_id;
  (void)x;
  if (!request_id(req, ID_RECORDING_OR_CALL) || !notes_read_note_id(req, &note_id)) return;
  struct notes_request *n = notes_request_new(req, NULL);
  if (!n) return;
  n->note.note_id = note_id;
  notes_begin_write(n, notes_run_delete, notes_on_deleted);
}
