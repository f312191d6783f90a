/* api_signin.c - GET /signin?token=…: a link that signs a person in. It works once, within ten minutes.
 *
 *   read the link --valid--> HEAD: 303; the link stays unused
 *     |                `---> GET: use the link and create the session, in one transaction --> 303, Set-Cookie
 *     `-- used, expired or unknown --> 401 with an HTML page that says so */
#include <stdlib.h>
#include <string.h>

#include "api/auth/api_cookie.h"
#include "api/handlers/api_handlers.h"
#include "api/request/api_answer.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_origin.h"
#include "api/request/api_request.h"
#include "api/request/problem.h"
#include "base/log.h"
#include "base/metric.h"

#define REFUSAL_PAGE                                                                                                                          \
  "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>callreel</title></head>\n"                                       \
  "<body>\n<h1>callreel</h1>\n"                                                                                                               \
  "<p>This sign-in link was already used or has expired. Please ask for a new one.</p>\n"                                                     \
  "<p lang=\"he\" dir=\"rtl\">קישור הכניסה הזה כבר נוצל, או שפג תוקפו. יש לבקש קישור חדש.</p>\n" \
  "</body>\n</html>\n"

struct signin_request {
  struct db_call db_call;
  char token[SESSION_TOKEN_SIZE];
  bool uses; /* GET uses the link, HEAD does not */
  struct link link;
  struct session session;
  char made[SESSION_TOKEN_SIZE]; /* the token of the new session */
};

/* db_call is the first member. */
static struct signin_request *signin_request_of(struct db_call *c) {
  return (struct signin_request *)(void *)c;
}

static void signin_end(struct signin_request *s) {
  db_call_end(&s->db_call);
  secret_wipe(s->token, sizeof(s->token));
  secret_wipe(s->made, sizeof(s->made));
  free(s);
}

static void signin_refuse(const struct api *a, struct http_exchange *x) {
  struct http_fields f;
  metric_add(METRIC_AUTH_REFUSED, METRIC_CREDENTIAL_LINK, 1);
  answer_fields(&f);
  http_field(&f, STR("WWW-Authenticate"), STR("Bearer"));
  http_fieldf(&f, STR("Content-Security-Policy"), "default-src 'none'; frame-ancestors %s",
              origins_frame_ancestors(a->origins));
  answer_bytes(x, 401, &f, STR("text/html; charset=utf-8"), STR(REFUSAL_PAGE));
}

static void signin_answer_err(struct signin_request *s, enum err e) {
  if (e == ERR_NOT_FOUND)
    signin_refuse(s->db_call.api, s->db_call.x);
  else
    problem_answer_err(s->db_call.x, e);
  signin_end(s);
}

static void signin_answer(struct signin_request *s) {
  struct api *a = s->db_call.api;
  struct http_fields f;
  answer_fields(&f);
  http_fieldf(&f, STR("Location"), "%.*s/", STR_ARG(a->path_base));
  if (s->uses) {
    cookie_set(a->cookie, str_from(s->made), (s->session.expires_at - s->db_call.now) / 1000, &f);
    log_info("Signed in with a link", LOG_INT("business", s->link.business_id), LOG_TEXT("role", s->link.role));
  }
  answer_empty(s->db_call.x, 303, &f);
  signin_end(s);
}

static enum err signin_use_link(struct db *db, struct db_call *c) {
  struct signin_request *s = signin_request_of(c);
  TRY(links_use(db, str_from(s->token), c->now, &s->link));
  s->session =
      (struct session){.business_id = s->link.business_id, .expires_at = c->now + COOKIE_AGE_MAX_S * INT64_C(1000)};
  memcpy(s->session.role, s->link.role, sizeof(s->session.role));
  return sessions_create(db, &s->session, s->made);
}

static void signin_on_used(struct db_call *c) {
  if (c->result == OK)
    signin_answer(signin_request_of(c));
  else
    signin_answer_err(signin_request_of(c), c->result);
}

static enum err signin_read_link(struct db *db, struct db_call *c) {
  struct signin_request *s = signin_request_of(c);
  return links_look(db, str_from(s->token), c->now, &s->link);
}

static void signin_on_link(struct db_call *c) {
  struct signin_request *s = signin_request_of(c);
  if (c->result == OK && !s->uses) {
    signin_answer(s);
    return;
  }
  enum err failed = c->result == OK ? db_call_write(c, METRIC_JOB_SESSION, signin_use_link, signin_on_used) : c->result;
  if (failed != OK) signin_answer_err(s, failed);
}

void api_signin(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  char token[SESSION_TOKEN_SIZE];
  struct buf b CLEANUP(buf_done) = BUF_INIT(req->request->query.n + 1);
  struct str value = STR_NONE;
  enum err e = req->request->query.n ? http_query_get(req->request->query, STR("token"), &b, &value) : ERR_NOT_FOUND;
  if (e == ERR_NOMEM) {
    problem_answer_err(x, e);
    return;
  }
  if (e != OK || value.n != sizeof(token) - 1 || str_copy(token, sizeof(token), value) != OK) {
    signin_refuse(req->api, x);
    return;
  }
  struct signin_request *s = calloc(1, sizeof(*s));
  if (!s) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  db_call_begin(&s->db_call, req);
  s->db_call.leaves_catalog_unchanged = true;
  s->uses = req->request->method == HTTP_GET;
  memcpy(s->token, token, sizeof(s->token));
  e = db_call_read(&s->db_call, signin_read_link, signin_on_link);
  if (e != OK) signin_answer_err(s, e);
}
