/* parse.c - strict, incremental parsing of a request's head (RFC 9112 2-5).
 *
 * Invariants
 *  (1) A line is parsed once: when its LF was received, or as soon as it exceeds head_max. So the result does not depend on
 *      how the bytes were split, and each byte is searched for LF once.
 *  (2) A line ends with CR LF. Any other CR, LF, NUL or control character except tab is 400, and so is a folded line.
 *  (3) Errors are reported in the order of the bytes; errors of the whole head (Host, framing) are reported at its end.
 *  (4) Framing is unambiguous: Content-Length at most once, digits only; Transfer-Encoding exactly "chunked", once, on
 *      HTTP/1.1 only; never both. */
#include "http/parse.h"

#include <string.h>

enum { TOKEN = 1, TARGET = 2, HOST = 4 };

/* TOKEN: tchar of RFC 9110 5.6.2. TARGET: the characters of RFC 3986 except '#', plus ^`{|}, which browsers do not encode in
 * queries. HOST: characters of a reg-name: unreserved, sub-delims and '%'. */
static const unsigned char classes[256] = {
    ['0' ... '9'] = TOKEN | TARGET | HOST,
    ['A' ... 'Z'] = TOKEN | TARGET | HOST,
    ['a' ... 'z'] = TOKEN | TARGET | HOST,
    ['!'] = TOKEN | TARGET | HOST,
    ['#'] = TOKEN,
    ['$'] = TOKEN | TARGET | HOST,
    ['%'] = TOKEN | TARGET | HOST,
    ['&'] = TOKEN | TARGET | HOST,
    ['\''] = TOKEN | TARGET | HOST,
    ['('] = TARGET | HOST,
    [')'] = TARGET | HOST,
    ['*'] = TOKEN | TARGET | HOST,
    ['+'] = TOKEN | TARGET | HOST,
    [','] = TARGET | HOST,
    ['-'] = TOKEN | TARGET | HOST,
    ['.'] = TOKEN | TARGET | HOST,
    ['/'] = TARGET,
    [':'] = TARGET,
    [';'] = TARGET | HOST,
    ['='] = TARGET | HOST,
    ['?'] = TARGET,
    ['@'] = TARGET,
    ['['] = TARGET,
    [']'] = TARGET,
    ['^'] = TOKEN | TARGET,
    ['_'] = TOKEN | TARGET | HOST,
    ['`'] = TOKEN | TARGET,
    ['{'] = TARGET,
    ['|'] = TOKEN | TARGET,
    ['}'] = TARGET,
    ['~'] = TOKEN | TARGET | HOST,
};

