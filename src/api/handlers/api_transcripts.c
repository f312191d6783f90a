/* api_transcripts.c - GET /api/recordings/{id}/transcript?format=json|txt|srt|vtt&version=N: what was said in a recording.
 *
 *   one read: the recording, its transcript's state, the document --> JSON as it is, or written as text or subtitles
 *
 * It looks and never acts: it queues nothing, and 404 is answered where nobody asked for a transcript. An answer with words in it
 * is an entry of the audit. Corrections and requests: api_transcripts_write.c. */
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
#include "http/range.h"
#include "speech/speech_export.h"

enum { FORMAT_SIZE = 8, VERSION_TEXT_SIZE = 24, WHAT_SIZE = 64, JSON_MAX = TRANSCRIPT_DOCUMENT_MAX + 4096 };

struct transcript_request {
  struct db_call db_call; /* the first member */
  char id[SID_SIZE];
  int64_t wanted_version; /* 0: the newest */
  bool is_export, is_get;
  enum speech_export export;
  const char *format; /* "json", "txt" … */
  bool found, call_known;
  struct recording recording;
  struct transcript row;
  struct transcript_version version; /* version 0: there is none */
  struct buf body;
};

static struct transcript_request *transcript_request_of(struct db_call *c) {
  return (struct transcript_request *)(void *)c;
}

static void transcript_request_free(struct transcript_request *t) {
  db_call_end(&t->db_call);
  buf_done(&t->body);
  free(t);
}

/* ---- on a reader ---- */

static enum err transcript_write_export(struct transcript_request *t, struct str json) {
  struct speech_document document CLEANUP(speech_document_done) = SPEECH_DOCUMENT_INIT;
  struct speech_wrong wrong;
  if (json.n) TRY(speech_document_parse(json, &document, &wrong));
  return speech_export_write(&document, t->export, &t->body);
}

static enum err transcript_read_rows(struct db *db, struct transcript_request *t, struct buf *document) {
  int64_t business_id = t->db_call.subject.business_id;
  TRY(recordings_resolve(db, business_id, str_from(t->id), &t->call_known, &t->recording));
  struct str sid = str_from(t->recording.recording_sid);
  t->found = true;
  TRY(transcripts_find(db, business_id, sid, &t->row));
  if (!t->wanted_version && !t->row.version) return OK;
  return transcripts_read(db, business_id, sid, t->wanted_version, &t->version, document);
}

static enum err transcript_read(struct db *db, struct db_call *c) {
  struct transcript_request *t = transcript_request_of(c);
  struct buf document CLEANUP(buf_done) = BUF_INIT(TRANSCRIPT_DOCUMENT_MAX);
  TRY(db_begin(db));
  enum err e = transcript_read_rows(db, t, &document);
  db_rollback(db);
  TRY(e);
  if (t->is_export) return transcript_write_export(t, buf_str(&document));
  return transcript_write(&t->body, &t->row, t->version.version ? &t->version : NULL, buf_str(&document));
}

/* ---- the answer ---- */

static void transcript_add_place(const struct transcript_request *t, struct http_fields *f) {
  if (!str_eq(str_from(t->id), str_from(t->recording.recording_sid)))
    field_recording_path(t->db_call.api, f, STR("Content-Location"), t->recording.recording_sid, "transcript");
}

static void transcript_answer_none(struct transcript_request *t) {
  struct http_exchange *x = t->db_call.x;
  if (t->found && t->recording.status == RECORDING_EXPIRED)
    problem_answer(x, PROBLEM_GONE, NULL);
  else if (t->found && t->wanted_version)
    problem_answer_detail(x, PROBLEM_NOT_FOUND, "The transcript has no such version.");
  else if (t->found)
    problem_answer_detail(x, PROBLEM_NOT_FOUND, "Nobody asked for a transcript of this recording.");
  else if (t->call_known)
    problem_answer_detail(x, PROBLEM_NOT_FOUND, "This call has no recording.");
  else
    problem_answer_err(x, ERR_NOT_FOUND);
}

static void transcript_answer(struct transcript_request *t) {
  struct db_call *c = &t->db_call;
  struct http_fields f;
  char etag[TRANSCRIPT_ETAG_SIZE];
  int64_t first, last;
  transcript_etag(&t->row, t->version.version, t->format, etag);
  answer_fields(&f);
  http_field(&f, STR("ETag"), str_from(etag));
  transcript_add_place(t, &f);
  const struct http_representation have = {.etag = str_from(etag), .modified_s = -1, .length = -1};
  enum http_selection selection = http_select(http_request(c->x), &have, &first, &last);
  if (selection == HTTP_SELECT_FAILED) {
    problem_answer(c->x, PROBLEM_PRECONDITION_FAILED, NULL);
    return;
  }
  if (selection == HTTP_SELECT_UNCHANGED) {
    answer_empty(c->x, 304, &f);
    return;
  }
  if (t->version.version && t->is_get)
    audit_playback(c->loop, c->x, &c->subject, str_from(t->recording.recording_sid), AUDIT_TRANSCRIPT_READ);
  if (t->is_export)
    http_fieldf(&f, STR("Content-Disposition"), "attachment; filename=\"%s.%s\"", t->recording.recording_sid,
                t->format);
  const char *type = t->is_export ? speech_export_content_type(t->export) : "application/json";
  db_call_answer_large(c, &f, str_from(type), buf_str(&t->body));
}

static void transcript_on_read(struct db_call *c) {
  struct transcript_request *t = transcript_request_of(c);
  if (c->result == OK)
    transcript_answer(t);
  else if (c->result == ERR_NOT_FOUND)
    transcript_answer_none(t);
  else
    problem_answer_err(c->x, c->result);
  transcript_request_free(t);
}

/* ---- the request ---- */

/* False: 400 was answered. */
static bool transcript_read_format(struct api_request *req, struct transcript_request *t) {
  static const char *const names[] = {"txt", "srt", "vtt"};
  char format[FORMAT_SIZE];
  if (!request_query_value(req, "format", format, sizeof(format))) return false;
  t->format = "json";
  if (!format[0] || strcmp(format, "json") == 0) return true;
  t->is_export = true;
  for (size_t i = 0; i < COUNT_OF(names); i++)
    if (strcmp(names[i], format) == 0) t->format = names[i];
  if (speech_export_find(str_from(format), &t->export)) return true;
  problem_answer_field(req->x, STR("format"));
  return false;
}

/* False: 400 was answered. */
static bool transcript_read_version(struct api_request *req, struct transcript_request *t) {
  char text[VERSION_TEXT_SIZE];
  if (!request_query_value(req, "version", text, sizeof(text))) return false;
  if (!text[0] || str_to_i64(str_from(text), 1, INT32_MAX, &t->wanted_version) == OK) return true;
  problem_answer_field(req->x, STR("version"));
  return false;
}

void api_get_transcript(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  if (!request_id(req, ID_RECORDING_OR_CALL)) return;
  struct transcript_request *t = calloc(1, sizeof(*t));
  if (!t) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  db_call_begin(&t->db_call, req);
  buf_init(&t->body, JSON_MAX);
  memcpy(t->id, req->id, sizeof(t->id));
  t->is_get = req->request->method == HTTP_GET;
  if (!transcript_read_format(req, t) || !transcript_read_version(req, t)) {
    transcript_request_free(t);
    return;
  }
  enum err e = db_call_read(&t->db_call, transcript_read, transcript_on_read);
  if (e == OK) return;
  problem_answer_err(x, e);
  transcript_request_free(t);
}
