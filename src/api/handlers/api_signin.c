/* api_signin.c - the link that signs a person in at the page: good once, and for ten minutes.
 *
 *   look --good--> HEAD: 303, unused
 *     |     `--> GET: use it and make the session, one transaction --> 303 and the cookie
 *     `-- used, late, unknown --> 401 and a page that says so                                    */
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

#define REFUSAL                                                                                                                               \
  "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>callreel</title></head>\n"                                       \
  "<body>\n<h1>callreel</h1>\n"                                                                                                               \
  "<p>This sign-in link was used already, or it is too old. Please ask for a new one.</p>\n"                                                  \
  "<p lang=\"he\" dir=\"rtl\">קישור הכניסה הזה כבר נוצל, או שפג תוקפו. יש לבקש קישור חדש.</p>\n" \
  "</body>\n</html>\n"

struct signin {
  struct db_call db_call;
  char token[SESSION_TOKEN_SIZE];
  bool uses; /* not HEAD */
  struct link link;
  struct session session;
  char made[SESSION_TOKEN_SIZE];
};

static struct signin *signin_of(struct db_call *e) {
  return (struct signin *)(void *)e;
} /* its first member */

static void finish(struct signin *s) {
  db_call_end(&s->db_call);
  secret_wipe(s->token, sizeof(s->token));
  secret_wipe(s->made, sizeof(s->made));
  free(s);
}

static void refuse(const struct api *a, struct http_exchange *x) {
  struct http_fields f;
  metric_add(METRIC_AUTH_REFUSED, METRIC_CREDENTIAL_LINK, 1);
  answer_fields(&f);
  http_field(&f, STR("WWW-Authenticate"), STR("Bearer"));
  http_fieldf(&f, STR("Content-Security-Policy"), "default-src 'none'; frame-ancestors %s",
              origins_frame_ancestors(a->origins));
  answer_bytes(x, 401, &f, STR("text/html; charset=utf-8"), STR(REFUSAL));
}

static void answer_err(struct signin *s, enum err e) {
  if (e == ERR_NOT_FOUND)
    refuse(s->db_call.api, s->db_call.x);
  else
    problem_answer_err(s->db_call.x, e);
  finish(s);
}

static void answer(struct signin *s) {
  struct api *a = s->db_call.api;
  struct http_fields f;
  answer_fields(&f);
  http_fieldf(&f, STR("Location"), "%.*s/", STR_ARG(a->path_base));
  if (s->uses) {
    cookie_set(a->cookie, str_from(s->made), (s->session.expires_at - s->db_call.now) / 1000, &f);
    log_info("Signed in by a link", LOG_INT("business", s->link.business_id), LOG_TEXT("role", s->link.role));
  }
  answer_empty(s->db_call.x, 303, &f);
  finish(s);
}

static enum err run_use(struct db *db, struct db_call *e) {
  struct signin *s = signin_of(e);
  TRY(links_use(db, str_from(s->token), e->now, &s->link));
  s->session =
      (struct session){.business_id = s->link.business_id, .expires_at = e->now + COOKIE_AGE_MAX_S * INT64_C(1000)};
  memcpy(s->session.role, s->link.role, sizeof(s->session.role));
  return sessions_create(db, &s->session, s->made);
}

static void used(struct db_call *e) {
  if (e->result == OK)
    answer(signin_of(e));
  else
    answer_err(signin_of(e), e->result);
}

static enum err run_look(struct db *db, struct db_call *e) {
  struct signin *s = signin_of(e);
  return links_look(db, str_from(s->token), e->now, &s->link);
}

static void looked(struct db_call *e) {
  struct signin *s = signin_of(e);
  if (e->result == OK && !s->uses) {
    answer(s);
    return;
  }
  enum err failed = e->result == OK ? db_call_write(e, METRIC_JOB_SESSION, run_use, used) : e->result;
  if (failed != OK) answer_err(s, failed);
}

void api_signin(void *arg, struct http_exchange *x) {
  struct api_request *v = arg;
  char token[SESSION_TOKEN_SIZE];
  struct buf b CLEANUP(buf_done) = BUF_INIT(v->request->query.n + 1);
  struct str value = STR_NONE;
  enum err e = v->request->query.n ? http_query_get(v->request->query, STR("token"), &b, &value) : ERR_NOT_FOUND;
  if (e == ERR_NOMEM) {
    problem_answer_err(x, e);
    return;
  }
  if (e != OK || value.n != sizeof(token) - 1 || str_copy(token, sizeof(token), value) != OK) {
    refuse(v->api, x);
    return;
  }
  struct signin *s = calloc(1, sizeof(*s));
  if (!s) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  db_call_begin(&s->db_call, v);
  s->db_call.keeps_catalog = true;
  s->uses = v->request->method == HTTP_GET;
  memcpy(s->token, token, sizeof(s->token));
  e = db_call_read(&s->db_call, run_look, looked);
  if (e != OK) answer_err(s, e);
}
