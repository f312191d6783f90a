/* api_session.c - POST, GET and DELETE /api/session: sign in, read who is signed in, sign out.
 *
 *   POST   --> write the session --> 204, Set-Cookie          DELETE --> end the session --> 204, the cookie is cleared
 *
 * Invariants
 *  (1) A session has the rights of the credential that made it, and ends with it: with its key, at the exp of its JWT, and
 *      after 12 h at the latest.
 *  (2) A session can't create another session. */
#include <stdlib.h>
#include <string.h>

#include "api/auth/api_cookie.h"
#include "api/auth/api_session_cache.h"
#include "api/handlers/api_handlers.h"
#include "api/request/api_answer.h"
#include "api/request/api_audit.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/api_security.h"
#include "api/request/api_subject.h"
#include "api/request/problem.h"
#include "base/clock.h"
#include "base/log.h"

enum { ANSWER_MAX = 4096, FLAG_SIZE = 8 };

struct session_request {
  struct db_call db_call;
  struct session session;                             /* POST: the row to write */
  char tokens[COOKIE_VALUES_MAX][SESSION_TOKEN_SIZE]; /* POST: the first: of the new session; DELETE: of those to end */
  size_t count;                                       /* DELETE */
};

/* db_call is the first member. */
static struct session_request *session_request_of(struct db_call *c) {
  return (struct session_request *)(void *)c;
}

static void session_begin_write(struct session_request *w, enum err (*run)(struct db *db, struct db_call *c),
                                void (*on_done)(struct db_call *c)) {
  w->db_call.leaves_catalog_unchanged = true;
  enum err e = db_call_write(&w->db_call, METRIC_JOB_SESSION, run, on_done);
  if (e == OK) return;
  problem_answer_err(w->db_call.x, e);
  db_call_end(&w->db_call);
  free(w);
}

static struct session_request *session_request_new(const struct api_request *req) {
  struct session_request *w = calloc(1, sizeof(*w));
  if (!w) {
    problem_answer_err(req->x, ERR_NOMEM);
    return NULL;
  }
  db_call_begin(&w->db_call, req);
  return w;
}

/* ---- POST: sign in ---- */

static enum err session_create_row(struct db *db, struct db_call *c) {
  struct session_request *w = session_request_of(c);
  const struct subject *s = &c->subject;
  int64_t latest = c->now + COOKIE_AGE_MAX_S * INT64_C(1000);
  w->session.business_id = s->business_id;
  w->session.key_id = s->key_id;
  w->session.expires_at = s->expires_at && s->expires_at < latest ? s->expires_at : latest;
  if (w->session.expires_at <= c->now)
    return ERR_DENIED; /* the JWT has expired and is accepted only within its leeway */
  TRY(str_copy(w->session.role, sizeof(w->session.role), str_from(access_role_name(s->role))));
  TRY(str_copy(w->session.subject, sizeof(w->session.subject), str_from(s->name)));
  char by[SUBJECT_TEXT_SIZE];
  subject_text(s, &c->api->url_key, by);
  TRY(str_copy(w->session.made_by, sizeof(w->session.made_by), str_from(by)));
  TRY(sessions_create(db, &w->session, w->tokens[0]));
  return db_call_audit_sign_in(db, c, &w->session);
}

static void session_log(const char *message, enum metric_label_SECURITY event, const struct db_call *c,
                        const char *session_id) {
  char by[SUBJECT_TEXT_SIZE];
  subject_text(&c->subject, &c->api->url_key, by);
  security_note(event);
  log_info(message, LOG_INT("business", c->subject.business_id), LOG_TEXT("session", session_id), LOG_TEXT("by", by),
           LOG_TEXT("role", access_role_name(c->subject.role)));
}

static void session_on_created(struct db_call *c) {
  struct session_request *w = session_request_of(c);
  struct http_fields f;
  answer_fields(&f);
  if (c->result == OK) {
    session_log("Session made", METRIC_SECURITY_SESSION_MADE, c, w->session.id);
    cookie_set(c->api->cookie, str_from(w->tokens[0]), (w->session.expires_at - c->now + 999) / 1000, &f);
    answer_empty(c->x, 204, &f);
  } else if (c->result == ERR_DENIED) {
    problem_answer(c->x, PROBLEM_UNAUTHORIZED, NULL);
  } else {
    problem_answer_err(c->x, c->result);
  }
  secret_wipe(w->tokens, sizeof(w->tokens));
  db_call_end(c);
  free(w);
}

void api_make_session(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  if (req->subject.session[0]) { /* (2) */
    problem_answer(x, PROBLEM_UNAUTHORIZED, NULL);
    return;
  }
  struct session_request *w = session_request_new(req);
  if (w) session_begin_write(w, session_create_row, session_on_created);
}

/* ---- GET: who is signed in; with details=1 also to what, and in which session ---- */

static enum err session_write_subject(struct buf *b, const struct api_request *req) {
  const struct subject *s = &req->subject;
  char text[SUBJECT_TEXT_SIZE];
  if (s->kind == SUBJECT_USER) return s->name[0] ? buf_add_json(b, str_from(s->name)) : buf_add(b, STR("null"));
  subject_text(s, &req->api->url_key, text);
  return buf_add_json(b, str_from(text));
}

