/* fetch_url.c - parses http(s) URLs strictly.
 *
 * Invariants
 *  (1) Only URLs that every parser reads in the same way are accepted: printable ASCII without a backslash, at most one '@', a
 *      host of letters, digits, '.', '-', '_' or a bracketed IPv6 address without a zone, a port of digits.
 *  (2) The views point into the text; nothing is decoded. */
#include "fetch/fetch.h"

#include <arpa/inet.h>
#include <string.h>

enum { URL_MAX_BYTES = 16 * 1024, PORT_MAX = 65535, HOST_MAX_BYTES = 255 };

static bool is_url_byte(unsigned char c) {
  return c > 0x20 && c < 0x7f && c != '\\';
}

static bool is_host_byte(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

/* The part of s before the first of the bytes in ends, or all of s. */
static struct str up_to(struct str s, const char *ends) {
  size_t n = 0;
  while (n < s.n && !strchr(ends, s.p[n])) n++;
  return str_head(s, n);
}

static enum err parse_scheme(struct str text, struct fetch_url *url, struct str *ret_rest) {
  if (str_starts_nocase(text, STR("https://"))) {
    url->scheme = str_head(text, 5);
    url->port = 443;
  } else if (str_starts_nocase(text, STR("http://"))) {
    url->scheme = str_head(text, 4);
    url->port = 80;
  } else {
    return ERR_INVALID;
  }
  *ret_rest = str_skip(text, url->scheme.n + 3);
  return OK;
}

static bool host_is_valid(struct str host) {
  if (host.n == 0 || host.n > HOST_MAX_BYTES) return false;
  if (host.p[0] != '[') {
    for (size_t i = 0; i < host.n; i++) {
      if (!is_host_byte((unsigned char)host.p[i])) return false;
    }
    return true;
  }
  char text[INET6_ADDRSTRLEN];
  struct in6_addr address;
  if (host.p[host.n - 1] != ']') return false;
  if (str_copy(text, sizeof(text), str_of(host.p + 1, host.n - 2)) != OK) return false;
  return inet_pton(AF_INET6, text, &address) == 1;
}

static enum err parse_authority(struct str authority, struct fetch_url *url) {
  struct str left, rest;
  if (str_cut(authority, '@', &left, &rest)) {
    url->has_userinfo = true;
    url->userinfo = left;
    authority = rest;
  }
  if (str_index(authority, '@', 0) < authority.n) return ERR_INVALID;
  size_t host_end = authority.n > 0 && authority.p[0] == '[' ? str_index(authority, ']', 0) : 0;
  size_t colon = str_index(authority, ':', host_end);
  url->host = str_head(authority, colon);
  if (!host_is_valid(url->host)) return ERR_INVALID;
  if (colon == authority.n) return OK;
  uint64_t port;
  TRY(str_to_u64(str_skip(authority, colon + 1), PORT_MAX, &port));
  if (port == 0) return ERR_INVALID;
  url->has_port = true;
  url->port = (int)port;
  return OK;
}

enum err fetch_url_parse(struct str text, struct fetch_url *ret_url) {
  struct fetch_url url = {0};
  struct str rest;
  if (text.n > URL_MAX_BYTES) return ERR_INVALID;
  for (size_t i = 0; i < text.n; i++) {
    if (!is_url_byte((unsigned char)text.p[i])) return ERR_INVALID; /* (1) */
  }
  TRY(parse_scheme(text, &url, &rest));
  struct str authority = up_to(rest, "/?#");
  TRY(parse_authority(authority, &url));
  rest = str_skip(rest, authority.n);
  url.path = up_to(rest, "?#");
  rest = str_skip(rest, url.path.n);
  if (rest.n > 0 && rest.p[0] == '?') {
    url.has_query = true;
    url.query = up_to(str_skip(rest, 1), "#");
    rest = str_skip(rest, url.query.n + 1);
  }
  if (rest.n > 0) {
    url.has_fragment = true;
    url.fragment = str_skip(rest, 1);
  }
  *ret_url = url;
  return OK;
}

bool fetch_url_same_origin(const struct fetch_url *a, const struct fetch_url *b) {
  return str_eq_nocase(a->scheme, b->scheme) && str_eq_nocase(a->host, b->host) && a->port == b->port;
}
