/* chunked.c - the strict decoder of chunked bodies (RFC 9112 7.1).
 *
 *   SIZE --;--> EXTENSION --CR--> SIZE_LF --LF--> BYTES --all--> BYTES_CR --> BYTES_LF --> SIZE
 *   SIZE_LF --LF, size 0--> TRAILER --CR LF on an empty line--> OVER
 *
 * Invariants
 *  (1) Each step uses one byte and no other, so the result does not depend on how the bytes were split.
 *  (2) Sizes have at most 16 hexadecimal digits, and their sum is at most body_max.
 *  (3) Extensions and trailers are read and dropped. A line of extensions has at most HTTP_CHUNK_LINE_MAX bytes, all of them
 *      HTTP_CHUNK_OVERHEAD_MAX, all trailers HTTP_TRAILERS_MAX. */
#include "http/parse.h"

enum {
  AT_SIZE,
  AT_EXTENSION,
  AT_QUOTED,
  AT_QUOTED_PAIR,
  AT_SIZE_LF,
  AT_BYTES,
  AT_BYTES_CR,
  AT_BYTES_LF,
  AT_TRAILER_START,
  AT_TRAILER_NAME,
  AT_TRAILER_VALUE,
  AT_TRAILER_LF,
  AT_END_LF,
  AT_OVER,
};

/* States within `; name [= value]`. SPACED: white space after an extension, which only another extension may follow. */
enum { EXT_NAME_DUE, EXT_NAME, EXT_NAME_SPACED, EXT_VALUE_DUE, EXT_VALUE, EXT_QUOTED_END, EXT_SPACED };

void http_chunked_init(struct http_chunked *c, int64_t body_max) {
  *c = (struct http_chunked){.body_max = body_max, .at = AT_SIZE};
}

static enum http_parse_result chunked_bad(struct http_chunked *c, int status, const char *reason) {
  c->status = status;
  c->reason = reason;
  return HTTP_PARSE_BAD;
}

static int hex_value(char b) {
  if (b >= '0' && b <= '9') return b - '0';
  if (b >= 'a' && b <= 'f') return b - 'a' + 10;
  if (b >= 'A' && b <= 'F') return b - 'A' + 10;
  return -1;
}

static enum http_parse_result step_size(struct http_chunked *c, char b) {
  int value = hex_value(b);
  if (value >= 0) {
    if (++c->digits > 16) return chunked_bad(c, 400, "chunk size too large");
    c->size = c->size << 4 | (unsigned)value;
    return HTTP_PARSE_MORE;
  }
  if (c->digits == 0) return chunked_bad(c, 400, "malformed chunk size");
  if (b == '\r') {
    c->at = AT_SIZE_LF;
  } else if (b == ';') {
    c->at = AT_EXTENSION;
    c->extension_at = EXT_NAME_DUE;
  } else if (b == ' ' || b == '\t') {
    c->at = AT_EXTENSION;
    c->extension_at = EXT_SPACED;
  } else {
    return chunked_bad(c, 400, "malformed chunk size");
  }
  return HTTP_PARSE_MORE;
}

static enum http_parse_result step_extension(struct http_chunked *c, char b) {
  bool space = b == ' ' || b == '\t', token = http_is_token(str_of(&b, 1));
  int *at = &c->extension_at;
  switch (*at) {
    case EXT_NAME_DUE:
      if (token) *at = EXT_NAME;
      return token || space ? HTTP_PARSE_MORE : chunked_bad(c, 400, "malformed chunk extension");
    case EXT_VALUE_DUE:
      if (token) *at = EXT_VALUE;
      if (b == '"') c->at = AT_QUOTED;
      return token || space || b == '"' ? HTTP_PARSE_MORE : chunked_bad(c, 400, "malformed chunk extension");
    default:
      break;
  }
  if (token && (*at == EXT_NAME || *at == EXT_VALUE)) return HTTP_PARSE_MORE;
  if (b == ';')
    *at = EXT_NAME_DUE;
  else if (b == '=' && (*at == EXT_NAME || *at == EXT_NAME_SPACED))
    *at = EXT_VALUE_DUE;
  else if (b == '\r' && *at != EXT_SPACED && *at != EXT_NAME_SPACED)
    c->at = AT_SIZE_LF;
  else if (space)
    *at = *at == EXT_NAME || *at == EXT_NAME_SPACED ? EXT_NAME_SPACED : EXT_SPACED;
  else
    return chunked_bad(c, 400, "malformed chunk extension");
  return HTTP_PARSE_MORE;
}

