/* api_look_session.c - a cookie that this loop has not seen: its session is looked up, then the request begins anew. And
 * whether it is still there, for answers that take long. */
#include <stdlib.h>
#include <string.h>

#include "api/errand.h"
#include "base/metric.h"

struct session_look {
  struct errand errand;
  char token[SESSION_TOKEN_SIZE];
  uint8_t digest[SHA256_SIZE];
  struct session_seen seen;
};

static enum err run_look(struct db *db, struct errand *e) {
  struct session_look *l = (struct session_look *)(void *)e; /* its first member */
  TRY(sessions_find(db, str_from(l->token), e->now, &l->seen.row));
  l->seen.version = session_version(e->api->versions, l->digest, l->seen.row.key_id, l->seen.row.business_id);
  return sessions_find(db, str_from(l->token), e->now, &l->seen.row); /* again: its version is to be the older */
}

static void looked(struct errand *e) {
  struct session_look *l = (struct session_look *)(void *)e;
  l->seen.is_there = e->result == OK;
  metric_add(METRIC_SESSION_LOOKUPS, 0, 1);
  if (e->result == OK) signed_in_put(e->loop->signed_in, l->digest, l->seen.version, &l->seen.row);
  if (e->result != OK && e->result != ERR_NOT_FOUND)
    problem_answer_err(e->x, e->result);
  else if (!http_gone(e->x)) /* nothing is begun for nobody */
    visit_resume(e->api, e->x, &l->seen);
  errand_end(e);
  free(l);
}

void session_look(struct visit *v) {
  struct str token = STR_NONE;
  struct session_look *l = calloc(1, sizeof(*l));
  if (!l) {
    problem_answer_err(v->x, ERR_NOMEM);
    return;
  }
  errand_begin(&l->errand, v);
  enum err e = cookie_find(&v->api->cookie, v->request, &token);
  if (e == OK) e = str_copy(l->token, sizeof(l->token), token);
  if (e == OK) {
    session_token_digest(token, l->digest);
    e = errand_look(&l->errand, run_look, looked);
  }
  if (e == OK) return;
  problem_answer_err(v->x, e);
  errand_end(&l->errand);
  free(l);
}

/* ---- of errands that take long ---- */

void session_renew_version(struct errand *e) {
  uint8_t digest[SHA256_SIZE];
  if (!e->subject.session[0]) return;
  session_token_digest(str_from(e->subject.session), digest);
  e->subject.session_version = session_version(e->api->versions, digest, e->subject.key_id, e->subject.business_id);
}

enum err session_still_there(struct db *db, const struct errand *e) {
  struct session row;
  if (!e->subject.session[0]) return OK;
  enum err found = sessions_find(db, str_from(e->subject.session), e->now, &row);
  return found == ERR_NOT_FOUND ? ERR_DENIED : found;
}