/* The beginning that all numbers of the business share: "" if it has none. */
static struct str session_number_prefix(const struct access_business *b) {
  struct str prefix = b->number_count ? b->numbers[0] : STR("");
  for (size_t i = 1; i < b->number_count; i++) {
    size_t n = 0;
    while (n < prefix.n && n < b->numbers[i].n && prefix.p[n] == b->numbers[i].p[n]) n++;
    prefix.n = n;
  }
  return prefix;
}

static enum err session_write_details(struct buf *b, const struct api_request *req) {
  const struct access_business *of = access_find_business(req->loop->access, req->subject.business_id);
  if (!of) return ERR_NOT_FOUND;
  struct str prefix = session_number_prefix(of);
  TRY(buf_add(b, STR(",\"business\":{\"name\":")));
  TRY(buf_add_json(b, of->name));
  TRY(buf_add(b, STR(",\"number_prefix\":")));
  TRY(prefix.n ? buf_add_json(b, prefix) : buf_add(b, STR("null")));
  TRY(buf_addf(b, ",\"transcribes\":%s},\"session_id\":", req->api->parts.conf->speech_engine ? "true" : "false"));
  if (!req->subject.session[0]) return buf_add(b, STR("null"));
  char digest[SESSION_DIGEST_TEXT_SIZE];
  session_digest(str_from(req->subject.session), digest);
  return buf_addf(b, "\"%.*s\"", SESSION_ID_SIZE - 1, digest); /* a session's id is the beginning of its digest */
}

static enum err session_write_json(struct buf *b, const struct api_request *req, bool details_too) {
  const struct subject *s = &req->subject;
  char expires[DATE_TEXT_SIZE];
  TRY(buf_addf(b, "{\"business_id\":%lld,\"subject\":", (long long)s->business_id));
  TRY(session_write_subject(b, req));
  TRY(buf_addf(b, ",\"role\":\"%s\",\"expires_at\":", access_role_name(s->role)));
  if (s->expires_at) {
    date_format_rfc3339(s->expires_at, expires);
    TRY(buf_addf(b, "\"%s\"", expires));
  } else {
    TRY(buf_add(b, STR("null")));
  }
  if (details_too) TRY(session_write_details(b, req));
  return buf_add_char(b, '}');
}

void api_get_session(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  char details[FLAG_SIZE];
  if (!request_query(req, "details", details, sizeof(details))) return;
  if (details[0] && strcmp(details, "1") != 0) {
    problem_answer_field(x, STR("details"));
    return;
  }
  struct buf b CLEANUP(buf_done) = BUF_INIT(ANSWER_MAX);
  struct http_fields f;
  enum err e = session_write_json(&b, req, details[0] != '\0');
  answer_fields(&f);
  if (e == OK)
    answer_json(x, 200, &f, buf_str(&b));
  else
    problem_answer_err(x, e);
}

/* ---- DELETE: sign out ---- */

static void session_answer_signed_out(const struct api *a, struct http_exchange *x) {
  struct http_fields f;
  answer_fields(&f);
  cookie_clear(a->cookie, &f);
  answer_empty(x, 204, &f);
}

static enum err session_end_row(struct db *db, struct db_call *c) {
  const struct session_request *w = session_request_of(c);
  for (size_t i = 0; i < w->count; i++) TRY(sessions_end(db, str_from(w->tokens[i])));
  char digest[SESSION_DIGEST_TEXT_SIZE];
  session_digest(str_from(c->subject.session), digest);
  digest[SESSION_ID_SIZE - 1] = '\0'; /* a session's id is the beginning of its digest */
  return c->subject.session[0] ? db_call_audit_id(db, c, AUDIT_SIGN_OUT, "session", digest) : OK;
}

static void session_on_ended(struct db_call *c) {
  struct session_request *w = session_request_of(c);
  if (c->result == OK) {
    for (size_t i = 0; i < w->count; i++) {
      char digest[SESSION_DIGEST_TEXT_SIZE];
      session_digest(str_from(w->tokens[i]), digest);
      /* This process forgets the session at once; other processes when they read the change. */
      session_changed(c->api->versions, c->subject.business_id, str_from(digest));
      digest[SESSION_ID_SIZE - 1] = '\0'; /* a session's id is the beginning of its digest */
      session_log("Session ended", METRIC_SECURITY_SESSION_ENDED, c, digest);
    }
    session_answer_signed_out(c->api, c->x);
  } else {
    problem_answer_err(c->x, c->result);
  }
  secret_wipe(w->tokens, sizeof(w->tokens));
  db_call_end(c);
  free(w);
}

void api_end_session(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  struct cookie_values values;
  if (cookie_find(req->api->cookie, req->request, &values) != OK) {
    session_answer_signed_out(req->api,
                              x); /* the request has no session cookie: it was admitted by another credential */
    return;
  }
  struct session_request *w = session_request_new(req);
  if (!w) return;
  for (size_t i = 0; i < values.count; i++) /* calloc made the terminating NULs */
    if (values.all[i].n == SESSION_TOKEN_SIZE - 1) memcpy(w->tokens[w->count++], values.all[i].p, values.all[i].n);
  w->db_call.outlives_caller = true; /* the sessions end even if the client has left */
  session_begin_write(w, session_end_row, session_on_ended);
}
