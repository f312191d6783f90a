/* api_sign_url.c - POST /api/recordings/{id}/url: makes a signed URL that plays one recording until it expires.
 *
 *   read the recording --> write the URL's row, by which it can be revoked --> sign and answer
 *
 * If {id} is a call, this request chooses its recording; the URL then names that recording. */
#include <stdlib.h>
#include <string.h>

#include "api/handlers/api_handlers.h"
#include "api/request/api_answer.h"
#include "api/request/api_audit.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/api_security.h"
#include "api/request/problem.h"
#include "base/clock.h"
#include "base/log.h"
#include "db/db_clock.h"
#include "domain/signed_url.h"
#include "ledger/urls.h"

enum { URL_MAX = 8192, TTL_SIZE = 16 };

struct sign_request {
  struct db_call db_call;
  char id[SID_SIZE];
  int64_t ttl_s;
  bool call_known;
  struct recording row;
  struct url url;
  bool too_many;
};

static enum err sign_read_row(struct db *db, struct db_call *c) {
  struct sign_request *s = (struct sign_request *)(void *)c; /* db_call is the first member */
  return recordings_resolve(db, c->subject.business_id, str_from(s->id), &s->call_known, &s->row);
}

static enum err sign_write_json(const struct sign_request *s, struct buf *b) {
  struct buf url CLEANUP(buf_done) = BUF_INIT(URL_MAX);
  const struct db_call *c = &s->db_call;
  char expires[DATE_TEXT_SIZE];
  TRY(signed_url_write(&c->api->url_key, str_from(c->api->public_url), c->subject.business_id,
                       str_from(s->row.recording_sid), str_from(s->url.url_id), s->url.expires_at, &url));
  date_format_rfc3339(s->url.expires_at, expires);
  TRY(buf_add(b, STR("{\"url\":")));
  TRY(buf_add_json(b, buf_str(&url)));
  return buf_addf(b, ",\"expires_at\":\"%s\"}", expires);
}

static void sign_answer(const struct sign_request *s) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(2 * URL_MAX);
  struct http_fields f;
  enum err e = sign_write_json(s, &b);
  answer_fields(&f);
  if (!str_eq(str_from(s->id), str_from(s->row.recording_sid)))
    field_recording_path(s->db_call.api, &f, STR("Content-Location"), s->row.recording_sid, "url");
  if (e == OK)
    answer_json(s->db_call.x, 200, &f, buf_str(&b));
  else
    problem_answer_err(s->db_call.x, e);
}

static void sign_end(struct sign_request *s) {
  db_call_end(&s->db_call);
  free(s);
}

static enum err sign_write_row(struct db *db, struct db_call *c) {
  struct sign_request *s = (struct sign_request *)(void *)c;
  enum err e = urls_add(db, &s->url);
  s->too_many = e == ERR_BUSY;
  if (e != OK) return e;
  struct buf details CLEANUP(buf_done) = BUF_INIT(AUDIT_DETAILS_SIZE);
  TRY(buf_addf(&details, "{\"url_id\":\"%s\"}", s->url.url_id));
  return db_call_audit(db, c, AUDIT_SHARE, str_from(s->url.recording_sid), buf_str(&details));
}

static void sign_log(const struct sign_request *s) {
  char until[DATE_TEXT_SIZE];
  date_format_rfc3339(s->url.expires_at, until);
  security_note(METRIC_SECURITY_URL_SIGNED);
  log_info("URL signed", LOG_INT("business", s->url.business_id), LOG_TEXT("url", s->url.url_id),
           LOG_TEXT("by", s->url.made_by), LOG_TEXT("call", s->row.call_sid),
           LOG_TEXT("recording", s->url.recording_sid), LOG_TEXT("until", until));
}

static void sign_on_written(struct db_call *c) {
  struct sign_request *s = (struct sign_request *)(void *)c;
  if (c->result == OK) {
    sign_log(s);
    sign_answer(s);
  } else if (s->too_many) {
    metric_add(METRIC_HTTP_LIMITED, METRIC_LIMIT_URLS, 1);
    problem_answer_detail(
        c->x, PROBLEM_TOO_MANY_REQUESTS,
        "The business has 100,000 signed URLs in force. Revoke some, or wait until some have expired.");
  } else {
    problem_answer_err(c->x, c->result);
  }
  sign_end(s);
}

static void sign_begin_write(struct sign_request *s) {
  struct db_call *c = &s->db_call;
  char by[SUBJECT_TEXT_SIZE];
  subject_text(&c->subject, &c->api->url_key, by);
  s->url = (struct url){.business_id = c->subject.business_id,
                        .key_id = c->subject.key_id,
                        .expires_at = signed_url_expiry(s->ttl_s, db_clock_now_ms())};
  enum err e = str_copy(s->url.recording_sid, sizeof(s->url.recording_sid), str_from(s->row.recording_sid));
  if (e == OK) e = str_copy(s->url.made_by, sizeof(s->url.made_by), str_from(by));
  c->leaves_catalog_unchanged = true;
  if (e == OK) e = db_call_write(c, METRIC_JOB_SESSION, sign_write_row, sign_on_written);
  if (e == OK) return;
  problem_answer_err(c->x, e);
  sign_end(s);
}

static void sign_on_row(struct db_call *c) {
  struct sign_request *s = (struct sign_request *)(void *)c;
  if (c->result == ERR_NOT_FOUND && s->call_known)
    problem_answer_detail(c->x, PROBLEM_NOT_FOUND, "This call has no recording.");
  else if (c->result != OK)
    problem_answer_err(c->x, c->result);
  else if (s->row.status == RECORDING_EXPIRED)
    problem_answer(c->x, PROBLEM_GONE, NULL);
  else {
    sign_begin_write(s);
    return;
  }
  sign_end(s);
}

/* False: 400 was answered. */
static bool sign_read_ttl(struct api_request *req, int64_t *ret_ttl_s) {
  char text[TTL_SIZE];
  uint64_t ttl = SIGNED_URL_TTL_DEFAULT_S;
  if (!request_query_value(req, "ttl", text, sizeof(text))) return false;
  if (text[0] && (str_to_u64(str_from(text), SIGNED_URL_TTL_MAX_S, &ttl) != OK || ttl == 0)) {
    problem_answer_field(req->x, STR("ttl"));
    return false;
  }
  *ret_ttl_s = (int64_t)ttl;
  return true;
}

void api_sign_url(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  int64_t ttl_s;
  if (!request_id(req, ID_RECORDING_OR_CALL) || !sign_read_ttl(req, &ttl_s)) return;
  struct sign_request *s = calloc(1, sizeof(*s));
  if (!s) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  db_call_begin(&s->db_call, req);
  s->ttl_s = ttl_s;
  memcpy(s->id, req->id, sizeof(s->id));
  enum err e = db_call_read(&s->db_call, sign_read_row, sign_on_row);
  if (e == OK) return;
  problem_answer_err(x, e);
  db_call_end(&s->db_call);
  free(s);
}
