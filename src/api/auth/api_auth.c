/* api_auth.c - authentication and authorization of a request.
 *
 *   Authorization -> (media routes: signed URL) -> cookie: the first credential that is present decides alone
 *
 * Invariants
 *  (1) If the credential that is present is not valid, the request fails with 401. No other credential is tried.
 *  (2) The subject's business must be a live one in the loop's access snapshot.
 *  (3) A key or business that the snapshot lacks may be new: the request fails only after the database was asked (req->seen).
 *  (4) A platform key acts as admin of the business that X-Business-Id names. With any other credential that header is
 *      ignored. */
#include "api/auth/api_auth.h"

#include <stdlib.h>
#include <string.h>

#include "api/auth/api_cookie.h"
#include "api/auth/api_jwt.h"
#include "api/auth/api_jwt_cache.h"
#include "api/auth/api_key_cache.h"
#include "api/auth/api_session_cache.h"
#include "api/request/api_origin.h"
#include "api/request/api_security.h"
#include "api/request/problem.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "db/db_clock.h"
#include "domain/signed_url.h"
#include "ledger/keys.h"
#include "ledger/urls.h"

_Static_assert((int)SUBJECT_NAME_MAX == (int)JWT_SUBJECT_MAX, "a subject holds the name that a token claims");

struct str auth_bearer(struct str authorization) {
  struct str scheme, token;
  if (!str_cut(authorization, ' ', &scheme, &token) || !str_eq_nocase(scheme, STR("Bearer"))) return STR_NONE;
  token = str_trim(token);
  for (size_t i = 0; i < token.n; i++)
    if (token.p[i] <= ' ' || token.p[i] > '~') return STR_NONE;
  return token;
}

/* FNV-1a. The hash only tells subjects apart in counts (subject.number). */
static uint64_t subject_hash_name(const char *name) {
  uint64_t h = UINT64_C(0xcbf29ce484222325);
  for (; *name; name++) h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
  return h;
}

/* ---- one function for each kind of credential ----
 *
 * OK sets *ret_subject. ERR_DENIED: the credential is not valid. ERR_TOO_BIG: it is a JWT that is longer than
 * JWT_TOKEN_MAX. ERR_NOT_YET: the session, or the signed URL's row, has to be read. ERR_NOT_FOUND: the snapshot lacks its
 * business, whose id *ret_subject has then, or its key (3). */

const struct access_key *auth_find_key(const struct access_snapshot *access, struct str token) {
  const struct access_key *key = access_find_key(access, token);
  if (key && key->role != ACCESS_PLATFORM && !access_find_business(access, key->business_id)) return NULL; /* (2) */
  return key;
}

bool auth_key_may_be_new(const struct api_request *req, struct str token) {
  if (req->seen && !req->seen->is_there) return false;
  return token.n == KEY_TEXT_SIZE - 1 && !access_find_key(req->loop->access, token);
}

struct key_use {
  int64_t key_id, at;
};

static enum err key_write_use(struct db *db, void *arg) {
  const struct key_use *use = arg;
  return keys_note_use(db, use->key_id, use->at);
}

static void key_use_done(void *arg, enum err e) {
  (void)e; /* the use of the next hour is noted */
  free(arg);
}

/* About once an hour for each key. */
static void key_note_use(const struct api *a, const struct access_key *key, int64_t now) {
  struct key_use *use = a->parts.writer && access_key_note_use(key, now) ? malloc(sizeof(*use)) : NULL;
  if (!use) return;
  *use = (struct key_use){key->key_id, now};
  const struct db_job job = {.name = METRIC_JOB_SESSION,
                             .business_id = key->business_id,
                             .run = key_write_use,
                             .done = key_use_done,
                             .arg = use};
  if (db_writer_submit(a->parts.writer, job) != OK) free(use);
}

