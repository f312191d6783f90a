/* listeners.h - limits how many listeners one business, and one signed URL, have at a time in this process.
 *
 *   e = listeners_enter(b->listeners, &limits, url, &place);     ERR_BUSY: too many      … listeners_leave(place);
 *
 * Each business has its own counts. They live until the last reference and the last listener are gone.
 * Thread rule: any thread. A listener without a signed URL takes no lock; one with a signed URL takes the business's
 * lock. */
#pragma once

#include <stdint.h>

#include "base/err.h"

struct listeners;      /* the counts of one business */
struct listener_place; /* what listeners_leave needs; listeners may share one */

struct listener_limits {
  int64_t all;        /* listeners of the business */
  int64_t by_url;     /* of those, listeners with any signed URL */
  int64_t by_one_url; /* of those, listeners with the same signed URL */
};

CHECKED enum err listeners_new(struct listeners **ret_listeners);
struct listeners *listeners_ref(struct listeners *l);
void listeners_unref(struct listeners *l); /* NULL is fine */
/* Counts a listener. url: a hash of its signed URL, 0 without one. ERR_BUSY: a limit is reached; ERR_NOMEM. Call
 * listeners_leave(*ret_place) once when it ends. */
CHECKED enum err listeners_enter(struct listeners *l, const struct listener_limits *limits, uint64_t url,
                                 struct listener_place **ret_place);
void listeners_leave(struct listener_place *place);
