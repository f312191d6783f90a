/* api_cookie.h - the one cookie: what it is called and kept to, reading it, setting it (RFC 6265bis).
 *
 *   cookie_rules_set(&rules, https, path_base, framed_by_others);
 *   if (cookie_find(&rules, request, &token) == OK) …
 *   cookie_set(&rules, token, 12 * 3600, &fields);    cookie_clear(&rules, &fields);
 *
 * Thread rule: pure. */
#pragma once

#include "http/http.h"

enum { COOKIE_VALUE_MAX = 256, COOKIE_AGE_MAX_S = 12 * 3600 };

struct cookie_rules {
  const char
      *name; /* static: "__Host-callreel" over https, "__Secure-callreel" where it is for a path, else "callreel" */
  char attributes[640]; /* "; Path=/; HttpOnly; SameSite=Lax" … */
};

/* https: PUBLIC_BASE_URL is. path_base: its path without a trailing '/', or "". framed_by_others: FRAME_ANCESTORS names
 * another origin: the cookie must reach frames of other sites. ERR_INVALID: a path that a cookie can't be kept to. */
CHECKED enum err cookie_rules_set(struct cookie_rules *ret_rules, bool https, struct str path_base,
                                  bool framed_by_others);

/* Its value, a view into the request. ERR_NOT_FOUND: there is none; ERR_INVALID: it stands there with several values, or with
 * one that was never given. What other cookies look like doesn't matter. */
CHECKED enum err cookie_find(const struct cookie_rules *rules, const struct http_request *r, struct str *ret_value);

/* Adds Set-Cookie. value: base64url characters. max_age_s: cut at COOKIE_AGE_MAX_S; not above 0 ends it at once. */
void cookie_set(const struct cookie_rules *rules, struct str value, int64_t max_age_s, struct http_fields *f);
void cookie_clear(const struct cookie_rules *rules, struct http_fields *f);
