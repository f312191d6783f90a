/* range.h - preconditions and ranges of a request (RFC 9110 13 and 14).
 *
 *   switch (http_select(request, &representation, &first, &last)) { case HTTP_SELECT_PART: … }
 *
 * Thread rule: pure functions. */
#pragma once

#include "http/http.h"

struct http_representation {
  struct str etag;    /* strong, with its quotes; empty: none */
  int64_t modified_s; /* Last-Modified, whole UNIX seconds; -1: none */
  int64_t length;     /* bytes; -1: unknown */
};

enum http_selection {
  HTTP_SELECT_WHOLE,         /* 200 */
  HTTP_SELECT_PART,          /* 206 with bytes first to last */
  HTTP_SELECT_UNCHANGED,     /* 304 */
  HTTP_SELECT_FAILED,        /* 412 */
  HTTP_SELECT_UNSATISFIABLE, /* 416 with "bytes *" "/length" */
};

/* The Range header before the length is known. Several ranges, other units and malformed ranges are NONE: the answer is then
 * the whole representation (RFC 9110 14.2 allows this), or 416 if it has bytes of none of several. */
struct http_range {
  enum { HTTP_RANGE_NONE, HTTP_RANGE_FROM, HTTP_RANGE_CLOSED, HTTP_RANGE_SUFFIX } kind;
  int64_t first; /* FROM, CLOSED */
  int64_t last;  /* CLOSED: the last byte, inclusive; SUFFIX: the number of bytes at the end */
};
struct http_range http_range_parse(const struct http_request *r);
/* The same, but NONE if If-Range does not match the representation. */
struct http_range http_range_requested(const struct http_request *r, const struct http_representation *have);

/* Evaluates If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since, If-Range and Range in the order of RFC 9110
 * 13.2.2, for GET and HEAD. HEAD never gives PART. If the length is unknown, Range is ignored. PART sets *ret_first and
 * *ret_last (inclusive). */
enum http_selection http_select(const struct http_request *r, const struct http_representation *have,
                                int64_t *ret_first, int64_t *ret_last);
