/* api_auth.h - authentication and authorization: which subject makes a request, and whether it may use the route.
 *
 *   e = auth_admit(req);                          before a body is read
 *   if (e == ERR_NOT_YET) session_lookup(req, …)  the cookie's session, or the signed URL, is not cached on this loop
 *   if (e == OK && auth_find_business(req)) …     req->subject says who, req->subject.business_id for which business
 *
 * Thread rule: the exchange's loop. */
#pragma once

#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/api_subject.h"

/* Sets req->subject. The first credential that is present decides alone: Authorization, then a signed URL, then the cookie.
 * ERR_DENIED: 401 or 403 was answered. ERR_NOT_YET: it is a cookie or a signed URL whose row has to be read from the
 * database; req->subject.kind is SUBJECT_URL for a URL. */
CHECKED enum err auth_admit(struct api_request *req);
/* Sets the business of a platform key from X-Business-Id. False: 400 or 404 was answered. */
CHECKED bool auth_find_business(struct api_request *req);
/* For requests that waited. OK: the same credential still admits this subject. ERR_DENIED: it does not, or no more is known of
 * a signed URL. ERR_NOT_YET: its
 * session has to be read again. Nothing is answered. */
CHECKED enum err auth_still_admits(const struct api_loop *l, const struct http_exchange *x,
                                   const struct subject *subject);
/* The token of an Authorization header; empty unless it is one well-formed Bearer. Pure. */
struct str auth_bearer(struct str authorization);
