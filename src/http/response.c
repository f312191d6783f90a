/* response.c - builds an answer: its head as text, its body as pieces.
 *
 * Invariants
 *  (1) Content-Length is sent if the length is known; else the body is chunked for HTTP/1.1 and ends at the close for 1.0.
 *  (2) HEAD, 1xx, 204 and 304 have no body; 1xx, 204 and 304 have no Content-Length either.
 *  (3) keep is decided here once, and Connection agrees with it.
 *  (4) Of a large copied body the kernel holds at most UNSENT_MAX unsent bytes: the rest stays in this process, where the app
 *      counts it. Files are not bounded so: their pages are in memory anyway. */
#include <assert.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/metric.h"
#include "http/internal.h"

enum { STATUS_MIN = 100, STATUS_MAX = 599 };

#define LINE(status, reason) [(status)-STATUS_MIN] = STR("HTTP/1.1 " #status " " reason "\r\n")
static const struct str status_lines[STATUS_MAX - STATUS_MIN + 1] = {
    LINE(200, "OK"),
    LINE(201, "Created"),
    LINE(202, "Accepted"),
    LINE(204, "No Content"),
    LINE(206, "Partial Content"),
    LINE(301, "Moved Permanently"),
    LINE(302, "Found"),
    LINE(303, "See Other"),
    LINE(304, "Not Modified"),
    LINE(307, "Temporary Redirect"),
    LINE(308, "Permanent Redirect"),
    LINE(400, "Bad Request"),
    LINE(401, "Unauthorized"),
    LINE(403, "Forbidden"),
    LINE(404, "Not Found"),
    LINE(405, "Method Not Allowed"),
    LINE(406, "Not Acceptable"),
    LINE(408, "Request Timeout"),
    LINE(409, "Conflict"),
    LINE(410, "Gone"),
    LINE(411, "Length Required"),
    LINE(412, "Precondition Failed"),
    LINE(413, "Content Too Large"),
    LINE(415, "Unsupported Media Type"),
    LINE(416, "Range Not Satisfiable"),
    LINE(417, "Expectation Failed"),
    LINE(422, "Unprocessable Content"),
    LINE(428, "Precondition Required"),
    LINE(429, "Too Many Requests"),
    LINE(431, "Request Header Fields Too Large"),
    LINE(500, "Internal Server Error"),
    LINE(501, "Not Implemented"),
    LINE(502, "Bad Gateway"),
    LINE(503, "Service Unavailable"),
    LINE(504, "Gateway Timeout"),
    LINE(505, "HTTP Version Not Supported"),
    LINE(507, "Insufficient Storage"),
};
#undef LINE

struct str http_status_phrase(int status) {
  if (status < STATUS_MIN || status > STATUS_MAX || status_lines[status - STATUS_MIN].n == 0) return STR_NONE;
  struct str phrase = str_skip(status_lines[status - STATUS_MIN], strlen("HTTP/1.1 200 "));
  return str_head(phrase, phrase.n - strlen("\r\n"));
}

/* ---- writing a head into room that was reserved: no check a byte ---- */

static char *put_text(char *to, struct str s) {
  if (s.n > 0) memcpy(to, s.p, s.n);
  return to + s.n;
}

static char *put_number(char *to, uint64_t n) {
  char digits[20];
  size_t i = sizeof(digits);
  do digits[--i] = (char)('0' + n % 10);
  while ((n /= 10) > 0);
  return put_text(to, str_of(digits + i, sizeof(digits) - i));
}

static char *put_status(char *to, int status) {
  bool is_known = status >= STATUS_MIN && status <= STATUS_MAX && status_lines[status - STATUS_MIN].n > 0;
  if (is_known) return put_text(to, status_lines[status - STATUS_MIN]);
  to = put_text(to, STR("HTTP/1.1 "));
  to = put_number(to, (uint64_t)status);
  return put_text(to, STR(" \r\n"));
}

enum { HEAD_OWN_MAX = 320 }; /* bytes of a head without the app's fields */

