/* parse.h - strict, incremental parsing of requests and chunked bodies (RFC 9112). Pure: no sockets, no allocation.
 *
 *   struct http_parse p;  http_parse_init(&p, head_max, headers, HTTP_HEADERS_MAX);
 *   switch (http_parse_head(&p, bytes, n, &request)) { HTTP_PARSE_MORE: read more, call again with all bytes so far }
 *
 * The result depends on the bytes alone, not on how they were split. Thread rule: pure functions. */
#pragma once

#include "http/http.h"

enum http_parse_result {
  HTTP_PARSE_MORE, /* incomplete: more bytes are needed */
  HTTP_PARSE_DONE,
  HTTP_PARSE_DATA, /* from the chunked decoder only: some bytes of the body */
  HTTP_PARSE_BAD,  /* malformed or refused: see status and reason */
};

struct http_parse {
  size_t head_max;
  struct http_header *headers; /* caller's, header_max of them */
  size_t header_max;

  size_t line_at; /* where the current line begins */
  size_t seen;    /* bytes already searched for its end */
  enum { HTTP_PARSE_AT_START, HTTP_PARSE_AT_REQUEST_LINE, HTTP_PARSE_AT_HEADERS, HTTP_PARSE_AT_END } at;
  bool has_content_length, has_transfer_encoding, chunked, has_expect, has_host;
  bool says_close, says_keep_alive;
  bool absolute; /* the target is in absolute-form, which names the authority */

  /* Valid after HTTP_PARSE_DONE. */
  size_t head_n;          /* bytes of the head with its empty line */
  int64_t content_length; /* 0 if there is none; not meaningful if chunked */
  bool keep_alive;        /* from the version and Connection */
  bool expects_continue;

  int status; /* of BAD: 400, 417, 431, 501, 505 */
  const char *reason;
};

void http_parse_init(struct http_parse *p, size_t head_max, struct http_header *headers, size_t header_max);
/* bytes: all from the request's first byte on, at the same address as in earlier calls; if they moved, call http_parse_init
 * first. *ret_request is filled as lines are parsed; its views point into bytes. DONE: the first head_n bytes are the head. */
enum http_parse_result http_parse_head(struct http_parse *p, const char *bytes, size_t n,
                                       struct http_request *ret_request);
bool http_is_token(struct str s);
/* True if s has no control characters except tab (RFC 9110 5.5). */
bool http_is_field_value(struct str s);
/* True if s is host[:port] (RFC 3986 3.2) without user information. An empty s is well-formed. */
bool http_is_authority(struct str s);

/* ---- chunked ---- */

enum { HTTP_CHUNK_LINE_MAX = 512, HTTP_CHUNK_OVERHEAD_MAX = 16 * 1024, HTTP_TRAILERS_MAX = 8 * 1024 };

struct http_chunked {
  int64_t body_max;
  int64_t body_n;  /* sum of the chunk sizes so far */
  int64_t left;    /* bytes left of the current chunk */
  size_t line_n;   /* bytes of the current line */
  size_t overhead; /* bytes of extensions and trailers so far */
  int at;          /* the decoder's state; extension_at: the state within an extension */
  int extension_at;
  int digits;
  uint64_t size;
  int status; /* of BAD: 400, 413 */
  const char *reason;
};

void http_chunked_init(struct http_chunked *c, int64_t body_max);
/* Consumes the first *ret_used bytes of in[0, n). DATA: *ret_body is a view of in; call again with the rest. MORE: all n bytes
 * were consumed. DONE: the body and its trailers are complete. */
enum http_parse_result http_chunked_next(struct http_chunked *c, const char *in, size_t n, size_t *ret_used,
                                         struct str *ret_body);
