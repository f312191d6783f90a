/* api_origin.h - whose pages may call with a cookie, read answers, or frame the page: PUBLIC_BASE_URL, CORS_ORIGINS,
 * FRAME_ANCESTORS.
 *
 *   origins_new(public_base_url, cors_origins, frame_ancestors, &problem, &origins);
 *   if (by_cookie && !origin_admits_cookie(origins, request, https)) … 403 …
 *   origin_cors(origins, request, &fields);                                   of every answer
 *   if (origin_preflight(origins, request, allow, &fields) == ORIGIN_ALLOWED) … 204 …
 *
 * Thread rule: made once, used by any thread; all but new and free are pure. */
#pragma once

#include "base/buf.h"
#include "http/http.h"

enum {
  ORIGINS_MAX = 100,
  ORIGIN_SIZE = 8 + 255 + 6 + 1, /* scheme, host, port */
  FRAME_ANCESTORS_MAX = 2000,    /* bytes: what else an answer's head says must fit beside it */
};

struct origins;

/* Each text may be NULL. ERR_INVALID: *ret_problem (may be NULL) gets a sentence that begins with the setting's name. */
CHECKED enum err origins_new(const char *public_base_url, const char *cors_origins, const char *frame_ancestors,
                             struct buf *ret_problem, struct origins **ret_origins);
struct origins *origins_free(struct origins *o); /* NULL is fine; always NULL */
/* The value of CSP's frame-ancestors. */
const char *origins_frame_ancestors(const struct origins *o);
/* FRAME_ANCESTORS names somebody but ourselves: cookies must then reach frames of other sites. */
bool origins_framed_by_others(const struct origins *o);
/* PUBLIC_BASE_URL is https. */
bool origins_is_https(const struct origins *o);

/* The origin of an absolute http or https URL as browsers write it: lower case, no default port. ERR_INVALID: no such URL,
 * or it has user-info; *ret_has_more (may be NULL): there is a path, query or fragment behind it. */
CHECKED enum err origin_of_url(struct str url, char ret_origin[ORIGIN_SIZE], bool *ret_has_more);

/* True for safe methods, and for a request that a page of our own or of CORS_ORIGINS made, or no page at all: Origin decides
 * where it is present, else Sec-Fetch-Site. Without PUBLIC_BASE_URL our own origin is the request's; https: its scheme, that
 * of X-Forwarded-Proto where a trusted proxy says so. */
bool origin_admits_cookie(const struct origins *o, const struct http_request *r, bool https);

/* Adds what lets a page of one of CORS_ORIGINS read the answer, and Vary where answers differ by Origin. */
void origin_cors(const struct origins *o, const struct http_request *r, struct http_fields *f);

enum origin_leave {
  ORIGIN_NOT_ASKED, /* no preflight: an OPTIONS like others */
  ORIGIN_ALLOWED,   /* 204 with what was added */
  ORIGIN_REFUSED,   /* 403 with what was added: the origin is not in CORS_ORIGINS */
};
/* allow: the methods of the route, as in Allow. Where it says ORIGIN_NOT_ASKED nothing was added. Instead of origin_cors. */
enum origin_leave origin_preflight(const struct origins *o, const struct http_request *r, struct str allow,
                                   struct http_fields *f);