/* ---- the body ---- */

static bool may_have_body(int status) {
  return status >= 200 && status != 204 && status != 304;
}

static int64_t length_of(const struct http_body *body) {
  switch (body->kind) {
    case HTTP_BODY_BYTES:
      return (int64_t)body->bytes.n;
    case HTTP_BODY_NONE:
    case HTTP_BODY_FILE:
    case HTTP_BODY_SOURCE:
      break;
  }
  return body->length;
}

/* Takes over the body's file or source. answer_drop closes it, also if building the answer fails. */
static void adopt_body(struct http_exchange *x, const struct http_body *body) {
  if (body->kind == HTTP_BODY_FILE) x->file = http_file_ref(body->file);
  if (body->kind != HTTP_BODY_SOURCE) return;
  x->source = body->source;
  x->source_arg = body->source_arg;
}

/* (4) */
static void bound_unsent(struct conn *c, bool bounded) {
  unsigned most = bounded ? UNSENT_MAX : 0; /* 0: the system's default */
  if (c->unsent_bounded == bounded) return;
  if (setsockopt(c->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof(most)) == 0) c->unsent_bounded = bounded;
}

static bool add_inline(struct http_exchange *x, struct str bytes) {
  if (buf_add(&x->out, bytes) != OK) return false;
  x->out_body_n = bytes.n;
  return true;
}

static bool build_file_body(struct http_exchange *x, const struct http_body *body) {
  if (body->length == 0) return true;
  if (body->length <= INLINE_MAX) {
    size_t n = (size_t)body->length;
    if (buf_reserve(&x->out, n) != OK) return false;
    if (file_read_now(x->loop, x->file, body->offset, n, x->out.p + x->out.n)) {
      x->out.n += n;
      x->out_body_n = n;
      return true;
    }
  }
  x->piece.kind = HTTP_PIECE_FILE;
  x->piece.fd = http_file_fd(x->file);
  x->piece.offset = body->offset;
  x->piece_left = body->length;
  if (body->length > CORK_MIN) {
    const int one = 1;
    x->corked = setsockopt(x->conn->fd, IPPROTO_TCP, TCP_CORK, &one, sizeof(one)) == 0;
  }
  return true;
}

static bool build_body(struct http_exchange *x, const struct http_body *body) {
  switch (body->kind) {
    case HTTP_BODY_NONE:
      break;
    case HTTP_BODY_BYTES:
      if (body->bytes.n > LARGE_COPY) bound_unsent(x->conn, true);
      return body->bytes.n == 0 || add_inline(x, body->bytes);
    case HTTP_BODY_FILE:
      bound_unsent(x->conn, false);
      return build_file_body(x, body);
    case HTTP_BODY_SOURCE:
      bound_unsent(x->conn, false);
      x->source_left = body->length;
      x->source_over = body->length == 0;
      break;
  }
  return true;
}

/* ---- the answer ---- */

/* True if the connection can stay open. An unread body must be short, and the client must be sending it. */
static bool can_keep(const struct http_exchange *x) {
  const struct http_parse *p = &x->parse;
  if (!p->keep_alive || x->close_after || x->conn->extra || x->loop->phase != PHASE_OPEN) return false;
  if (x->body_state == BODY_CHUNKED) return false;
  return x->body_state == BODY_NONE || (x->body_left <= DISCARD_MAX && !p->expects_continue);
}

static bool put_head(struct http_exchange *x, int status, struct str fields, int64_t length) {
  bool has_length = length >= 0 && status >= 200 && status != 204 && status != 304;
  struct str lines = str_from(x->loop->server->config.lines);
  if (buf_reserve(&x->out, fields.n + lines.n + HEAD_OWN_MAX) != OK) return false;
  char *to = x->out.p + x->out.n;
  to = put_status(to, status);
  to = put_text(to, loop_date(x->loop));
  to = put_text(to, fields);
  if (status >= 200) to = put_text(to, lines);
  if (has_length) {
    to = put_text(to, STR("Content-Length: "));
    to = put_number(to, (uint64_t)length);
    to = put_text(to, STR("\r\n"));
  }
  if (x->sending_chunked) to = put_text(to, STR("Transfer-Encoding: chunked\r\n"));
  if (!x->keep)
    to = put_text(to, STR("Connection: close\r\n"));
  else if (x->request.minor == 0)
    to = put_text(to, STR("Connection: keep-alive\r\n"));
  to = put_text(to, STR("\r\n"));
  x->out.n = (size_t)(to - x->out.p);
  assert(x->out.n <= x->out.cap);
  return true;
}

