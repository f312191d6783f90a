/* api_signin.c - /signin: a link signs a person in. It works once, within ten minutes.
 *
 *   GET  --> read the link, and the session of the browser's cookie --> a page that says who will be signed in, with a button
 *   POST token --> use the link and create the session, in one transaction --> 303, Set-Cookie
 *   POST key   --> create a session with an API key --> 303, Set-Cookie
 *   used, expired or unknown --> 401 with a page that says so, and a form for an API key
 *
 * Invariants
 *  (1) GET and HEAD leave the link unused: a scanner that opens links uses none, and is given no cookie.
 *  (2) A page of another origin can't make the browser post: Origin, or Sec-Fetch-Site, must be this service's. */
#include <stdlib.h>
#include <string.h>

#include "api/auth/api_access_lookup.h"
#include "api/auth/api_auth.h"
#include "api/auth/api_cookie.h"
#include "api/handlers/api_handlers.h"
#include "api/handlers/api_signin_page.h"
#include "api/request/api_answer.h"
#include "api/request/api_audit.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_origin.h"
#include "api/request/api_request.h"
#include "api/request/api_security.h"
#include "api/request/problem.h"
#include "base/log.h"
#include "ledger/keys.h"

struct signin_request {
  struct db_call db_call;
  char token[SESSION_TOKEN_SIZE];   /* the link's; "": by a key */
  char present[SESSION_TOKEN_SIZE]; /* the browser's session cookie; "": none */
  struct link link;
  bool has_session;              /* of `present` */
  struct session old_session;    /* of `present` */
  struct session session;        /* the new one */
  char made[SESSION_TOKEN_SIZE]; /* its token */
};

/* db_call is the first member. */
static struct signin_request *signin_request_of(struct db_call *c) {
  return (struct signin_request *)(void *)c;
}

static void signin_end(struct signin_request *s) {
  db_call_end(&s->db_call);
  secret_wipe(s->token, sizeof(s->token));
  secret_wipe(s->present, sizeof(s->present));
  secret_wipe(s->made, sizeof(s->made));
  free(s);
}

/* ---- answers ---- */

static void signin_refuse(struct api *a, struct http_exchange *x, bool is_key) {
  struct buf page CLEANUP(buf_done) = BUF_INIT(SIGNIN_PAGE_MAX);
  security_refused(a, is_key ? METRIC_CREDENTIAL_KEY : METRIC_CREDENTIAL_LINK);
  if (signin_page_refusal(&page, a->path_base, is_key) == OK)
    signin_page_answer(x, 401, &page);
  else
    problem_answer_err(x, ERR_NOMEM);
}

static void signin_answer_err(struct signin_request *s, enum err e) {
  if (e == ERR_NOT_FOUND)
    signin_refuse(s->db_call.api, s->db_call.x, s->token[0] == '\0');
  else
    problem_answer_err(s->db_call.x, e);
  signin_end(s);
}

static void signin_log(const struct signin_request *s) {
  const struct session *made = &s->session;
  if (s->token[0]) {
    security_note(METRIC_SECURITY_LINK_USED);
    log_info("Sign-in link used", LOG_INT("business", made->business_id), LOG_TEXT("link", s->link.id),
             LOG_TEXT("session", made->id), LOG_TEXT("by", s->link.made_by), LOG_TEXT("role", made->role));
  }
  security_note(METRIC_SECURITY_SESSION_MADE);
  log_info("Session made", LOG_INT("business", made->business_id), LOG_TEXT("session", made->id),
           LOG_TEXT("by", made->made_by), LOG_TEXT("role", made->role));
}

static void signin_on_used(struct db_call *c) {
  struct signin_request *s = signin_request_of(c);
  struct api *a = c->api;
  struct http_fields f;
  if (c->result != OK) {
    signin_answer_err(s, c->result);
    return;
  }
  answer_fields(&f);
  http_fieldf(&f, STR("Location"), "%.*s/", STR_ARG(a->path_base));
  cookie_set(a->cookie, str_from(s->made), (s->session.expires_at - c->now) / 1000, &f);
  signin_log(s);
  answer_empty(c->x, 303, &f);
  signin_end(s);
}

static struct str signin_business_name(const struct db_call *c, int64_t business_id) {
  const struct access_business *b = access_find_business(c->loop->access, business_id);
  return b ? b->name : STR_NONE;
}

static void signin_on_link(struct db_call *c) {
  struct signin_request *s = signin_request_of(c);
  struct buf page CLEANUP(buf_done) = BUF_INIT(SIGNIN_PAGE_MAX);
  if (c->result != OK) {
    signin_answer_err(s, c->result);
    return;
  }
  const struct signin_offer offer = {.token = str_from(s->token),
                                     .business = signin_business_name(c, s->link.business_id),
                                     .role = str_from(s->link.role),
                                     .replaces = s->has_session,
                                     .old_business = signin_business_name(c, s->old_session.business_id),
                                     .old_role = str_from(s->old_session.role),
                                     .old_subject = str_from(s->old_session.subject)};
  if (signin_page_offer(&page, c->api->path_base, &offer) == OK)
    signin_page_answer(c->x, 200, &page);
  else
    problem_answer_err(c->x, ERR_NOMEM);
  signin_end(s);
}

/* ---- database ---- */

static enum err signin_read_link(struct db *db, struct db_call *c) {
  struct signin_request *s = signin_request_of(c);
  TRY(links_look(db, str_from(s->token), c->now, &s->link));
  enum err e = s->present[0] ? sessions_find(db, str_from(s->present), c->now, &s->old_session) : ERR_NOT_FOUND;
  s->has_session = e == OK;
  return e == ERR_NOT_FOUND ? OK : e;
}