static enum http_parse_result step_quoted(struct http_chunked *c, char b) {
  unsigned char u = (unsigned char)b;
  if ((u < 0x20 && b != '\t') || u == 0x7f) return chunked_bad(c, 400, "malformed chunk extension");
  if (c->at == AT_QUOTED_PAIR) {
    c->at = AT_QUOTED;
  } else if (b == '\\') {
    c->at = AT_QUOTED_PAIR;
  } else if (b == '"') {
    c->at = AT_EXTENSION;
    c->extension_at = EXT_QUOTED_END;
  }
  return HTTP_PARSE_MORE;
}

static enum http_parse_result step_size_lf(struct http_chunked *c, char b) {
  if (b != '\n') return chunked_bad(c, 400, "chunk line without CR LF");
  if (c->size > (uint64_t)(c->body_max - c->body_n)) return chunked_bad(c, 413, "body too large");
  c->body_n += (int64_t)c->size;
  c->left = (int64_t)c->size;
  c->at = c->size > 0 ? AT_BYTES : AT_TRAILER_START;
  c->size = 0;
  c->digits = 0;
  c->line_n = 0;
  return HTTP_PARSE_MORE;
}

static enum http_parse_result step_trailer(struct http_chunked *c, char b) {
  unsigned char u = (unsigned char)b;
  switch (c->at) {
    case AT_TRAILER_START:
      if (b == '\r')
        c->at = AT_END_LF;
      else if (http_is_token(str_of(&b, 1)))
        c->at = AT_TRAILER_NAME;
      else
        return chunked_bad(c, 400, "malformed trailer");
      return HTTP_PARSE_MORE;
    case AT_TRAILER_NAME:
      if (b == ':')
        c->at = AT_TRAILER_VALUE;
      else if (!http_is_token(str_of(&b, 1)))
        return chunked_bad(c, 400, "malformed trailer");
      return HTTP_PARSE_MORE;
    case AT_TRAILER_VALUE:
      if (b == '\r')
        c->at = AT_TRAILER_LF;
      else if ((u < 0x20 && b != '\t') || u == 0x7f)
        return chunked_bad(c, 400, "malformed trailer");
      return HTTP_PARSE_MORE;
    case AT_TRAILER_LF:
      if (b != '\n') return chunked_bad(c, 400, "malformed trailer");
      c->at = AT_TRAILER_START;
      return HTTP_PARSE_MORE;
    default: /* AT_END_LF */
      if (b != '\n') return chunked_bad(c, 400, "malformed trailer");
      c->at = AT_OVER;
      return HTTP_PARSE_DONE;
  }
}

static enum http_parse_result chunked_step(struct http_chunked *c, char b) {
  switch (c->at) {
    case AT_SIZE:
      return step_size(c, b);
    case AT_EXTENSION:
    case AT_QUOTED:
    case AT_QUOTED_PAIR:
      if (++c->line_n > HTTP_CHUNK_LINE_MAX || ++c->overhead > HTTP_CHUNK_OVERHEAD_MAX)
        return chunked_bad(c, 400, "chunk extensions too large");
      return c->at == AT_EXTENSION ? step_extension(c, b) : step_quoted(c, b);
    case AT_SIZE_LF:
      return step_size_lf(c, b);
    case AT_BYTES_CR:
      if (b != '\r') return chunked_bad(c, 400, "chunk longer than its size");
      c->at = AT_BYTES_LF;
      return HTTP_PARSE_MORE;
    case AT_BYTES_LF:
      if (b != '\n') return chunked_bad(c, 400, "chunk longer than its size");
      c->at = AT_SIZE;
      return HTTP_PARSE_MORE;
    default:
      if (++c->line_n > HTTP_TRAILERS_MAX) return chunked_bad(c, 400, "trailers too large");
      return step_trailer(c, b);
  }
}

enum http_parse_result http_chunked_next(struct http_chunked *c, const char *in, size_t n, size_t *ret_used,
                                         struct str *ret_body) {
  for (size_t i = 0; i < n; i++) {
    if (c->at == AT_BYTES) {
      size_t take = (uint64_t)c->left < n - i ? (size_t)c->left : n - i;
      c->left -= (int64_t)take;
      if (c->left == 0) c->at = AT_BYTES_CR;
      *ret_body = str_of(in + i, take);
      *ret_used = i + take;
      return HTTP_PARSE_DATA;
    }
    enum http_parse_result result = chunked_step(c, in[i]);
    if (result == HTTP_PARSE_MORE) continue;
    *ret_used = i + 1;
    return result;
  }
  *ret_used = n;
  return HTTP_PARSE_MORE;
}
