/* api_auth.h - authentication and authorization: which subject makes a request, and whether it may use the route.
 *
 *   e = auth_admit(req);                          before a body is read
 *   if (e == OK) e = auth_find_business(req);     req->subject says who, req->subject.business_id for which business
 *   if (e == ERR_NOT_YET) …                       req->lacks: session_lookup or access_lookup_…
 *
 * Thread rule: the exchange's loop. */
#pragma once

#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/api_subject.h"

/* Sets req->subject. The first credential that is present decides alone: Authorization, then a signed URL, then the cookie.
 * ERR_DENIED: 401 or 403 was answered. ERR_NOT_YET: req->lacks says what has to be read from the database;
 * req->subject.kind is SUBJECT_URL if that is the row of a URL. */
CHECKED enum err auth_admit(struct api_request *req);
/* Sets the business of a platform key from X-Business-Id. ERR_DENIED: 400 or 404 was answered. ERR_NOT_YET as auth_admit. */
CHECKED enum err auth_find_business(struct api_request *req);
/* The key that the token is: of a live business, or of the platform. NULL: the snapshot has no such key. */
const struct access_key *auth_find_key(const struct access_snapshot *access, struct str token);
/* Whether the token may be a key that was made a moment ago: it is well formed, the snapshot lacks it, and the database was not
 * asked for it. */
bool auth_key_may_be_new(const struct api_request *req, struct str token);
/* For requests that waited. OK: the same credential still admits this subject. ERR_DENIED: it does not, or no more is known of
 * a signed URL. ERR_NOT_YET: its
 * session has to be read again. Nothing is answered. */
CHECKED enum err auth_still_admits(const struct api_loop *l, const struct http_exchange *x,
                                   const struct subject *subject);
/* The token of an Authorization header; empty unless it is one well-formed Bearer. Pure. */
struct str auth_bearer(struct str authorization);
