/* api_cookie.c - reads and sets the session cookie.
 *
 * Invariants
 *  (1) Only callreel's own cookie is checked. Other programs on the same host may set any other cookie.
 *  (2) Of several values all are given, and the newest session counts (api_session_lookup.c). A neighbouring host may have set
 *      one of them. Over https the __Host- or __Secure- prefix of the name prevents that.
 *  (3) A browser deletes a cookie only if name, path and Partitioned are the same as when it was set. FRAME_ANCESTORS and
 *      PUBLIC_BASE_URL may have changed since, so cookie_clear deletes all that the name can have. */
#include "api/auth/api_cookie.h"

#include <string.h>

static const char REACH_FRAMES[] = "SameSite=None; Secure; Partitioned", REACH_HTTPS[] = "SameSite=Lax; Secure",
                  REACH_PLAIN[] = "SameSite=Lax";

enum err cookie_rules_set(struct cookie_rules *ret_rules, bool https, struct str path_base, bool framed_by_others) {
  struct cookie_rules rules;
  for (size_t i = 0; i < path_base.n; i++)
    if (path_base.p[i] <= ' ' || path_base.p[i] > '~' || path_base.p[i] == ';') return ERR_INVALID;
  if (path_base.n && path_base.p[0] != '/') return ERR_INVALID;
  rules.name = !https ? "callreel" : path_base.n ? "__Secure-callreel" : "__Host-callreel";
  rules.https = https;
  rules.reach = framed_by_others ? REACH_FRAMES : https ? REACH_HTTPS : REACH_PLAIN;
  if (str_copy(rules.path, sizeof(rules.path), path_base.n ? path_base : STR("/")) != OK) return ERR_INVALID;
  *ret_rules = rules;
  return OK;
}

/* ---- reading ---- */

static bool cookie_is_value(struct str value) {
  for (size_t i = 0; i < value.n; i++)
    if (value.p[i] <= ' ' || value.p[i] > '~' || strchr("\",;\\", value.p[i])) return false;
  return value.n > 0 && value.n <= COOKIE_VALUE_MAX;
}

static enum err cookie_values_add(struct cookie_values *v, struct str value) {
  for (size_t i = 0; i < v->count; i++)
    if (str_eq(v->all[i], value)) return OK;
  if (v->count == COOKIE_VALUES_MAX) return ERR_INVALID;
  v->all[v->count++] = value;
  return OK;
}

enum err cookie_find(const struct cookie_rules *rules, const struct http_request *r, struct cookie_values *ret_values) {
  struct str name = str_from(rules->name), rest, each, this_name, value;
  struct cookie_values found = {.count = 0};
  bool is_there = false;
  for (size_t i = 0; i < r->header_count; i++) {
    if (!str_eq_nocase(r->headers[i].name, STR("Cookie"))) continue;
    rest = r->headers[i].value;
    for (bool more = true; more;) {
      more = str_cut(rest, ';', &each, &rest);
      if (!str_cut(str_trim(each), '=', &this_name, &value) || !str_eq(this_name, name)) continue; /* (1) */
      is_there = true;
      if (cookie_is_value(value)) TRY(cookie_values_add(&found, value)); /* (2) */
    }
  }
  if (!is_there) return ERR_NOT_FOUND;
  if (!found.count) return ERR_INVALID;
  *ret_values = found;
  return OK;
}

/* ---- setting ---- */

static void cookie_add_line(const struct cookie_rules *rules, struct str value, const char *path, const char *reach,
                            int64_t max_age_s, struct http_fields *f) {
  http_fieldf(f, STR("Set-Cookie"), "%s=%.*s; Path=%s; HttpOnly; %s; Max-Age=%lld", rules->name, STR_ARG(value), path,
              reach, (long long)max_age_s);
}

void cookie_set(const struct cookie_rules *rules, struct str value, int64_t max_age_s, struct http_fields *f) {
  if (max_age_s > COOKIE_AGE_MAX_S) max_age_s = COOKIE_AGE_MAX_S;
  if (max_age_s < 0) max_age_s = 0;
  if (value.n && !cookie_is_value(value)) {
    f->bad = true; /* callreel made the value, so this is a bug: the answer becomes 500 */
    return;
  }
  cookie_add_line(rules, value, rules->path, rules->reach, max_age_s, f);
}

void cookie_clear(const struct cookie_rules *rules, struct http_fields *f) { /* (3) */
  const char *other = rules->reach != REACH_FRAMES ? REACH_FRAMES : rules->https ? REACH_HTTPS : REACH_PLAIN;
  const char *const paths[] = {rules->path, "/"};
  for (size_t i = 0; i < (strcmp(rules->path, "/") == 0 ? 1 : COUNT_OF(paths)); i++) {
    cookie_add_line(rules, STR(""), paths[i], rules->reach, 0, f);
    cookie_add_line(rules, STR(""), paths[i], other, 0, f);
  }
}
