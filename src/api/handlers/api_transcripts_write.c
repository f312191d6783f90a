/* api_transcripts_write.c - PUT /api/recordings/{id}/transcript: a person's correction, which becomes the next version.
 * POST /api/recordings/{id}/transcribe: has a recording transcribed.
 *
 *   PUT   If-Match is there? (428) --> a reader: the newest version is the one that was read? (412), the body is a whole
 *         transcript? (400) --> the writer: it is still the newest? (412) --> 200 with the next version
 *   POST  the writer: an engine is set up, the business transcribes, the recording is ready? (409) --> 202 with the state; a
 *         transcript that is there stays, without force=1
 *
 * A correction is parsed on a reader: the writer gets it ready to store. */
#include <inttypes.h>
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
#include "domain/transcript_view.h"
#include "ledger/businesses_speech.h"
#include "speech/speech_content.h"

enum { ETAGS_SIZE = 1024, STATE_MAX = 4096, JSON_MAX = TRANSCRIPT_DOCUMENT_MAX + 4096 };

struct correction {
  struct db_call db_call; /* the first member */
  char id[SID_SIZE];
  char etags[ETAGS_SIZE];           /* PUT: If-Match */
  char by[SUBJECT_TEXT_SIZE + 8];   /* PUT */
  struct buf body;                  /* PUT: a copy of the request's */
  bool force;                       /* POST */
  bool is_off;                      /* POST: the business transcribes nothing */
  bool found, call_known, is_stale; /* is_stale: 412 */
  bool is_wrong;                    /* 400: wrong names the member */
  struct speech_wrong wrong;
  struct recording recording;
  struct transcript row;
  struct transcript_version version;
  struct transcript_content content; /* PUT: of the next version */
  struct buf json;
};

static struct correction *correction_of(struct db_call *c) {
  return (struct correction *)(void *)c;
}

static void correction_free(struct correction *k) {
  db_call_end(&k->db_call);
  buf_done(&k->body);
  buf_done(&k->json);
  transcript_content_done(&k->content);
  free(k);
}

/* NULL: 503 was answered. */
static struct correction *correction_new(const struct api_request *req) {
  struct correction *k = calloc(1, sizeof(*k));
  if (!k) {
    problem_answer_err(req->x, ERR_NOMEM);
    return NULL;
  }
  db_call_begin(&k->db_call, req);
  memcpy(k->id, req->id, sizeof(k->id));
  k->content = (struct transcript_content)TRANSCRIPT_CONTENT;
  buf_init(&k->body, TRANSCRIPT_BODY_MAX);
  buf_init(&k->json, JSON_MAX);
  return k;
}

static void correction_answer_err(struct correction *k, enum err e) {
  struct http_exchange *x = k->db_call.x;
  if (k->found && k->recording.status == RECORDING_EXPIRED)
    problem_answer(x, PROBLEM_GONE, NULL);
  else if (e == ERR_NOT_FOUND && k->found)
    problem_answer_detail(x, PROBLEM_NOT_FOUND, "This recording has no transcript that could be corrected.");
  else if (e == ERR_NOT_FOUND && k->call_known)
    problem_answer_detail(x, PROBLEM_NOT_FOUND, "This call has no recording.");
  else
    problem_answer_err(x, e);
  correction_free(k);
}

static enum err correction_find(struct db *db, struct correction *k) {
  TRY(recordings_resolve(db, k->db_call.subject.business_id, str_from(k->id), &k->call_known, &k->recording));
  k->found = true;
  return k->recording.status == RECORDING_EXPIRED ? ERR_NOT_FOUND : OK;
}

static void correction_add_place(const struct correction *k, struct http_fields *f, struct str name) {
  field_recording_path(k->db_call.api, f, name, k->recording.recording_sid, "transcript");
}

/* ---- PUT ---- */

