/* api_access_lookup.h - looks up a key or business that this loop's access snapshot does not have: another process, or another
 * loop, may have made it a moment ago.
 *
 *   access_lookup(req, resume);     after ERR_NOT_YET with LACKS_KEY or LACKS_BUSINESS
 *
 * Thread rule: the exchange's loop. */
#pragma once

#include "api/request/api_db_call.h"
#include "api/request/api_request.h"

/* Reads the request's key, or the business req->subject.business_id, on a reader thread. If the database has it, waits for a
 * snapshot that has it too, and calls resume with NULL; else calls resume with a session that is not there. Answers 503 if the
 * database can't be read, or no such snapshot comes within 2 s. Does nothing more when the peer has gone. */
void access_lookup(const struct api_request *req, request_resume_fn *resume);
/* The loop has a new snapshot. */
void access_lookup_check_all(struct api_loop *l);
