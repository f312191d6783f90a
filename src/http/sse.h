/* sse.h - formats server-sent events (HTML standard, 9.2) as text.
 *
 *   TRY(sse_add(&b, STR("recording"), 17, json));
 *
 * Thread rule: pure functions. Errors are those of buf_add. */
#pragma once

#include "base/buf.h"

#define SSE_CONTENT_TYPE "text/event-stream"
#define SSE_COMMENT ":\n\n"

/* Appends one event. id 0: no id. Each line of data becomes one `data:` line. */
CHECKED enum err sse_add(struct buf *b, struct str event, int64_t id, struct str data);
/* Appends the client's delay before it reconnects and, unless id is 0, the id to reconnect with. It is no event. */
CHECKED enum err sse_add_opening(struct buf *b, int64_t retry_ms, int64_t id);
