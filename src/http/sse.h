/* sse.h - Server-Sent Events (the HTML standard, 9.2) as text. Pure.
 *
 *   TRY(sse_add(&b, STR("recording"), 17, json)); */
#pragma once

#include "base/buf.h"

#define SSE_CONTENT_TYPE "text/event-stream"
#define SSE_COMMENT ":\n\n"

/* Appends one event. id 0: it has none. Each line of data becomes a line of its own. */
CHECKED enum err sse_add(struct buf *b, struct str event, int64_t id, struct str data);
/* Appends how long a client waits before it comes again, and, unless 0, the id that it is to come with: no event. */
CHECKED enum err sse_add_opening(struct buf *b, int64_t retry_ms, int64_t id);
