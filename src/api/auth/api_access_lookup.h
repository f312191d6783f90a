/* api_access_lookup.h - looks up a key or business that this loop's access snapshot does not have: another process, or another
 * loop, may have made it a moment ago.
 *
 *   access_lookup_key(req, token);        if auth_key_may_be_new
 *   access_lookup_business(req, id);      the request must be able to begin again: its body is here
 *
 * Thread rule: the exchange's loop. */
#pragma once

#include "api/request/api_db_call.h"
#include "api/request/api_request.h"

/* Reads the key or the business on a reader thread. If the database has it, waits for a snapshot that has it too, and calls
 * req->resume with NULL; else calls req->resume with a session that is not there. Answers 503 if the database can't be read, or
 * no such snapshot comes within 2 s. Does nothing more when the peer has gone. token is copied; at most KEY_TEXT_SIZE - 1
 * bytes, else 500 is answered. */
void access_lookup_key(const struct api_request *req, struct str token);
void access_lookup_business(const struct api_request *req, int64_t business_id);
/* The loop has a new snapshot. */
void access_lookup_check_all(struct api_loop *l);
