/* route.h - a table of patterns, and which row a request is for. Pure.
 *
 * A pattern is literal segments and {names}: "/api/calls/{call_sid}". A name matches one non-empty segment; its value is
 * the raw segment, percent-decoded by http_param. Rows are tried in order; the first that matches path and method wins. */
#pragma once

#include "base/buf.h"
#include "http/http.h"

enum { HTTP_PARAMS_MAX = 4 };

struct http_route {
  enum http_method method; /* GET rows serve HEAD too */
  const char *pattern;
  size_t body_max; /* bytes */
  unsigned access; /* what the app makes of it */
  void (*handle)(void *arg, struct http_exchange *x);
};

struct http_match {
  const struct http_route *route;
  size_t index; /* of the row */
  struct str params[HTTP_PARAMS_MAX];
  size_t param_count;
};

/* OK; ERR_NOT_FOUND: no such path; ERR_DENIED: the path is there, the method is not, and ret_allow (size bytes) holds the
 * value for Allow. */
CHECKED enum err http_route_find(const struct http_route *routes, size_t count, enum http_method method,
                                 struct str path, char *ret_allow, size_t allow_size, struct http_match *ret_match);

/* One decoded pair after the other from a query or form (application/x-www-form-urlencoded): '+' is a space, %XX a byte.
 * ERR_INVALID at a broken escape; ERR_NOT_FOUND at the end. The decoded bytes are appended to b; views stay valid until
 * b grows again, so reserve b for text.n bytes at the start (then they all stay valid). */
struct http_form {
  struct str rest;
};
CHECKED enum err http_form_next(struct http_form *f, struct buf *b, struct str *ret_name, struct str *ret_value);
/* The decoded value of a query's first pair of that name, appended to b. ERR_NOT_FOUND, ERR_INVALID. */
CHECKED enum err http_query_get(struct str query, struct str name, struct buf *b, struct str *ret_value);
/* Percent-decodes one path segment onto b ('+' stays). ERR_INVALID for a broken escape or a NUL. */
CHECKED enum err http_segment_decode(struct str segment, struct buf *b, struct str *ret_value);
