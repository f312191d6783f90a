/* accept.h - what a client takes: Accept, Accept-Encoding (RFC 9110 12.5). Pure. */
#pragma once

#include "http/http.h"

/* True if one of the header's lines names exactly that token or media type, without case, and not with q=0. Wildcards name
 * nothing: what is sent without being asked for is the sender's choice. */
bool http_accepts(const struct http_request *r, struct str header, struct str token);
/* The same of one line's value. */
bool http_accept_names(struct str value, struct str token);
