/* api_auth.c - who asks, and whether that may be.
 *
 *   Authorization -> (media: signed URL) -> cookie: the first that is present decides alone
 *
 * A platform key acts as admin of the business that X-Business-Id names; with any other credential that header is nothing. */
#include "api/api_internal.h"

struct str auth_bearer(struct str authorization) {
  struct str scheme, token;
  if (!str_cut(authorization, ' ', &scheme, &token) || !str_eq_nocase(scheme, STR("Bearer"))) return STR_NONE;
  token = str_trim(token);
  for (size_t i = 0; i < token.n; i++)
    if (token.p[i] <= ' ' || token.p[i] > '~') return STR_NONE;
  return token;
}

/* False: nobody. */
static bool subject_of_key(const struct access_snapshot *access, struct str token, struct subject *ret_subject) {
  const struct access_key *key = token.n ? access_find_key(access, token) : NULL;
  if (!key) return false;
  struct subject s = {SUBJECT_KEY, key->key_id, key->business_id, key->role};
  if (key->role == ACCESS_PLATFORM)
    s = (struct subject){SUBJECT_KEY, key->key_id, 0, ACCESS_ADMIN};
  else if (!access_find_business(access, key->business_id))
    return false;
  *ret_subject = s;
  return true;
}

static bool find_subject(const struct access_snapshot *access, const struct http_request *r,
                         struct subject *ret_subject) {
  if (http_header_count(r, STR("Authorization")) != 1) return false;
  return subject_of_key(access, auth_bearer(http_header_get(r, STR("Authorization"))), ret_subject);
}

bool auth_still_admits(const struct api_loop *l, const struct http_exchange *x, const struct subject *subject) {
  struct subject now;
  return find_subject(l->access, http_request(x), &now) && now.key_id == subject->key_id &&
         access_find_business(l->access, subject->business_id);
}

static bool role_suffices(enum access_role role, unsigned who) {
  switch (who) {
    case ROUTE_VIEWER:
    case ROUTE_MEDIA:
      return true;
    case ROUTE_AGENT:
      return role >= ACCESS_AGENT;
    default:
      return role >= ACCESS_ADMIN;
  }
}

bool auth_admit(struct visit *v) {
  unsigned who = v->match.route->access & ROUTE_WHO;
  v->subject = (struct subject){.kind = SUBJECT_NOBODY};
  if (who == ROUTE_OPEN) return true;
  if (!find_subject(v->loop->access, v->request, &v->subject)) {
    problem_answer(v->x, PROBLEM_UNAUTHORIZED, NULL);
    return false;
  }
  if (role_suffices(v->subject.role, who)) return true;
  problem_answer(v->x, PROBLEM_FORBIDDEN, NULL);
  return false;
}

bool auth_find_business(struct visit *v) {
  uint64_t id;
  if (v->subject.kind == SUBJECT_NOBODY || v->subject.business_id != 0) return true;
  if (http_header_count(v->request, STR("X-Business-Id")) != 1 ||
      str_to_u64(http_header_get(v->request, STR("X-Business-Id")), INT64_MAX, &id) != OK || id == 0) {
    problem_answer_field(v->x, STR("X-Business-Id"));
    return false;
  }
  if (!access_find_business(v->loop->access, (int64_t)id)) {
    problem_answer(v->x, PROBLEM_NOT_FOUND, NULL);
    return false;
  }
  v->subject.business_id = (int64_t)id;
  return true;
}