bool response_build(struct http_exchange *x, int status, const struct http_fields *fields,
                    const struct http_body *body) {
  static const struct http_body nothing = {.kind = HTTP_BODY_NONE};
  struct str lines = fields ? str_of(fields->bytes, fields->n) : STR_NONE;
  if (!body) body = &nothing;
  adopt_body(x, body);
  if (fields && fields->bad) {
    answer_drop(x);
    status = 500;
    lines = STR_NONE;
    body = &nothing;
  }
  x->status = status;
  metric_add(METRIC_HTTP_REQUESTS, metric_http_class(status), 1);
  int64_t length = length_of(body);
  bool is_head = x->request.method == HTTP_HEAD, sends_body = may_have_body(status) && !is_head;
  if (body->kind == HTTP_BODY_NONE && !is_head) length = 0;
  x->keep = can_keep(x);
  if (sends_body && length < 0) {
    x->sending_chunked = x->request.minor == 1;
    if (!x->sending_chunked) x->keep = false;
  }
  if (!put_head(x, status, lines, length)) return false;
  if (sends_body) return build_body(x, body);
  answer_drop(x);
  return true;
}

void http_respond(struct http_exchange *x, int status, const struct http_fields *fields, const struct http_body *body) {
  struct conn *c = x->conn;
  assert(loop_is_here(x->loop));
  if (!c || x->answered) { /* the peer is gone, or the server refused the request meanwhile */
    if (body && body->kind == HTTP_BODY_SOURCE && body->source->close) body->source->close(body->source_arg);
    return;
  }
  x->answered = true;
  if (!response_build(x, status, fields, body)) {
    http_abort(x);
    return;
  }
  c->state = CONN_ANSWER;
  if (!c->running) loop_make_ready(c);
}

/* ---- the server's own answers ---- */

size_t response_refusal(struct loop *l, const struct http_exchange *x, int status, const char *reason, char *ret_bytes,
                        size_t size) {
  const struct http_app *app = &l->server->app;
  const struct http_request *request = x && x->seen ? &x->request : NULL;
  bool head_only = x && x->request.method == HTTP_HEAD;
  struct http_fields fields;
  struct str lines = str_from(l->server->config.lines);
  char head[HEAD_OWN_MAX + sizeof(fields.bytes) + HTTP_LINES_MAX], body[1024];
  size_t body_n = 0;
  http_fields_init(&fields);
  if (app->refuse) app->refuse(app->arg, request, status, reason, &fields, body, sizeof(body), &body_n);
  if (body_n > sizeof(body) || fields.bad) fields.n = body_n = 0;
  char *to = put_status(head, status);
  metric_add(METRIC_HTTP_REQUESTS, metric_http_class(status), 1);
  to = put_text(to, loop_date(l));
  if (status == 503) to = put_text(to, STR("Retry-After: 1\r\n"));
  to = put_text(to, str_of(fields.bytes, fields.n));
  to = put_text(to, lines);
  to = put_text(to, STR("Content-Length: "));
  to = put_number(to, body_n);
  to = put_text(to, STR("\r\nConnection: close\r\n\r\n"));
  size_t head_n = (size_t)(to - head), n = head_n + (head_only ? 0 : body_n);
  assert(head_n <= sizeof(head));
  if (n > size) return 0;
  (void)put_text(put_text(ret_bytes, str_of(head, head_n)), str_of(body, n - head_n));
  return n;
}
