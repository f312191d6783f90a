/* api_status_answer.h - answers whose body is a recording's status object. They read a row and never change one.
 *
 *   status_answer(req->api, x, 200, &row, NULL, 0, now, by_call);
 *
 * Thread rule: the exchange's loop; status_view_of on any thread. */
#pragma once

#include "api/request/api_loop.h"
#include "domain/status.h"

enum { STATUS_MAX = 16 * 1024 }; /* bytes of a status object */

/* The facts that a status object has beyond its row. now: the database's time, ms. */
struct status_view status_view_of(struct api *a, int64_t business_id, int64_t now);
/* The fields that tell where the object is by its recording's SID: Location of a 202; Content-Location when the recording was
 * asked for by its call (by_call). */
void status_add_places(const struct api *a, struct http_fields *f, int status, const char *recording_sid, bool by_call);
/* The status object of row, with a member `message` unless that is NULL. retry_after_s: 0 for none. */
void status_answer(struct api *a, struct http_exchange *x, int status, const struct recording *row, const char *message,
                   int64_t retry_after_s, int64_t now, bool by_call);