static enum err correction_read_before(struct db *db, struct correction *k, struct buf *document) {
  int64_t business_id = k->db_call.subject.business_id;
  TRY(correction_find(db, k));
  struct str sid = str_from(k->recording.recording_sid);
  TRY(transcripts_find(db, business_id, sid, &k->row));
  k->is_stale = !transcript_etags_have_version(str_from(k->etags), k->row.version);
  if (k->is_stale) return OK;
  return transcripts_read(db, business_id, sid, k->row.version, &k->version, document);
}

static enum err correction_parse(struct correction *k, struct str json) {
  struct speech_document before CLEANUP(speech_document_done) = SPEECH_DOCUMENT_INIT;
  struct speech_document after CLEANUP(speech_document_done) = SPEECH_DOCUMENT_INIT;
  TRY(speech_document_parse(json, &before, &k->wrong));
  enum err e = speech_document_edit(&before, buf_str(&k->body), &after, &k->wrong);
  k->is_wrong = e == ERR_INVALID || e == ERR_TOO_BIG;
  if (e != OK) return k->is_wrong ? OK : e;
  return speech_content_make(k->db_call.subject.business_id, &after, &k->content);
}

static enum err correction_prepare(struct db *db, struct db_call *c) {
  struct correction *k = correction_of(c);
  struct buf document CLEANUP(buf_done) = BUF_INIT(TRANSCRIPT_DOCUMENT_MAX);
  TRY(db_begin(db));
  enum err e = correction_read_before(db, k, &document);
  db_rollback(db);
  if (e != OK || k->is_stale) return e;
  return correction_parse(k, buf_str(&document));
}

static enum err correction_audit(struct db *db, const struct db_call *c, const char *recording_sid) {
  return db_call_audit(db, c, AUDIT_EDIT, str_from(recording_sid), STR("{\"fields\":[\"transcript\"]}"));
}

static enum err correction_store(struct db *db, struct db_call *c) {
  struct correction *k = correction_of(c);
  int64_t business_id = c->subject.business_id;
  struct str sid = str_from(k->recording.recording_sid);
  enum err e = transcripts_edit(db, business_id, sid, k->version.version, &k->content, str_from(k->by), c->now,
                                &k->version.version);
  k->is_stale = e == ERR_CONFLICT;
  if (k->is_stale) return OK;
  TRY(e);
  TRY(transcripts_find(db, business_id, sid, &k->row));
  return correction_audit(db, c, k->recording.recording_sid);
}

static void correction_answer_stored(struct correction *k) {
  struct http_fields f;
  char etag[TRANSCRIPT_ETAG_SIZE];
  struct transcript_version version = k->version;
  memcpy(version.edited_by, k->row.edited_by, sizeof(version.edited_by));
  version.made_at = k->row.edited_at;
  enum err e = transcript_write(&k->json, &k->row, &version, buf_str(&k->content.document));
  if (e != OK) {
    problem_answer_err(k->db_call.x, e);
    return;
  }
  transcript_etag(&k->row, version.version, "json", etag);
  answer_fields(&f);
  http_field(&f, STR("ETag"), str_from(etag));
  correction_add_place(k, &f, STR("Content-Location"));
  db_call_answer_large(&k->db_call, &f, STR("application/json"), buf_str(&k->json));
}

static void correction_on_stored(struct db_call *c) {
  struct correction *k = correction_of(c);
  if (c->result != OK) {
    correction_answer_err(k, c->result);
    return;
  }
  if (k->is_stale)
    problem_answer_detail(c->x, PROBLEM_PRECONDITION_FAILED, "Another version was stored meanwhile. Read it again.");
  else
    correction_answer_stored(k);
  correction_free(k);
}

static void correction_on_prepared(struct db_call *c) {
  struct correction *k = correction_of(c);
  if (c->result != OK) {
    correction_answer_err(k, c->result);
    return;
  }
  if (!k->is_stale && !k->is_wrong) {
    enum err e = db_call_write(c, METRIC_JOB_EDIT, correction_store, correction_on_stored);
    if (e != OK) correction_answer_err(k, e);
    return;
  }
  if (k->is_stale)
    problem_answer_detail(c->x, PROBLEM_PRECONDITION_FAILED, "This is not the newest version. Read it again.");
  else
    problem_answer_field(c->x, k->wrong.field[0] ? str_from(k->wrong.field) : STR("the body"));
  correction_free(k);
}

