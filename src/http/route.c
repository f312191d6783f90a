/* route.c - finds the row of a route table that matches a request. */
#include "http/route.h"

#include <string.h>

/* Matches path against one pattern, and sets m->params, at most HTTP_PARAMS_MAX. */
static bool match_pattern(const char *pattern, struct str path, struct http_match *m) {
  size_t i = 0;
  m->param_count = 0;
  while (*pattern != '\0') {
    if (*pattern != '{') {
      if (i == path.n || path.p[i] != *pattern) return false;
      pattern++, i++;
      continue;
    }
    pattern = strchr(pattern, '}');
    if (!pattern || m->param_count == HTTP_PARAMS_MAX) return false;
    pattern++;
    size_t end = str_index(path, '/', i);
    if (end == i) return false;
    m->params[m->param_count++] = str_of(path.p + i, end - i);
    i = end;
  }
  return i == path.n;
}

static const char *const method_texts[] = {
    [HTTP_GET] = "GET, HEAD", [HTTP_HEAD] = "HEAD",     [HTTP_POST] = "POST",       [HTTP_PUT] = "PUT",
    [HTTP_PATCH] = "PATCH",   [HTTP_DELETE] = "DELETE", [HTTP_OPTIONS] = "OPTIONS",
};

/* Writes the methods of the bit set as a list; methods that do not fit are left out. */
static void write_allow(unsigned methods, char *ret_allow, size_t size) {
  size_t n = 0;
  if (methods & 1u << HTTP_GET) methods &= ~(1u << HTTP_HEAD);
  for (size_t m = 0; m < COUNT_OF(method_texts); m++) {
    size_t length = strlen(method_texts[m]), comma = n > 0 ? 2 : 0;
    if (!(methods & 1u << m) || n + comma + length + 1 > size) continue;
    memcpy(ret_allow + n, ", ", comma);
    memcpy(ret_allow + n + comma, method_texts[m], length);
    n += comma + length;
  }
  if (size > 0) ret_allow[n] = '\0';
}

enum err http_route_find(const struct http_route *routes, size_t count, enum http_method method, struct str path,
                         char *ret_allow, size_t allow_size, struct http_match *ret_match) {
  unsigned methods = 0;
  for (size_t i = 0; i < count; i++) {
    struct http_match m;
    if (!match_pattern(routes[i].pattern, path, &m)) continue;
    if (routes[i].method == method || (routes[i].method == HTTP_GET && method == HTTP_HEAD)) {
      m.route = &routes[i];
      m.index = i;
      *ret_match = m;
      return OK;
    }
    methods |= 1u << routes[i].method;
  }
  if (methods == 0) return ERR_NOT_FOUND;
  write_allow(methods, ret_allow, allow_size);
  return ERR_DENIED;
}