static enum err subject_of_key(const struct api *a, const struct access_key *key, struct subject *ret_subject) {
  int64_t now = db_clock_now_ms();
  if (!key || (key->expires_at && now >= key->expires_at)) return ERR_DENIED;
  key_note_use(a, key, now);
  bool is_platform = key->role == ACCESS_PLATFORM;
  *ret_subject = (struct subject){.kind = SUBJECT_KEY,
                                  .role = is_platform ? ACCESS_ADMIN : key->role,
                                  .is_platform = is_platform,
                                  .business_id = is_platform ? 0 : key->business_id,
                                  .key_id = key->key_id,
                                  .expires_at = key->expires_at,
                                  .number = (uint64_t)key->key_id};
  return OK;
}

/* (2) */
static enum err auth_lacks_business(int64_t business_id, struct subject *ret_subject) {
  *ret_subject = (struct subject){.kind = SUBJECT_NOBODY, .business_id = business_id};
  return ERR_NOT_FOUND;
}

static enum err subject_of_jwt(const struct api_loop *l, struct str token, struct subject *ret_subject) {
  struct jwt_claims claims;
  if (!l->api->jwt) return ERR_DENIED;
  enum jwt_reason reason = jwt_cache_verify(l->jwt_cache, l->api->jwt, token, clock_now_ms(), &claims);
  if (reason != JWT_OK) {
    log_debug("JWT refused", LOG_TEXT("reason", jwt_reason_text(reason)));
    return reason == JWT_TOO_BIG ? ERR_TOO_BIG : ERR_DENIED;
  }
  if (!access_find_business(l->access, claims.business_id)) return auth_lacks_business(claims.business_id, ret_subject);
  struct subject s = {.kind = SUBJECT_USER,
                      .role = claims.role,
                      .business_id = claims.business_id,
                      .expires_at = claims.expires_at_ms,
                      .number = subject_hash_name(claims.subject)};
  memcpy(s.name, claims.subject, sizeof(s.name));
  *ret_subject = s;
  return OK;
}

/* The row of a signed URL: seen, or cached. ERR_NOT_YET: it has to be read. ERR_DENIED: the URL was revoked. */
static enum err url_find_row(const struct api_request *req, const uint8_t digest[SHA256_SIZE], struct session *ret_row,
                             uint64_t *ret_version) {
  if (req->seen) {
    *ret_row = req->seen->row;
    *ret_version = req->seen->version;
    return req->seen->is_there ? OK : ERR_DENIED;
  }
  return session_cache_find(req->loop->session_cache, req->api->versions, digest, ret_row, ret_version) ? OK
                                                                                                        : ERR_NOT_YET;
}

static enum err subject_of_url(const struct api_request *req, struct str id, struct str query,
                               struct subject *ret_subject) {
  const struct api_loop *l = req->loop;
  struct signed_url_bearer bearer;
  uint8_t digest[SHA256_SIZE];
  struct session row = {.key_id = 0};
  enum err signature = signed_url_verify(&l->api->url_key, id, query, db_clock_now_ms(), &bearer);
  if (signature == ERR_DENIED && l->api->has_older_url_key)
    signature = signed_url_verify(&l->api->older_url_key, id, query, db_clock_now_ms(), &bearer);
  TRY(signature);
  if (!access_find_business(l->access, bearer.business_id)) return ERR_DENIED; /* (2) */
  struct subject s = {.kind = SUBJECT_URL,
                      .role = ACCESS_VIEWER,
                      .business_id = bearer.business_id,
                      .expires_at = bearer.expires_at_ms,
                      .number = subject_hash_name(bearer.subject)};
  memcpy(s.name, bearer.subject, sizeof(bearer.subject));
  enum err e = OK;
  if (bearer.id[0]) { /* an earlier release gave no ids */
    url_digest(str_from(bearer.id), digest);
    e = url_find_row(req, digest, &row, &s.session_version);
    s.credential = session_number(digest);
    s.url_key_id = row.key_id;
  }
  if (e == OK && bearer.id[0] && (row.business_id != bearer.business_id || row.expires_at <= db_clock_now_ms()))
    e = ERR_DENIED; /* its key may expire before the URL does */
  if (e == OK || e == ERR_NOT_YET) *ret_subject = s;
  return e;
}

