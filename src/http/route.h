/* route.h - finds the row of a route table that matches a request; decodes queries, forms and path segments.
 *
 *   http_route_find(routes, count, request->method, request->path, allow, sizeof(allow), &match);
 *   http_segment_decode(match.params[0], &buf, &value);
 *
 * A pattern has literal segments and {names}: "/api/calls/{call_sid}". A name matches one non-empty segment; its parameter is
 * the raw segment. Rows are tried in order; the first that matches path and method wins. Thread rule: pure functions. */
#pragma once

#include "base/buf.h"
#include "http/http.h"

enum { HTTP_PARAMS_MAX = 4 };

struct http_route {
  enum http_method method; /* GET rows match HEAD too */
  const char *pattern;
  size_t body_max; /* bytes */
  unsigned access; /* defined by the app */
  void (*handle)(void *arg, struct http_exchange *x);
};

struct http_match {
  const struct http_route *route;
  size_t index; /* of the row */
  struct str params[HTTP_PARAMS_MAX];
  size_t param_count;
};

/* OK; ERR_NOT_FOUND: no row has this path; ERR_DENIED: rows have this path but not this method, and ret_allow (allow_size
 * bytes) receives the value for Allow. */
CHECKED enum err http_route_find(const struct http_route *routes, size_t count, enum http_method method,
                                 struct str path, char *ret_allow, size_t allow_size, struct http_match *ret_match);

/* Each call decodes the next pair of a query or form (application/x-www-form-urlencoded): '+' is a space, %XX a byte.
 * ERR_INVALID: malformed escape, unless the form takes any bytes: then its '%' stands for itself. ERR_NOT_FOUND: no pair is
 * left. The decoded bytes are appended to b, and the views are valid until b grows: if the caller reserves rest.n bytes at the
 * start, all views stay valid. */
struct http_form {
  struct str rest;
  bool takes_any_bytes;
};
CHECKED enum err http_form_next(struct http_form *f, struct buf *b, struct str *ret_name, struct str *ret_value);
/* Appends the decoded value of the query's pair with that name to b. ERR_NOT_FOUND; ERR_INVALID; ERR_EXISTS: several have it. */
CHECKED enum err http_query_get(struct str query, struct str name, struct buf *b, struct str *ret_value);
/* Appends one path segment, percent-decoded, to b; '+' is not decoded. ERR_INVALID: malformed escape or NUL. */
CHECKED enum err http_segment_decode(struct str segment, struct buf *b, struct str *ret_value);
