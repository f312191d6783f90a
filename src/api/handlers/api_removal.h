/* api_removal.h - what DELETE of a recording and of a call share.
 *
 * Thread rule: the exchange's loop. */
#pragma once

#include "api/request/api_request.h"

/* The parameter at_provider: "1", or "0" or nothing. False: 400 was answered. */
CHECKED bool removal_read_query(struct api_request *req, bool *ret_at_provider);