static enum err subject_of_session(const struct api_loop *l, const struct session *row, struct str token,
                                   const uint8_t digest[SHA256_SIZE], uint64_t version, struct subject *ret_subject) {
  struct subject s = {.kind = row->key_id ? SUBJECT_KEY : SUBJECT_USER,
                      .business_id = row->business_id,
                      .key_id = row->key_id,
                      .number = (uint64_t)row->key_id,
                      .expires_at = row->expires_at,
                      .credential = session_number(digest),
                      .session_version = version};
  if (row->expires_at <= db_clock_now_ms()) return ERR_DENIED;
  if (!access_find_business(l->access, row->business_id)) return auth_lacks_business(row->business_id, ret_subject);
  if (access_role_of(str_from(row->role), &s.role) != OK || s.role == ACCESS_PLATFORM) return ERR_DENIED;
  if (str_copy(s.name, sizeof(s.name), str_from(row->subject)) != OK) return ERR_DENIED;
  if (!row->key_id && s.name[0]) s.number = subject_hash_name(s.name);
  if (!row->key_id && !s.name[0]) memcpy(&s.number, digest, sizeof(s.number));
  TRY(str_copy(s.session, sizeof(s.session), token));
  *ret_subject = s;
  return OK;
}

/* Of several values only the database tells the newest session. */
static enum err subject_of_cookie(const struct api_request *req, const struct cookie_values *values,
                                  struct subject *ret_subject) {
  uint8_t digest[SHA256_SIZE];
  struct session row;
  uint64_t version;
  const struct session_seen *seen = req->seen;
  if (seen) {
    if (!seen->is_there) return ERR_DENIED;
    session_token_digest(str_from(seen->token), digest);
    return subject_of_session(req->loop, &seen->row, str_from(seen->token), digest, seen->version, ret_subject);
  }
  if (values->count > 1) return ERR_NOT_YET;
  struct str token = values->all[0];
  if (token.n != SESSION_TOKEN_SIZE - 1) return ERR_DENIED;
  session_token_digest(token, digest);
  if (!session_cache_find(req->loop->session_cache, req->api->versions, digest, &row, &version)) return ERR_NOT_YET;
  return subject_of_session(req->loop, &row, token, digest, version, ret_subject);
}

/* ---- which credential decides ---- */

static enum err subject_of_authorization(const struct api_loop *l, const struct http_request *r,
                                         struct subject *ret_subject, unsigned *ret_credential) {
  struct str authorization = http_header_get(r, STR("Authorization"));
  bool is_alone = http_header_count(r, STR("Authorization")) == 1;
  *ret_credential = METRIC_CREDENTIAL_KEY;
  const struct access_key *key = is_alone ? key_cache_find(l->key_cache, authorization) : NULL;
  if (key) return subject_of_key(l->api, key, ret_subject);
  struct str token = auth_bearer(authorization);
  bool is_key = str_starts(token, STR("cr_"));
  if (token.n > 0 && !is_key) *ret_credential = METRIC_CREDENTIAL_JWT;
  if (!is_alone || token.n == 0) return ERR_DENIED;
  if (!is_key) return subject_of_jwt(l, token, ret_subject);
  key = auth_find_key(l->access, token);
  if (!key && token.n == KEY_TEXT_SIZE - 1 && !access_find_key(l->access, token)) return ERR_NOT_FOUND;
  if (key) key_cache_put(l->key_cache, authorization, key);
  return subject_of_key(l->api, key, ret_subject);
}

static enum err auth_find_subject(const struct api_request *req, struct subject *ret_subject,
                                  unsigned *ret_credential) {
  const struct http_request *r = req->request;
  struct cookie_values values;
  if (http_header_count(r, STR("Authorization")))
    return subject_of_authorization(req->loop, r, ret_subject, ret_credential);
  if ((req->match.route->access & ROUTE_WHO) == ROUTE_MEDIA && signed_url_present(r->query)) {
    *ret_credential = METRIC_CREDENTIAL_URL;
    return subject_of_url(req, req->match.params[0], r->query, ret_subject);
  }
  enum err e = cookie_find(req->api->cookie, r, &values);
  *ret_credential = e == ERR_NOT_FOUND ? METRIC_CREDENTIAL_MISSING : METRIC_CREDENTIAL_SESSION;
  return e == OK ? subject_of_cookie(req, &values, ret_subject) : ERR_DENIED;
}

