/* api_sessions.c - GET /api/sessions: the sessions and unused sign-in links of a business. DELETE /api/sessions[/{session_id}]:
 * ends all, or one.
 *
 * A business has at most SESSIONS_PER_BUSINESS_MAX sessions. The list has the newest LISTED_MAX of them, and of its links. */
#include <stdlib.h>
#include <string.h>

#include "api/auth/api_session_cache.h"
#include "api/handlers/api_handlers.h"
#include "api/request/api_answer.h"
#include "api/request/api_audit.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_security.h"
#include "api/request/problem.h"
#include "base/clock.h"
#include "base/log.h"
#include "ledger/sessions.h"

enum { LISTED_MAX = 1000, ROW_MAX = 4 * SESSION_SUBJECT_SIZE + 512 };

struct sessions_request {
  struct db_call db_call;
  struct buf json;
  int count;
  bool needs_comma;
  char id[SESSION_ID_SIZE]; /* DELETE: "": all */
  struct session_ended ended;
};

/* db_call is the first member. */
static struct sessions_request *sessions_request_of(struct db_call *c) {
  return (struct sessions_request *)(void *)c;
}

static void sessions_end_request(struct sessions_request *s) {
  db_call_end(&s->db_call);
  buf_done(&s->json);
  free(s);
}

/* NULL: it was answered. */
static struct sessions_request *sessions_request_new(const struct api_request *req) {
  struct sessions_request *s = calloc(1, sizeof(*s));
  if (!s) {
    problem_answer_err(req->x, ERR_NOMEM);
    return NULL;
  }
  db_call_begin(&s->db_call, req);
  s->db_call.leaves_catalog_unchanged = true;
  return s;
}

static void sessions_answer_err(struct sessions_request *s, enum err e) {
  problem_answer_err(s->db_call.x, e);
  sessions_end_request(s);
}

/* ---- GET ---- */

static enum err add_text(struct buf *b, const char *name, const char *text) {
  TRY(buf_addf(b, ",\"%s\":", name));
  return text[0] ? buf_add_json(b, str_from(text)) : buf_add(b, STR("null"));
}

static enum err add_time(struct buf *b, const char *name, int64_t ms) {
  char text[DATE_TEXT_SIZE];
  date_format_rfc3339(ms, text);
  return buf_addf(b, ",\"%s\":\"%s\"", name, text);
}

static enum err add_session(void *arg, const struct session *row) {
  struct sessions_request *s = arg;
  struct buf *b = &s->json;
  if (s->count++ >= LISTED_MAX) return OK;
  if (s->needs_comma) TRY(buf_add_char(b, ','));
  s->needs_comma = true;
  TRY(buf_addf(b, "{\"session_id\":\"%s\",\"kind\":\"session\",\"role\":\"%s\"", row->id, row->role));
  TRY(add_text(b, "subject", row->subject));
  TRY(add_text(b, "made_by", row->made_by));
  TRY(add_time(b, "made_at", row->created_at));
  TRY(add_time(b, "expires_at", row->expires_at));
  return buf_add_char(b, '}');
}

static enum err add_link(void *arg, const struct link *row) {
  struct sessions_request *s = arg;
  struct buf *b = &s->json;
  if (s->count++ >= LISTED_MAX) return OK;
  if (s->needs_comma) TRY(buf_add_char(b, ','));
  s->needs_comma = true;
  TRY(buf_addf(b, "{\"session_id\":\"%s\",\"kind\":\"link\",\"role\":\"%s\",\"subject\":null", row->id, row->role));
  TRY(add_text(b, "made_by", row->made_by));
  TRY(add_time(b, "made_at", row->made_at));
  TRY(add_time(b, "expires_at", row->expires_at));
  return buf_add_char(b, '}');
}

static enum err sessions_read(struct db *db, struct db_call *c) {
  struct sessions_request *s = sessions_request_of(c);
  int64_t business_id = c->subject.business_id;
  TRY(buf_add(&s->json, STR("{\"sessions\":[")));
  TRY(sessions_each(db, business_id, c->now, add_session, s));
  s->count = 0;
  TRY(links_each(db, business_id, c->now, add_link, s));
  return buf_add(&s->json, STR("]}"));
}

