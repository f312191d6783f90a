/* api_session.c - signing in with a credential in Authorization, who is signed in, signing out.
 *
 *   POST --session written--> 204 and the cookie        DELETE --session ended--> 204 and the cookie taken back
 *
 * A session opens nothing that its credential didn't: it ends with its key, with the JWT's exp, after 12 h at the latest,
 * and makes no other session. */
#include <stdlib.h>
#include <string.h>

#include "api/auth/api_cookie.h"
#include "api/auth/api_session_cache.h"
#include "api/handlers/api_handlers.h"
#include "api/request/api_answer.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/api_subject.h"
#include "api/request/problem.h"
#include "base/clock.h"

enum { ANSWER_MAX = 2048 };

struct session_work {
  struct db_call db_call;
  struct session session;         /* to be made */
  char token[SESSION_TOKEN_SIZE]; /* made, or to be ended */
};

static struct session_work *work_of(struct db_call *e) {
  return (struct session_work *)(void *)e;
} /* its first member */

static void begin(struct session_work *w, enum err (*run)(struct db *db, struct db_call *e),
                  void (*back)(struct db_call *e)) {
  w->db_call.keeps_catalog = true;
  enum err e = db_call_write(&w->db_call, METRIC_JOB_SESSION, run, back);
  if (e == OK) return;
  problem_answer_err(w->db_call.x, e);
  db_call_end(&w->db_call);
  free(w);
}

static struct session_work *work_new(const struct api_request *v) {
  struct session_work *w = calloc(1, sizeof(*w));
  if (!w) {
    problem_answer_err(v->x, ERR_NOMEM);
    return NULL;
  }
  db_call_begin(&w->db_call, v);
  return w;
}

/* ---- in ---- */

static enum err run_make(struct db *db, struct db_call *e) {
  struct session_work *w = work_of(e);
  const struct subject *s = &e->subject;
  int64_t latest = e->now + COOKIE_AGE_MAX_S * INT64_C(1000);
  w->session.business_id = s->business_id;
  w->session.key_id = s->key_id;
  w->session.expires_at = s->expires_at && s->expires_at < latest ? s->expires_at : latest;
  if (w->session.expires_at <= e->now) return ERR_DENIED; /* good only by leeway */
  TRY(str_copy(w->session.role, sizeof(w->session.role), str_from(access_role_name(s->role))));
  TRY(str_copy(w->session.subject, sizeof(w->session.subject), str_from(s->name)));
  return sessions_create(db, &w->session, w->token);
}

static void made(struct db_call *e) {
  struct session_work *w = work_of(e);
  struct http_fields f;
  answer_fields(&f);
  if (e->result == OK) {
    cookie_set(e->api->cookie, str_from(w->token), (w->session.expires_at - e->now + 999) / 1000, &f);
    answer_empty(e->x, 204, &f);
  } else if (e->result == ERR_DENIED) {
    problem_answer(e->x, PROBLEM_UNAUTHORIZED, NULL);
  } else {
    problem_answer_err(e->x, e->result);
  }
  secret_wipe(w->token, sizeof(w->token));
  db_call_end(e);
  free(w);
}

void api_make_session(void *arg, struct http_exchange *x) {
  struct api_request *v = arg;
  if (v->subject.session[0]) { /* none prolongs itself */
    problem_answer(x, PROBLEM_UNAUTHORIZED, NULL);
    return;
  }
  struct session_work *w = work_new(v);
  if (w) begin(w, run_make, made);
}

/* ---- who ---- */

static enum err write_subject(struct buf *b, const struct api_request *v) {
  const struct subject *s = &v->subject;
  char text[SUBJECT_TEXT_SIZE];
  if (s->kind == SUBJECT_USER) return s->name[0] ? buf_add_json(b, str_from(s->name)) : buf_add(b, STR("null"));
  subject_text(s, &v->api->url_key, text);
  return buf_add_json(b, str_from(text));
}

static enum err write_who(struct buf *b, const struct api_request *v) {
  const struct subject *s = &v->subject;
  char expires[DATE_TEXT_SIZE];
  TRY(buf_addf(b, "{\"business_id\":%lld,\"subject\":", (long long)s->business_id));
  TRY(write_subject(b, v));
  TRY(buf_addf(b, ",\"role\":\"%s\",\"expires_at\":", access_role_name(s->role)));
  if (!s->expires_at) return buf_add(b, STR("null}"));
  date_format_rfc3339(s->expires_at, expires);
  return buf_addf(b, "\"%s\"}", expires);
}

void api_get_session(void *arg, struct http_exchange *x) {
  const struct api_request *v = arg;
  struct buf b CLEANUP(buf_done) = BUF_INIT(ANSWER_MAX);
  struct http_fields f;
  enum err e = write_who(&b, v);
  answer_fields(&f);
  if (e == OK)
    answer_json(x, 200, &f, buf_str(&b));
  else
    problem_answer_err(x, e);
}

/* ---- out ---- */

static void answer_out(const struct api *a, struct http_exchange *x) {
  struct http_fields f;
  answer_fields(&f);
  cookie_clear(a->cookie, &f);
  answer_empty(x, 204, &f);
}

static enum err run_end(struct db *db, struct db_call *e) {
  return sessions_end(db, str_from(work_of(e)->token));
}

static void ended(struct db_call *e) {
  struct session_work *w = work_of(e);
  if (e->result == OK) {
    char digest[SESSION_DIGEST_TEXT_SIZE];
    session_digest(str_from(w->token), digest);
    /* Here at once; elsewhere when it is told of. */
    session_changed(e->api->versions, e->subject.business_id, str_from(digest));
    answer_out(e->api, e->x);
  } else {
    problem_answer_err(e->x, e->result);
  }
  secret_wipe(w->token, sizeof(w->token));
  db_call_end(e);
  free(w);
}

void api_end_session(void *arg, struct http_exchange *x) {
  struct api_request *v = arg;
  struct str token;
  if (cookie_find(v->api->cookie, v->request, &token) != OK || token.n != SESSION_TOKEN_SIZE - 1) {
    answer_out(v->api, x); /* it came with another credential */
    return;
  }
  struct session_work *w = work_new(v);
  if (!w) return;
  memcpy(w->token, token.p, token.n); /* the rest is zero */
  w->db_call.outlives_caller = true;  /* signed out means signed out */
  begin(w, run_end, ended);
}