enum err auth_still_admits(const struct api_loop *l, const struct http_exchange *x, const struct subject *subject) {
  uint8_t digest[SHA256_SIZE];
  struct subject now;
  unsigned credential;
  if (!access_find_business(l->access, subject->business_id)) return ERR_DENIED; /* (2) */
  if (subject->session[0]) {
    session_token_digest(str_from(subject->session), digest);
    uint64_t version = session_version(l->api->versions, digest, subject->key_id, subject->business_id);
    return version == subject->session_version ? OK : ERR_NOT_YET;
  }
  if (subject->kind == SUBJECT_URL && subject->credential) {
    url_digest(str_from(subject->name + sizeof("url:") - 1), digest);
    uint64_t version = session_version(l->api->versions, digest, subject->url_key_id, subject->business_id);
    return version == subject->session_version ? OK
                                               : ERR_DENIED; /* one that is still good is admitted when it asks again */
  }
  if (subject->kind != SUBJECT_KEY) return OK; /* JWTs can't be revoked, nor URLs of an earlier release */
  enum err e = subject_of_authorization(l, http_request(x), &now, &credential);
  return e == ERR_NOT_FOUND ? ERR_DENIED : e; /* it was in the snapshot when the request was admitted */
}

/* ---- authorization ---- */

static bool auth_role_suffices(const struct subject *s, unsigned access) {
  if (s->is_platform && (access & ROUTE_NO_PLATFORM)) return false;
  switch (access & ROUTE_WHO) {
    case ROUTE_VIEWER:
    case ROUTE_MEDIA:
      return true;
    case ROUTE_AGENT:
      return s->role >= ACCESS_AGENT;
    default:
      return s->role >= ACCESS_ADMIN;
  }
}

/* (3) Sets req->lacks. False: the database was asked, and does not have it either. */
static bool auth_may_be_new(struct api_request *req) {
  req->lacks = req->subject.business_id ? LACKS_BUSINESS : LACKS_KEY;
  return !req->seen || req->seen->is_there;
}

enum err auth_admit(struct api_request *req) {
  unsigned access = req->match.route->access, who = access & ROUTE_WHO, credential;
  req->subject = (struct subject){.kind = SUBJECT_NOBODY};
  if (who == ROUTE_OPEN || who == ROUTE_ANYBODY) return OK;
  enum err e = auth_find_subject(req, &req->subject, &credential);
  if (e == ERR_NOT_FOUND) e = auth_may_be_new(req) ? ERR_NOT_YET : ERR_DENIED;
  if (e == ERR_NOT_YET) return e;
  if (e != OK) {
    security_refused(req->api, credential);
    const struct problem_words too_long = {.detail = STR("The token is longer than 16 KiB.")};
    problem_answer(req->x, PROBLEM_UNAUTHORIZED, e == ERR_TOO_BIG ? &too_long : NULL);
    return ERR_DENIED;
  }
  bool from_elsewhere =
      req->subject.session[0] && !origin_admits_cookie(req->api->origins, req->request, request_is_https(req));
  bool may = auth_role_suffices(&req->subject, access);
  if (may && !from_elsewhere) return OK;
  security_refused(req->api, may ? METRIC_CREDENTIAL_ORIGIN : METRIC_CREDENTIAL_ROLE);
  problem_answer(req->x, PROBLEM_FORBIDDEN, NULL);
  return ERR_DENIED;
}

enum err auth_find_business(struct api_request *req) {
  uint64_t id;
  if (req->subject.kind == SUBJECT_NOBODY || req->subject.business_id != 0) return OK;
  if (http_header_count(req->request, STR("X-Business-Id")) != 1 ||
      str_to_u64(http_header_get(req->request, STR("X-Business-Id")), INT64_MAX, &id) != OK || id == 0) {
    problem_answer_field(req->x, STR("X-Business-Id"));
    return ERR_DENIED;
  }
  req->subject.business_id = (int64_t)id;
  if (access_find_business(req->loop->access, (int64_t)id)) return OK;
  if (auth_may_be_new(req)) return ERR_NOT_YET;
  problem_answer(req->x, PROBLEM_NOT_FOUND, NULL);
  return ERR_DENIED;
}