static void sessions_on_read(struct db_call *c) {
  struct sessions_request *s = sessions_request_of(c);
  struct http_fields f;
  if (c->result != OK) {
    sessions_answer_err(s, c->result);
    return;
  }
  answer_fields(&f);
  answer_json(c->x, 200, &f, buf_str(&s->json));
  sessions_end_request(s);
}

void api_list_sessions(void *arg, struct http_exchange *x) {
  struct sessions_request *s = sessions_request_new(arg);
  (void)x;
  if (!s) return;
  buf_init(&s->json, (size_t)(2 * LISTED_MAX + 1) * ROW_MAX);
  enum err e = db_call_read(&s->db_call, sessions_read, sessions_on_read);
  if (e != OK) sessions_answer_err(s, e);
}

/* ---- DELETE ---- */

static enum err sessions_delete(struct db *db, struct db_call *c) {
  struct sessions_request *s = sessions_request_of(c);
  int64_t business_id = c->subject.business_id;
  if (!s->id[0]) {
    TRY(sessions_end_all(db, business_id));
    return db_call_audit_number(db, c, AUDIT_SESSION_REVOKED, "business", business_id);
  }
  TRY(sessions_end_id(db, business_id, str_from(s->id), &s->ended));
  return db_call_audit_id(db, c, AUDIT_SESSION_REVOKED, s->ended.is_link ? "link" : "session", s->id);
}

static void sessions_log(const struct sessions_request *s) {
  const struct db_call *c = &s->db_call;
  bool is_link = s->ended.is_link;
  char by[SUBJECT_TEXT_SIZE];
  subject_text(&c->subject, &c->api->url_key, by);
  security_note(is_link ? METRIC_SECURITY_LINK_ENDED : METRIC_SECURITY_SESSION_ENDED);
  log_info(is_link ? "Sign-in link ended" : "Session ended", LOG_INT("business", c->subject.business_id),
           LOG_TEXT(is_link ? "link" : "session", s->id[0] ? s->id : "all"), LOG_TEXT("by", by),
           LOG_TEXT("role", access_role_name(c->subject.role)));
}

static void sessions_on_deleted(struct db_call *c) {
  struct sessions_request *s = sessions_request_of(c);
  struct http_fields f;
  if (c->result != OK) {
    sessions_answer_err(s, c->result);
    return;
  }
  /* This process forgets them at once; other processes when they read the change. A link is in no cache. */
  if (!s->ended.is_link) session_changed(c->api->versions, c->subject.business_id, str_from(s->ended.digest));
  sessions_log(s);
  answer_fields(&f);
  answer_empty(c->x, 204, &f);
  sessions_end_request(s);
}

static void sessions_begin_delete(struct sessions_request *s) {
  enum err e = db_call_write(&s->db_call, METRIC_JOB_SESSION, sessions_delete, sessions_on_deleted);
  if (e != OK) sessions_answer_err(s, e);
}

void api_end_sessions(void *arg, struct http_exchange *x) {
  struct sessions_request *s = sessions_request_new(arg);
  (void)x;
  if (s) sessions_begin_delete(s);
}

void api_end_session_id(void *arg, struct http_exchange *x) {
  const struct api_request *req = arg;
  struct str id = req->match.params[0];
  char session_id[SESSION_ID_SIZE];
  bool good = id.n == SESSION_ID_SIZE - 1 && str_copy(session_id, sizeof(session_id), id) == OK;
  for (size_t i = 0; good && i < id.n; i++) good = strchr("0123456789abcdef", id.p[i]) && id.p[i];
  if (!good) {
    problem_answer_field(x, STR("session_id"));
    return;
  }
  struct sessions_request *s = sessions_request_new(req);
  if (!s) return;
  memcpy(s->id, session_id, sizeof(s->id));
  sessions_begin_delete(s);
}
