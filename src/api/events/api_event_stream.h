/* api_event_stream.h - event streams of a loop. Thread rule: its loop's. */
#pragma once

#include "api/events/api_event_feed.h"
#include "api/request/api_loop.h"
#include "api/request/api_request.h"

api_handler api_events;

/* Ends the streams whose credential admits them no more. */
void events_check(struct api_loop *l, int64_t business_id); /* 0: of all */
/* Ends them all. */
void events_drain(struct api_loop *l);
/* Tells them all to look at everything again. */
void events_reset(struct api_loop *l);
/* What the event_feed of a process is made with. */
struct event_feed_parts events_feed_parts(struct api *a);