static enum err signin_use_link(struct db *db, struct db_call *c) {
  struct signin_request *s = signin_request_of(c);
  TRY(links_use(db, str_from(s->token), c->now, &s->link));
  s->session = (struct session){.business_id = s->link.business_id,
                                .key_id = s->link.key_id,
                                .expires_at = c->now + COOKIE_AGE_MAX_S * INT64_C(1000)};
  memcpy(s->session.role, s->link.role, sizeof(s->session.role));
  struct buf by CLEANUP(buf_done) = BUF_INIT(sizeof(s->session.made_by));
  TRY(buf_addf(&by, "link:%s", s->link.id));
  TRY(str_copy(s->session.made_by, sizeof(s->session.made_by), buf_str(&by)));
  TRY(sessions_create(db, &s->session, s->made));
  return db_call_audit_sign_in(db, c, &s->session);
}

static enum err signin_use_key(struct db *db, struct db_call *c) {
  struct signin_request *s = signin_request_of(c);
  struct key key;
  struct buf by CLEANUP(buf_done) = BUF_INIT(sizeof(s->session.made_by));
  TRY(keys_get(db, s->session.key_id, &key));
  if (key.revoked_at || (key.expires_at && key.expires_at <= c->now)) return ERR_NOT_FOUND;
  s->session.expires_at = c->now + COOKIE_AGE_MAX_S * INT64_C(1000);
  if (key.expires_at && key.expires_at < s->session.expires_at) s->session.expires_at = key.expires_at;
  TRY(buf_addf(&by, "key:%lld", (long long)s->session.key_id));
  TRY(str_copy(s->session.made_by, sizeof(s->session.made_by), buf_str(&by)));
  TRY(sessions_create(db, &s->session, s->made));
  return db_call_audit_sign_in(db, c, &s->session);
}

/* ---- requests ---- */

/* NULL: it was answered. */
static struct signin_request *signin_request_new(const struct api_request *req) {
  struct signin_request *s = calloc(1, sizeof(*s));
  struct cookie_values present;
  if (!s) {
    problem_answer_err(req->x, ERR_NOMEM);
    return NULL;
  }
  db_call_begin(&s->db_call, req);
  s->db_call.leaves_catalog_unchanged = true;
  if (cookie_find(req->api->cookie, req->request, &present) == OK && present.count > 0)
    IGNORE(str_copy(s->present, sizeof(s->present), present.all[0])); /* a longer value is no session's */
  return s;
}

void api_signin(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  struct buf b CLEANUP(buf_done) = BUF_INIT(req->request->query.n + 1);
  struct str value = STR_NONE;
  enum err e = req->request->query.n ? http_query_get(req->request->query, STR("token"), &b, &value) : ERR_NOT_FOUND;
  if (e == ERR_NOMEM) {
    problem_answer_err(x, e);
    return;
  }
  if (e != OK || value.n != SESSION_TOKEN_SIZE - 1) {
    signin_refuse(req->api, x, false);
    return;
  }
  struct signin_request *s = signin_request_new(req);
  if (!s) return;
  e = str_copy(s->token, sizeof(s->token), value);
  if (e == OK) e = db_call_read(&s->db_call, signin_read_link, signin_on_link); /* (1) */
  if (e != OK) signin_answer_err(s, e);
}

/* False: it was answered. */
static bool signin_by_key(struct signin_request *s, struct str text) {
  const struct access_key *key = access_find_key(s->db_call.loop->access, text);
  if (!key || key->role == ACCESS_PLATFORM || !access_find_business(s->db_call.loop->access, key->business_id)) {
    signin_refuse(s->db_call.api, s->db_call.x, true);
    return false;
  }
  s->session = (struct session){.business_id = key->business_id, .key_id = key->key_id};
  return str_copy(s->session.role, sizeof(s->session.role), str_from(access_role_name(key->role))) == OK;
}

static void signin_begin(const struct api_request *req, struct str token, struct str key) {
  if (key.n && auth_key_may_be_new(req, key)) {
    access_lookup_key(req, key);
    return;
  }
  struct signin_request *s = signin_request_new(req);
  if (!s) return;
  if (key.n && !signin_by_key(s, key)) {
    signin_end(s);
    return;
  }
  enum err e = key.n ? OK : str_copy(s->token, sizeof(s->token), token);
  if (e == OK)
    e = db_call_write(&s->db_call, METRIC_JOB_SESSION, key.n ? signin_use_key : signin_use_link, signin_on_used);
  if (e != OK) signin_answer_err(s, e);
}

void api_signin_use(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  struct str body = req->request->body, token = STR_NONE, key = STR_NONE, name, value;
  struct buf b CLEANUP(buf_done) = BUF_INIT(BODY_MAX + 1);
  struct http_form form = {.rest = body};
  enum err e = buf_reserve(&b, body.n + 1);
  if (!origin_admits_cookie(req->api->origins, req->request, request_is_https(req))) { /* (2) */
    security_refused(req->api, METRIC_CREDENTIAL_ORIGIN);
    problem_answer(x, PROBLEM_FORBIDDEN, NULL);
    return;
  }
  if (e == OK && !request_is_form(req->request)) {
    problem_answer(x, PROBLEM_UNSUPPORTED_MEDIA_TYPE, NULL);
    return;
  }
  while (e == OK && (e = http_form_next(&form, &b, &name, &value)) == OK) {
    if (str_eq(name, STR("token"))) token = value;
    if (str_eq(name, STR("key"))) key = str_trim(value);
  }
  if (e == ERR_NOMEM)
    problem_answer_err(x, e);
  else if (e != ERR_NOT_FOUND || (!key.n && token.n != SESSION_TOKEN_SIZE - 1))
    signin_refuse(req->api, x, false);
  else
    signin_begin(req, token, key);
  if (b.p) secret_wipe(b.p, b.n);
}
