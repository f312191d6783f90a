/* accept.h - evaluates Accept and Accept-Encoding (RFC 9110 12.5).
 *
 *   if (http_accepts(request, STR("Accept-Encoding"), STR("gzip"))) …
 *
 * Thread rule: pure functions. */
#pragma once

#include "http/http.h"

/* True if one of the header's lines names exactly that token or media type, in any case, and not with q=0. Wildcards do not
 * count: they leave the choice to the server. */
bool http_accepts(const struct http_request *r, struct str header, struct str token);
/* The same for the value of one line. */
bool http_accept_names(struct str value, struct str token);