/* A correction names its author as the host does. */
static void correction_name_subject(struct correction *k) {
  const struct subject *s = &k->db_call.subject;
  char text[SUBJECT_TEXT_SIZE];
  subject_text(s, &k->db_call.api->url_key, text);
  if (s->kind == SUBJECT_USER && s->name[0])
    (void)snprintf(k->by, sizeof(k->by), "user:%s", s->name);
  else
    (void)snprintf(k->by, sizeof(k->by), "%s", text);
}

void api_put_transcript(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  if (!request_id(req, ID_RECORDING_OR_CALL)) return;
  struct str etags = http_header_get(req->request, STR("If-Match"));
  if (!etags.n) {
    problem_answer(x, PROBLEM_PRECONDITION_REQUIRED, NULL);
    return;
  }
  struct correction *k = correction_new(req);
  if (!k) return;
  correction_name_subject(k);
  enum err e = str_copy(k->etags, sizeof(k->etags), etags);
  if (e != OK) {
    problem_answer_field(x, STR("If-Match"));
    correction_free(k);
    return;
  }
  e = buf_add(&k->body, req->request->body);
  if (e == OK) e = db_call_read(&k->db_call, correction_prepare, correction_on_prepared);
  if (e != OK) correction_answer_err(k, e);
}

/* ---- POST ---- */

static enum err transcribe_run(struct db *db, struct db_call *c) {
  struct correction *k = correction_of(c);
  struct business_speech speech;
  TRY(correction_find(db, k));
  if (!c->api->parts.conf->speech_engine) return ERR_CONFLICT;
  TRY(businesses_speech_get(db, c->subject.business_id, &speech));
  k->is_off = speech.transcribe == TRANSCRIBE_NEVER;
  if (k->is_off) return ERR_CONFLICT;
  TRY(transcripts_request(db, &k->recording, RECORDING_RANK_PLAY, k->force, c->now, &k->row));
  return db_call_audit(db, c, AUDIT_TRANSCRIBE, str_from(k->recording.recording_sid), STR_NONE);
}

static void transcribe_answer_conflict(struct correction *k) {
  struct http_exchange *x = k->db_call.x;
  if (!k->db_call.api->parts.conf->speech_engine)
    problem_answer(x, PROBLEM_NO_ENGINE, NULL);
  else if (k->is_off)
    problem_answer_detail(x, PROBLEM_CONFLICT, "A setting of the business says that nothing is transcribed.");
  else
    problem_answer_detail(x, PROBLEM_CONFLICT, "The recording is not ready. It can be transcribed once it is.");
}

static void transcribe_on_done(struct db_call *c) {
  struct correction *k = correction_of(c);
  struct http_fields f;
  enum err e = c->result == OK ? transcript_write_state(&k->json, &k->row) : c->result;
  if (e == ERR_CONFLICT) {
    transcribe_answer_conflict(k);
  } else if (e != OK) {
    correction_answer_err(k, e);
    return;
  } else {
    answer_fields(&f);
    correction_add_place(k, &f, STR("Location"));
    answer_json(c->x, 202, &f, buf_str(&k->json));
  }
  correction_free(k);
}

void api_transcribe(void *arg, struct http_exchange *x) {
  (void)x;
  struct api_request *req = arg;
  bool is_forced;
  if (!request_id(req, ID_RECORDING_OR_CALL) || !request_query_flag(req, "force", &is_forced)) return;
  struct correction *k = correction_new(req);
  if (!k) return;
  k->force = is_forced;
  enum err e = db_call_write(&k->db_call, METRIC_JOB_EDIT, transcribe_run, transcribe_on_done);
  if (e != OK) correction_answer_err(k, e);
}
