/* api_session_lookup.h - reads the session of a cookie, or the row of a signed URL, that this loop has not cached.
 *
 *   session_lookup(req);     req->resume is called with what was read; or the exchange is answered with the failure
 *
 * Thread rule: the exchange's loop, except session_still_there. */
#pragma once

#include "api/request/api_db_call.h"
#include "api/request/api_request.h"

/* Reads on a reader thread, then calls req->resume on the loop, unless the peer has gone; what it is called with is valid during
 * the call. */
void session_lookup(const struct api_request *req);

/* ---- for database calls that take long and whose subject came by a cookie ---- */

/* On the loop, before a read that calls session_still_there: takes the session's version of now. */
void session_renew_version(struct db_call *c);
/* On a reader. OK: the session is still there, or the subject has none. ERR_DENIED: it has ended. */
CHECKED enum err session_still_there(struct db *db, const struct db_call *e);
