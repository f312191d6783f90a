/* fetch_request.h - copies a request into its transfer, and sets curl's options for a hop.
 *
 * Thread rule: fetch thread only. */
#pragma once

#include "fetch/fetch_transfer.h"

/* Checks request and copies it into t. ERR_INVALID, ERR_TOO_BIG, ERR_NOMEM. The caller frees t in any case. */
CHECKED enum err request_copy(struct fetch_transfer *t, const struct fetch_request *request);
void request_done(struct fetch_transfer *t); /* wipes secrets and frees the copies */
/* Sets all options of t->easy, which is new, for t->hop, except the callbacks. ERR_NOMEM. */
CHECKED enum err request_apply(struct fetch_transfer *t, const char *user_agent);
