/* api_event_stream.h - GET /api/events: the event streams of a loop (server-sent events).
 *
 *   struct event_feed_parts parts = event_stream_feed_parts(api);  TRY(event_feed_new(&parts, &api->event_feed));
 *   event_stream_check_all(loop, business_id);    after a key, a session or the business changed
 *   event_stream_end_all(loop);                   at a drain
 *
 * Thread rule: the loop that owns the streams. */
#pragma once

#include "api/events/api_event_feed.h"
#include "api/request/api_loop.h"
#include "api/request/api_request.h"

api_handler api_events;

/* Ends the streams of a business whose credential admits them no longer. business_id 0: of all businesses. A stream
 * whose session has to be looked up in the database ends a moment later. */
void event_stream_check_all(struct api_loop *l, int64_t business_id);
/* Ends all streams of the loop. */
void event_stream_end_all(struct api_loop *l);
/* Sends a reset to all streams of the loop: their clients load everything again. */
void event_stream_reset_all(struct api_loop *l);
/* The parts of the process's event feed: it delivers to the streams of each loop. */
struct event_feed_parts event_stream_feed_parts(struct api *a);
