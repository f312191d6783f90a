/* api_origin.h - which origins' pages may use the session cookie, read answers (CORS), or show the page in a frame. The settings
 * are PUBLIC_BASE_URL, CORS_ORIGINS and FRAME_ANCESTORS.
 *
 *   origins_new(public_base_url, cors_origins, frame_ancestors, &problem, &origins);
 *   if (by_cookie && !origin_admits_cookie(origins, request, https)) … 403 …
 *   origin_cors(origins, request, &fields);                                   for every answer
 *   if (origin_preflight(origins, request, allow, &fields) == ORIGIN_ALLOWED) … 204 …
 *
 * Thread rule: new and free on one thread; all other functions are pure. */
#pragma once

#include "base/buf.h"
#include "http/http.h"

enum {
  ORIGINS_MAX = 100,
  ORIGIN_SIZE = 8 + 255 + 6 + 1, /* scheme, host, port */
  FRAME_ANCESTORS_MAX = 2000,    /* bytes; the rest of an answer's head must still fit */
};

struct origins;

/* Each text may be NULL. ERR_INVALID: *ret_problem (may be NULL) gets a sentence that begins with the setting's name. */
CHECKED enum err origins_new(const char *public_base_url, const char *cors_origins, const char *frame_ancestors,
                             struct buf *ret_problem, struct origins **ret_origins);
struct origins *origins_free(struct origins *o); /* accepts NULL; returns NULL */
/* The value for frame-ancestors of Content-Security-Policy. */
const char *origins_frame_ancestors(const struct origins *o);
/* True if FRAME_ANCESTORS names another origin: browsers must then send the cookie from frames in other sites. */
bool origins_framed_by_others(const struct origins *o);
/* True if PUBLIC_BASE_URL begins with https. */
bool origins_is_https(const struct origins *o);

/* *ret_origin is the origin of an absolute http or https URL as browsers write it: lower case, no default port. *ret_has_more
 * (may be NULL): a path, query or fragment follows. ERR_INVALID: not such a URL, or it has user-info. */
CHECKED enum err origin_of_url(struct str url, char ret_origin[ORIGIN_SIZE], bool *ret_has_more);

/* True if the request may use the session cookie: the method is safe, or a page of callreel or of CORS_ORIGINS made the request,
 * or no page did. Origin decides if it is present, else Sec-Fetch-Site. Without PUBLIC_BASE_URL callreel's own origin is the
 * request's Host with the scheme that https says (request_is_https). */
bool origin_admits_cookie(const struct origins *o, const struct http_request *r, bool https);

/* Adds the CORS headers if the request comes from an origin in CORS_ORIGINS, and Vary: Origin if CORS_ORIGINS is set. */
void origin_cors(const struct origins *o, const struct http_request *r, struct http_fields *f);

enum origin_preflight_result {
  ORIGIN_NOT_ASKED, /* not a preflight request; nothing was added */
  ORIGIN_ALLOWED,   /* the caller answers 204 with the added fields */
  ORIGIN_REFUSED,   /* the caller answers 403 with the added fields: the origin is not in CORS_ORIGINS */
};
/* Adds the fields that answer a preflight request; call it instead of origin_cors. allow: the route's methods, as in Allow. */
enum origin_preflight_result origin_preflight(const struct origins *o, const struct http_request *r, struct str allow,
                                              struct http_fields *f);
