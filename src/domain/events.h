/* events.h - calls back when a recording changes, in this process. (Event streams to clients: api/events.)
 *
 *   events_watch(events, business, sid, on_change, arg, &watch);   … events_unwatch(watch);
 *
 * The changes thread calls events_notify; on_change runs on that thread and must only post. Begin the watch before you
 * read the row, then you miss no change.
 * Thread rule: any thread; after events_unwatch returned, on_change is not running and will not be called. */
#pragma once

#include <stdint.h>

#include "base/str.h"

struct events;
struct events_watch;

CHECKED enum err events_new(struct events **ret_events);
/* Ends the watches that are left. NULL is fine. Always NULL. */
struct events *events_free(struct events *e);
/* Calls on_change at every change of this recording until events_unwatch. ERR_NOMEM; ERR_TOO_BIG: no SID is that long. */
CHECKED enum err events_watch(struct events *e, int64_t business_id, struct str recording_sid,
                              void (*on_change)(void *arg), void *arg, struct events_watch **ret_watch);
void events_unwatch(struct events_watch *w); /* NULL is fine */
/* Calls the recording's watches. */
void events_notify(struct events *e, int64_t business_id, struct str recording_sid);
void events_notify_all(struct events *e); /* changes were missed: calls every watch */