static bool is_hex(char c) {
  return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool all_of(struct str s, unsigned class) {
  unsigned common = class; /* no branch per byte: nearly all requests are well-formed */
  for (size_t i = 0; i < s.n; i++) common &= classes[(unsigned char)s.p[i]];
  return common == class;
}

bool http_is_token(struct str s) {
  return s.n > 0 && all_of(s, TOKEN);
}

/* True if none of the eight bytes is below 0x20 or equal to 0x7f. */
static bool is_plain_word(const char *at) {
  const uint64_t ones = UINT64_MAX / 255;
  uint64_t word;
  memcpy(&word, at, 8);
  uint64_t del = word ^ (ones * 0x7f);
  uint64_t low = (word - ones * 0x20) & ~word & (ones * 0x80);
  uint64_t zero = (del - ones) & ~del & (ones * 0x80);
  return (low | zero) == 0;
}

bool http_is_field_value(struct str s) {
  size_t i = 0;
  while (i + 8 <= s.n && is_plain_word(s.p + i)) i += 8;
  if (i + 8 > s.n && s.n >= 8 && is_plain_word(s.p + s.n - 8))
    return true; /* the last eight bytes, some checked twice */
  for (; i < s.n; i++) {
    unsigned char c = (unsigned char)s.p[i];
    if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
  }
  return true;
}

static bool is_port(struct str s) {
  uint64_t port;
  return s.n == 0 || (s.n <= 5 && str_to_u64(s, 65535, &port) == OK);
}

static bool is_ip_literal(struct str s) {
  bool colon = false;
  for (size_t i = 0; i < s.n; i++) {
    if (s.p[i] == ':')
      colon = true;
    else if (!is_hex(s.p[i]) && s.p[i] != '.')
      return false;
  }
  return colon;
}

bool http_is_authority(struct str s) {
  if (s.n > 0 && s.p[0] == '[') {
    size_t end = str_index(s, ']', 0);
    if (end == s.n || !is_ip_literal(str_of(s.p + 1, end - 1))) return false;
    struct str rest = str_skip(s, end + 1);
    return rest.n == 0 || (rest.p[0] == ':' && is_port(str_skip(rest, 1)));
  }
  size_t colon = str_index(s, ':', 0);
  struct str name = str_head(s, colon);
  if (!all_of(name, HOST)) return false;
  for (size_t i = 0; i < name.n; i++)
    if (name.p[i] == '%' && (i + 2 >= name.n || !is_hex(name.p[i + 1]) || !is_hex(name.p[i + 2]))) return false;
  return colon == s.n || (name.n > 0 && is_port(str_skip(s, colon + 1)));
}

void http_parse_init(struct http_parse *p, size_t head_max, struct http_header *headers, size_t header_max) {
  *p = (struct http_parse){.head_max = head_max, .headers = headers, .header_max = header_max};
}

static enum http_parse_result parse_bad(struct http_parse *p, int status, const char *reason) {
  p->status = status;
  p->reason = reason;
  return HTTP_PARSE_BAD;
}

static enum http_method method_of(struct str s) {
  static const struct {
    struct str text;
    enum http_method method;
  } known[] = {
      {STR("GET"), HTTP_GET},     {STR("HEAD"), HTTP_HEAD},     {STR("POST"), HTTP_POST},       {STR("PUT"), HTTP_PUT},
      {STR("PATCH"), HTTP_PATCH}, {STR("DELETE"), HTTP_DELETE}, {STR("OPTIONS"), HTTP_OPTIONS},
  };
  for (size_t i = 0; i < COUNT_OF(known); i++)
    if (str_eq(s, known[i].text)) return known[i].method;
  return HTTP_OTHER;
}

static void split_query(struct http_request *r, struct str s) {
  r->has_query = str_cut(s, '?', &r->path, &r->query);
  if (!r->has_query) r->query = STR_NONE;
}

/* http://authority/path?query: its authority replaces Host's (RFC 9112 3.2.2). */
static bool take_absolute(struct http_parse *p, struct http_request *r) {
  struct str rest = r->target;
  if (str_starts_nocase(rest, STR("http://")))
    rest = str_skip(rest, 7);
  else if (str_starts_nocase(rest, STR("https://")))
    rest = str_skip(rest, 8);
  else
    return false;
  size_t end = 0;
  while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?') end++;
  r->host = str_head(rest, end);
  p->absolute = true;
  split_query(r, str_skip(rest, end));
  if (r->path.n == 0) r->path = r->method == HTTP_OPTIONS && !r->has_query ? STR("*") : STR("/");
  return r->host.n > 0 && http_is_authority(r->host);
}

static bool take_target(struct http_parse *p, struct http_request *r) {
  struct str t = r->target;
  if (t.n == 0 || !all_of(t, TARGET)) return false;
  r->path = t;
  if (str_eq(r->method_text, STR("CONNECT"))) return http_is_authority(t) && str_index(t, ':', 0) < t.n;
  if (str_eq(t, STR("*"))) return r->method == HTTP_OPTIONS;
  if (t.p[0] == '/') {
    split_query(r, t);
    return true;
  }
  return take_absolute(p, r);
}

static enum http_parse_result take_version(struct http_parse *p, struct str v, int *ret_minor) {
  if (v.n != 8 || memcmp(v.p, "HTTP/", 5) != 0 || v.p[5] < '0' || v.p[5] > '9' || v.p[6] != '.' || v.p[7] < '0' ||
      v.p[7] > '9')
    return parse_bad(p, 400, "malformed request line");
  if (v.p[5] != '1' || v.p[7] > '1') return parse_bad(p, 505, "HTTP version not supported");
  *ret_minor = v.p[7] - '0';
  return HTTP_PARSE_DONE;
}

static enum http_parse_result take_request_line(struct http_parse *p, struct str line, struct http_request *r) {
  size_t first = str_index(line, ' ', 0);
  size_t second = first < line.n ? str_index(line, ' ', first + 1) : line.n;
  if (second == line.n) return parse_bad(p, 400, "malformed request line");
  *r = (struct http_request){.headers = p->headers};
  r->method_text = str_head(line, first);
  if (!http_is_token(r->method_text)) return parse_bad(p, 400, "malformed method");
  r->method = method_of(r->method_text);
  r->target = str_of(line.p + first + 1, second - first - 1);
  /* Check the version first: in another version the rest may mean something else. */
  enum http_parse_result result = take_version(p, str_skip(line, second + 1), &r->minor);
  if (result != HTTP_PARSE_DONE) return result;
  if (!take_target(p, r)) return parse_bad(p, 400, "malformed request target");
  p->at = HTTP_PARSE_AT_HEADERS;
  return HTTP_PARSE_MORE;
}

static void take_connection(struct http_parse *p, struct str list) {
  struct str rest = list;
  for (bool more = true; more;) {
    struct str item;
    more = str_cut(rest, ',', &item, &rest);
    item = str_trim(item);
    if (str_eq_nocase(item, STR("close"))) p->says_close = true;
    if (str_eq_nocase(item, STR("keep-alive"))) p->says_keep_alive = true;
  }
}

static enum http_parse_result take_content_length(struct http_parse *p, struct str value) {
  uint64_t n;
  if (p->has_content_length) return parse_bad(p, 400, "several Content-Length");
  if (str_to_u64(value, INT64_MAX, &n) != OK) return parse_bad(p, 400, "malformed Content-Length");
  p->has_content_length = true;
  p->content_length = (int64_t)n;
  return HTTP_PARSE_MORE;
}

static enum http_parse_result take_expect(struct http_parse *p, struct str value) {
  p->has_expect = true;
  if (!str_eq_nocase(value, STR("100-continue"))) return parse_bad(p, 417, "unknown expectation");
  p->expects_continue = true;
  return HTTP_PARSE_MORE;
}

/* Parses the header fields that the server itself uses. */
static enum http_parse_result take_known(struct http_parse *p, struct http_header h, struct http_request *r) {
  switch (h.name.n) {
    case 4:
      if (!str_eq_nocase(h.name, STR("Host"))) break;
      if (p->has_host) return parse_bad(p, 400, "several Host");
      p->has_host = true;
      if (!http_is_authority(h.value)) return parse_bad(p, 400, "malformed Host");
      if (!p->absolute) r->host = h.value;
      break;
    case 6:
      if (str_eq_nocase(h.name, STR("Expect"))) return take_expect(p, h.value);
      break;
    case 10:
      if (str_eq_nocase(h.name, STR("Connection"))) take_connection(p, h.value);
      break;
    case 14:
      if (str_eq_nocase(h.name, STR("Content-Length"))) return take_content_length(p, h.value);
      break;
    case 17:
      if (!str_eq_nocase(h.name, STR("Transfer-Encoding"))) break;
      p->chunked = !p->has_transfer_encoding && str_eq_nocase(h.value, STR("chunked"));
      p->has_transfer_encoding = true;
      break;
    default:
      break;
  }
  return HTTP_PARSE_MORE;
}

static enum http_parse_result take_header(struct http_parse *p, struct str line, struct http_request *r) {
  size_t colon = 0;
  while (colon < line.n && (classes[(unsigned char)line.p[colon]] & TOKEN)) colon++;
  /* This also refuses a folded line, which begins with a space, and a space before the colon. */
  if (colon == 0 || colon == line.n || line.p[colon] != ':') return parse_bad(p, 400, "malformed header");
  if (r->header_count == p->header_max) return parse_bad(p, 431, "too many headers");
  size_t from = colon + 1, to = line.n;
  while (from < to && (line.p[from] == ' ' || line.p[from] == '\t')) from++;
  while (from < to && (line.p[to - 1] == ' ' || line.p[to - 1] == '\t')) to--;
  struct http_header h = {str_head(line, colon), str_of(line.p + from, to - from)};
  if (!http_is_field_value(h.value)) return parse_bad(p, 400, "control character in a header");
  p->headers[r->header_count++] = h;
  r->names |= http_name_bit(h.name);
  return take_known(p, h, r);
}

static enum http_parse_result take_end(struct http_parse *p, struct http_request *r) {
  if (r->minor == 1 && !p->has_host) return parse_bad(p, 400, "no Host");
  if (p->has_transfer_encoding) {
    if (r->minor == 0) return parse_bad(p, 400, "Transfer-Encoding in HTTP/1.0");
    if (p->has_content_length) return parse_bad(p, 400, "Transfer-Encoding with Content-Length");
    if (!p->chunked) return parse_bad(p, 501, "unknown Transfer-Encoding");
  }
  if (r->minor == 0) p->expects_continue = false;
  p->keep_alive = !p->says_close && (r->minor == 1 || p->says_keep_alive);
  p->at = HTTP_PARSE_AT_END;
  p->head_n = p->line_at;
  return HTTP_PARSE_DONE;
}

static enum http_parse_result take_line(struct http_parse *p, struct str line, struct http_request *r) {
  if (p->at == HTTP_PARSE_AT_START) {
    if (line.n == 0) return HTTP_PARSE_MORE; /* RFC 9112 2.2: empty lines before a request are ignored */
    p->at = HTTP_PARSE_AT_REQUEST_LINE;
  }
  if (p->at == HTTP_PARSE_AT_REQUEST_LINE) return take_request_line(p, line, r);
  if (line.n == 0) return take_end(p, r);
  return take_header(p, line, r);
}

static enum http_parse_result parse_too_long(struct http_parse *p) {
  return parse_bad(p, 431, p->at == HTTP_PARSE_AT_HEADERS ? "header too large" : "request line too long");
}

enum http_parse_result http_parse_head(struct http_parse *p, const char *bytes, size_t n, struct http_request *r) {
  /* Refuse bytes that can't begin a request, like a TLS ClientHello, without waiting for the end of a line. */
  if (p->at == HTTP_PARSE_AT_START && n > 0 && bytes[0] != '\r' && !(classes[(unsigned char)bytes[0]] & TOKEN))
    return parse_bad(p, 400, "not a request");
  for (;;) {
    const char *from = bytes + p->seen;
    const char *lf = p->seen < n ? memchr(from, '\n', n - p->seen) : NULL;
    if (!lf) {
      p->seen = n;
      return n >= p->head_max ? parse_too_long(p) : HTTP_PARSE_MORE;
    }
    size_t end = (size_t)(lf - bytes);
    if (end >= p->head_max) return parse_too_long(p);
    struct str line = str_of(bytes + p->line_at, end - p->line_at);
    if (line.n == 0 || line.p[line.n - 1] != '\r') return parse_bad(p, 400, "line without CR LF");
    line.n--;
    p->line_at = p->seen = end + 1;
    enum http_parse_result result = take_line(p, line, r);
    if (result != HTTP_PARSE_MORE) return result;
  }
}
