/* fetch_request.h - a transfer's own copy of what was asked, and a hop of it as curl's options. */
#pragma once

#include "fetch/fetch_transfer.h"

/* Copies request into t, checked; ERR_INVALID, ERR_TOO_BIG, ERR_NOMEM. t is freed by the caller either way. */
CHECKED enum err request_copy(struct fetch_transfer *t, const struct fetch_request *request);
void request_done(struct fetch_transfer *t); /* wipes the secrets */
/* Sets t->easy, new, up for t->hop, but for the callbacks. */
CHECKED enum err request_apply(struct fetch_transfer *t, const char *user_agent);
