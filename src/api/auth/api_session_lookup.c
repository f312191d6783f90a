/* api_session_lookup.c - reads the session of a cookie, or the row of a signed URL, that this loop has not cached, then starts
 * the request again. Also tells requests that take long whether their session still exists. */
#include "api/auth/api_session_lookup.h"

#include <stdlib.h>
#include <string.h>

#include "api/auth/api_cookie.h"
#include "api/auth/api_session_cache.h"
#include "api/request/api_loop.h"
#include "api/request/problem.h"
#include "base/metric.h"
#include "ledger/urls.h"

struct session_lookup {
  struct db_call db_call;
  request_resume_fn *resume;
  char tokens[COOKIE_VALUES_MAX][SESSION_TOKEN_SIZE]; /* of the cookies; or one, a URL's id */
  size_t count;
  enum err (*find)(struct db *db, struct str token, int64_t now, struct session *ret_session);
  void (*digest)(struct str token, uint8_t ret_digest[SHA256_SIZE]);
  struct session_seen seen; /* of the newest session */
};

/* Reads one token's session, and keeps it if it is the newest. ERR_NOT_FOUND: it has none. */
static enum err session_read_token(struct db *db, struct session_lookup *l, const char *token) {
  uint8_t digest[SHA256_SIZE];
  struct session_seen seen = {.is_there = true};
  struct str text = str_from(token);
  l->digest(text, digest);
  TRY(l->find(db, text, l->db_call.now, &seen.row));
  seen.version = session_version(l->db_call.api->versions, digest, seen.row.key_id, seen.row.business_id);
  TRY(l->find(db, text, l->db_call.now, &seen.row)); /* again: the version must be older than the row */
  memcpy(seen.token, token, sizeof(seen.token));
  if (!l->seen.is_there || seen.row.created_at >= l->seen.row.created_at) l->seen = seen;
  return OK;
}

static enum err session_read_rows(struct db *db, struct db_call *c) {
  struct session_lookup *l = (struct session_lookup *)(void *)c; /* db_call is the first member */
  for (size_t i = 0; i < l->count; i++) {
    enum err e = session_read_token(db, l, l->tokens[i]);
    if (e != OK && e != ERR_NOT_FOUND) return e;
  }
  return l->seen.is_there ? OK : ERR_NOT_FOUND;
}

static void session_on_row(struct db_call *c) {
  struct session_lookup *l = (struct session_lookup *)(void *)c;
  uint8_t digest[SHA256_SIZE];
  metric_add(METRIC_SESSION_LOOKUPS, 0, 1);
  if (c->result == OK) {
    l->digest(str_from(l->seen.token), digest);
    session_cache_put(c->loop->session_cache, digest, l->seen.version, &l->seen.row);
  }
  if (c->result != OK && c->result != ERR_NOT_FOUND)
    problem_answer_err(c->x, c->result);
  else if (!http_gone(c->x))
    l->resume(c->api, c->x, &l->seen);
  db_call_end(c);
  free(l);
}

/* Sets tokens, digest and find, by the credential that is present. */
static enum err session_lookup_choose(struct session_lookup *l, const struct api_request *req) {
  struct cookie_values values = {.count = 0};
  if (req->subject.kind == SUBJECT_URL) {
    l->find = urls_find;
    l->digest = url_digest;
    l->count = 1;
    return str_copy(l->tokens[0], sizeof(l->tokens[0]), str_skip(str_from(req->subject.name), strlen("url:")));
  }
  l->find = sessions_find;
  l->digest = session_token_digest;
  TRY(cookie_find(req->api->cookie, req->request, &values));
  for (size_t i = 0; i < values.count; i++)
    if (values.all[i].n == SESSION_TOKEN_SIZE - 1) memcpy(l->tokens[l->count++], values.all[i].p, values.all[i].n);
  return OK;
}

void session_lookup(const struct api_request *req) {
  struct session_lookup *l = calloc(1, sizeof(*l));
  if (!l) {
    problem_answer_err(req->x, ERR_NOMEM);
    return;
  }
  l->resume = req->resume;
  db_call_begin(&l->db_call, req);
  enum err e = session_lookup_choose(l, req);
  if (e == OK) e = db_call_read(&l->db_call, session_read_rows, session_on_row);
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
