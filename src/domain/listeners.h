/* listeners.h - how many listen to recordings of one business at once, in this process, and how many of them by one
 * signed URL.
 *
 *   e = listeners_enter(b->listeners, &limits, url, &place);     ERR_BUSY: too many      … listeners_leave(place);
 *
 * Each business has a count of its own, which lives as long as the business is known here or somebody listens.
 * Thread rule: any thread. Who comes without a signed URL takes no lock; who comes by one waits for others of the same
 * business alone. */
#pragma once

#include <stdint.h>

#include "base/err.h"

struct listeners;      /* of a business */
struct listener_place; /* of one listener, or of several who need not be told apart */

struct listener_limits {
  int64_t all;        /* of a business */
  int64_t by_url;     /* of those, by signed URLs */
  int64_t by_one_url; /* of those, by the same one */
};

CHECKED enum err listeners_new(struct listeners **ret_listeners);
struct listeners *listeners_ref(struct listeners *l);
void listeners_unref(struct listeners *l); /* NULL is fine */
/* url: which signed URL it is that somebody came by, 0: by none. ERR_BUSY: a limit is reached; ERR_NOMEM. */
CHECKED enum err listeners_enter(struct listeners *l, const struct listener_limits *limits, uint64_t url,
                                 struct listener_place **ret_place);
void listeners_leave(struct listener_place *place);
