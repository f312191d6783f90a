/* api_status.h - answers that are a status object. Looks, never acts: this file and its .c may not include enqueue.h.
 * Thread rule: the loop's. */
#pragma once

#include "api/api_internal.h"
#include "domain/status.h"

/* What else status objects say now. */
struct status_view status_view_of(const struct api *a, int64_t now);
/* The status object of row, with a member `message` where one is given. retry_after_s: 0 none. 202 gets the status's
 * Location; by_call: asked for by its call, hence Content-Location. */
void status_answer(const struct api *a, struct http_exchange *x, int status, const struct recording *row,
                   const char *message, int64_t retry_after_s, int64_t now, bool by_call);
