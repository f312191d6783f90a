/* parse.h - strict, incremental parsing of requests and chunked bodies (RFC 9112). Pure: no sockets, no allocation.
 *
 *   struct http_parse p;  http_parse_init(&p, head_max, headers, HTTP_HEADERS_MAX);
 *   switch (http_parse_head(&p, bytes, n, &request)) { HTTP_PARSE_MORE: read more, call again with all bytes so far }
 *
 * The result is a function of the bytes alone, not of how they were split. Thread rule: pure. */
#pragma once

#include "http/http.h"

enum http_parse_result {
  HTTP_PARSE_MORE, /* not yet: give more bytes */
  HTTP_PARSE_DONE,
  HTTP_PARSE_DATA, /* the chunked decoder: bytes of the body */
  HTTP_PARSE_BAD,  /* status and reason say why */
};

struct http_parse {
  size_t head_max;
  struct http_header *headers; /* caller's, header_max of them */
  size_t header_max;

  size_t line_at; /* where the line in hand begins */
  size_t seen;    /* bytes already searched for its end */
  enum { HTTP_PARSE_AT_START, HTTP_PARSE_AT_REQUEST_LINE, HTTP_PARSE_AT_HEADERS, HTTP_PARSE_AT_END } at;
  bool has_content_length, has_transfer_encoding, chunked, has_expect, has_host;
  bool says_close, says_keep_alive;
  bool absolute; /* the target named the authority itself */

  /* Of a whole head. */
  size_t head_n;          /* bytes it took, its empty line included */
  int64_t content_length; /* 0 when there is none; not meaningful when chunked */
  bool keep_alive;        /* by version and Connection */
  bool expects_continue;

  int status; /* of BAD: 400, 417, 431, 501, 505 */
  const char *reason;
};

void http_parse_init(struct http_parse *p, size_t head_max, struct http_header *headers, size_t header_max);
/* bytes: from the request's first byte, at the same address as in the calls before (else init again first). The views
 * in *ret_request, which is written only as parts get known, point into them. DONE: head_n bytes were the head. */
enum http_parse_result http_parse_head(struct http_parse *p, const char *bytes, size_t n,
                                       struct http_request *ret_request);
bool http_is_token(struct str s);
/* A field value: no control characters but tab. */
bool http_is_field_value(struct str s);
/* host[:port] as RFC 3986 has them, without user-info; empty is well-formed. */
bool http_is_authority(struct str s);

/* ---- chunked ---- */

enum { HTTP_CHUNK_LINE_MAX = 512, HTTP_CHUNK_OVERHEAD_MAX = 16 * 1024, HTTP_TRAILERS_MAX = 8 * 1024 };

struct http_chunked {
  int64_t body_max;
  int64_t body_n;  /* announced so far, all chunks */
  int64_t left;    /* of the chunk in hand */
  size_t line_n;   /* bytes of the line in hand */
  size_t overhead; /* bytes of extensions and trailers so far */
  int at;          /* the decoder's own state, and that within an extension */
  int extension_at;
  int digits;
  uint64_t size;
  int status; /* of BAD: 400, 413 */
  const char *reason;
};

void http_chunked_init(struct http_chunked *c, int64_t body_max);
/* Takes some of in[0, n): *ret_used of them. DATA: *ret_body is a view of in, call again with the rest. MORE: all were
 * used. DONE: the body and its trailers are over, *ret_used bytes belonged to them. */
enum http_parse_result http_chunked_next(struct http_chunked *c, const char *in, size_t n, size_t *ret_used,
                                         struct str *ret_body);
