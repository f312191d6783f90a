/* api_session_lookup.c - reads the session of a cookie that this loop has not cached, then starts the request again. Also
 * tells requests that take long whether their session still exists. */
#include "api/auth/api_session_lookup.h"

#include <stdlib.h>
#include <string.h>

#include "api/auth/api_cookie.h"
#include "api/auth/api_session_cache.h"
#include "api/request/api_loop.h"
#include "api/request/problem.h"
#include "base/metric.h"

struct session_lookup {
  struct db_call db_call;
  void (*resume)(struct api *a, struct http_exchange *x, const struct session_seen *seen);
  char token[SESSION_TOKEN_SIZE];
  uint8_t digest[SHA256_SIZE];
  struct session_seen seen;
};

static enum err session_read_row(struct db *db, struct db_call *c) {
  struct session_lookup *l = (struct session_lookup *)(void *)c; /* db_call is the first member */
  TRY(sessions_find(db, str_from(l->token), c->now, &l->seen.row));
  l->seen.version = session_version(c->api->versions, l->digest, l->seen.row.key_id, l->seen.row.business_id);
  return sessions_find(db, str_from(l->token), c->now,
                       &l->seen.row); /* again: the version must be older than the row */
}

static void session_on_row(struct db_call *c) {
  struct session_lookup *l = (struct session_lookup *)(void *)c;
  l->seen.is_there = c->result == OK;
  metric_add(METRIC_SESSION_LOOKUPS, 0, 1);
  if (c->result == OK) session_cache_put(c->loop->session_cache, l->digest, l->seen.version, &l->seen.row);
  if (c->result != OK && c->result != ERR_NOT_FOUND)
    problem_answer_err(c->x, c->result);
  else if (!http_gone(c->x))
    l->resume(c->api, c->x, &l->seen);
  db_call_end(c);
  free(l);
}

void session_lookup(struct api_request *req,
                    void (*resume)(struct api *a, struct http_exchange *x, const struct session_seen *seen)) {
  struct str token = STR_NONE;
  struct session_lookup *l = calloc(1, sizeof(*l));
  if (!l) {
    problem_answer_err(req->x, ERR_NOMEM);
    return;
  }
  l->resume = resume;
  db_call_begin(&l->db_call, req);
  enum err e = cookie_find(req->api->cookie, req->request, &token);
  if (e == OK) e = str_copy(l->token, sizeof(l->token), token);
  if (e == OK) {
    session_token_digest(token, l->digest);
    e = db_call_read(&l->db_call, session_read_row, session_on_row);
  }
  if (e == OK) return;
  problem_answer_err(req->x, e);
  db_call_end(&l->db_call);
  free(l);
}

/* ---- for database calls that take long ---- */

void session_renew_version(struct db_call *c) {
  uint8_t digest[SHA256_SIZE];
  if (!c->subject.session[0]) return;
  session_token_digest(str_from(c->subject.session), digest);
  c->subject.session_version = session_version(c->api->versions, digest, c->subject.key_id, c->subject.business_id);
}

enum err session_still_there(struct db *db, const struct db_call *c) {
  struct session row;
  if (!c->subject.session[0]) return OK;
  enum err found = sessions_find(db, str_from(c->subject.session), c->now, &row);
  return found == ERR_NOT_FOUND ? ERR_DENIED : found;
}
