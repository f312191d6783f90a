/* api_cookie.h - the session cookie: its name and attributes, reading it, setting it (RFC 6265bis).
 *
 *   cookie_rules_set(&rules, https, path_base, framed_by_others);
 *   if (cookie_find(&rules, request, &values) == OK) … values.all[i] …
 *   cookie_set(&rules, token, 12 * 3600, &fields);    cookie_clear(&rules, &fields);
 *
 * Thread rule: pure. */
#pragma once

#include "http/http.h"

enum { COOKIE_VALUE_MAX = 256, COOKIE_AGE_MAX_S = 12 * 3600, COOKIE_VALUES_MAX = 4 };

struct cookie_rules {
  const char
      *name; /* static: "__Host-callreel" over https, "__Secure-callreel" over https with a path, else "callreel" */
  const char *reach; /* static: "SameSite=Lax" … */
  bool https;
  char path[512];
};

/* https: PUBLIC_BASE_URL begins with https. path_base: its path without a trailing '/', or "". framed_by_others: FRAME_ANCESTORS
 * names another origin, so browsers must send the cookie from frames in other sites. ERR_INVALID: the path can't be the Path
 * of a cookie. */
CHECKED enum err cookie_rules_set(struct cookie_rules *ret_rules, bool https, struct str path_base,
                                  bool framed_by_others);

struct cookie_values {
  struct str all[COOKIE_VALUES_MAX]; /* views into the request, without repetitions */
  size_t count;
};

/* The values of the cookie: several, if browsers keep it with and without Partitioned, or for several paths. Values that
 * cookie_set never makes are left out, and other cookies are ignored, even malformed ones. ERR_NOT_FOUND: the request has no
 * such cookie. ERR_INVALID: it has no such value, or more than COOKIE_VALUES_MAX. */
CHECKED enum err cookie_find(const struct cookie_rules *rules, const struct http_request *r,
                             struct cookie_values *ret_values);

/* Adds Set-Cookie. value: base64url characters. max_age_s: cut at COOKIE_AGE_MAX_S; 0 or less deletes the cookie. */
void cookie_set(const struct cookie_rules *rules, struct str value, int64_t max_age_s, struct http_fields *f);
/* Adds each Set-Cookie that deletes the cookie: as it is set now, with or without Partitioned, and for the path "/". */
void cookie_clear(const struct cookie_rules *rules, struct http_fields *f);
