/* api_cookie.c - reads and sets the session cookie.
 *
 * Invariants
 *  (1) Only callreel's own cookie is checked. Other programs on the same host may set any other cookie.
 *  (2) Two different values under callreel's name are refused: a neighbouring host may have set one of them. Over https the
 *      __Host- or __Secure- prefix of the name prevents that.
 *  (3) A browser deletes a cookie only if name, path and Partitioned are the same as when it was set. So cookie_set and
 *      cookie_clear take all of them from the same rules. */
#include "api/auth/api_cookie.h"

#include <stdio.h>
#include <string.h>

enum err cookie_rules_set(struct cookie_rules *ret_rules, bool https, struct str path_base, bool framed_by_others) {
  struct cookie_rules rules;
  for (size_t i = 0; i < path_base.n; i++)
    if (path_base.p[i] <= ' ' || path_base.p[i] > '~' || path_base.p[i] == ';') return ERR_INVALID;
  if (path_base.n && path_base.p[0] != '/') return ERR_INVALID;
  rules.name = !https ? "callreel" : path_base.n ? "__Secure-callreel" : "__Host-callreel";
  const char *reach = framed_by_others ? "SameSite=None; Secure; Partitioned"
                      : https          ? "SameSite=Lax; Secure"
                                       : "SameSite=Lax";
  int n = snprintf(rules.attributes, sizeof(rules.attributes), "; Path=%.*s; HttpOnly; %s",
                   STR_ARG(path_base.n ? path_base : STR("/")), reach);
  if (n < 0 || (size_t)n >= sizeof(rules.attributes)) return ERR_INVALID;
  *ret_rules = rules;
  return OK;
}

/* ---- reading ---- */

static bool cookie_is_value(struct str value) {
  for (size_t i = 0; i < value.n; i++)
    if (value.p[i] <= ' ' || value.p[i] > '~' || strchr("\",;\\", value.p[i])) return false;
  return value.n > 0 && value.n <= COOKIE_VALUE_MAX;
}

enum err cookie_find(const struct cookie_rules *rules, const struct http_request *r, struct str *ret_value) {
  struct str name = str_from(rules->name), found = STR_NONE, rest, each, this_name, value;
  bool is_there = false;
  for (size_t i = 0; i < r->header_count; i++) {
    if (!str_eq_nocase(r->headers[i].name, STR("Cookie"))) continue;
    rest = r->headers[i].value;
    for (bool more = true; more;) {
      more = str_cut(rest, ';', &each, &rest);
      if (!str_cut(str_trim(each), '=', &this_name, &value) || !str_eq(this_name, name)) continue; /* (1) */
      if (!cookie_is_value(value) || (is_there && !str_eq(value, found))) return ERR_INVALID;      /* (2) */
      found = value;
      is_there = true;
    }
  }
  if (!is_there) return ERR_NOT_FOUND;
  *ret_value = found;
  return OK;
}

/* ---- setting ---- */

void cookie_set(const struct cookie_rules *rules, struct str value, int64_t max_age_s, struct http_fields *f) {
  if (max_age_s > COOKIE_AGE_MAX_S) max_age_s = COOKIE_AGE_MAX_S;
  if (max_age_s < 0) max_age_s = 0;
  if (value.n && !cookie_is_value(value)) {
    f->bad = true; /* callreel made the value, so this is a bug: the answer becomes 500 */
    return;
  }
  http_fieldf(f, STR("Set-Cookie"), "%s=%.*s%s; Max-Age=%lld", rules->name, STR_ARG(value), rules->attributes,
              (long long)max_age_s);
}

void cookie_clear(const struct cookie_rules *rules, struct http_fields *f) {
  cookie_set(rules, STR(""), 0, f);
}
