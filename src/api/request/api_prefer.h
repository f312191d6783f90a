/* api_prefer.h - the header Prefer (RFC 7240), and whether a request asks for audio or for a status.
 *
 *   if (prefer_media(request)) …send the audio, waiting for it… else …answer 202 if it is not ready…
 *
 * Thread rule: pure. */
#pragma once

#include "http/http.h"

enum { PREFER_WAIT_MAX_S = 54 };

struct prefer {
  bool respond_async;
  int wait_s; /* 0 to PREFER_WAIT_MAX_S; -1: no valid wait preference */
};

/* If a preference is given twice, the first counts. A preference that can't be parsed is ignored. */
struct prefer prefer_read(const struct http_request *r);
/* True if the client wants audio rather than a status: it sends Range (not with HEAD), Sec-Fetch-Dest audio or video, Accept
 * audio/…, or Prefer: wait, and not Prefer: respond-async. */
bool prefer_media(const struct http_request *r);
