/* api_prefer.h - the header Prefer (RFC 7240), as far as players use it, and who is a player. Pure. */
#pragma once

#include "http/http.h"

enum { PREFER_WAIT_MAX_S = 54 };

struct prefer {
  bool respond_async;
  int wait_s; /* at most PREFER_WAIT_MAX_S; -1: not said */
};

/* Of a preference said twice the first counts; what can't be read is left aside. */
struct prefer prefer_read(const struct http_request *r);
/* True if somebody asks for sound, not for an answer about it: by Range (not of a HEAD), Sec-Fetch-Dest, Accept, or
 * Prefer: wait. */
bool prefer_media(const struct http_request *r);
