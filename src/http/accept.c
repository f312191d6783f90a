/* accept.c - evaluates Accept and Accept-Encoding. */
#include "http/accept.h"

/* True for "0", "0.", "0.000": the client does not accept the item. */
static bool is_zero(struct str q) {
  if (q.n == 0 || q.p[0] != '0') return false;
  for (size_t i = 1; i < q.n; i++)
    if (q.p[i] != (i == 1 ? '.' : '0')) return false;
  return true;
}

static bool is_refused(struct str parameters) {
  struct str one;
  bool more = parameters.n > 0;
  while (more) {
    more = str_cut(parameters, ';', &one, &parameters);
    one = str_trim(one);
    if (str_starts_nocase(one, STR("q=")) && is_zero(str_skip(one, 2))) return true;
  }
  return false;
}

bool http_accept_names(struct str value, struct str token) {
  struct str one, name, parameters;
  bool more = true;
  while (more) {
    more = str_cut(value, ',', &one, &value);
    if (!str_cut(one, ';', &name, &parameters)) parameters = STR_NONE;
    if (str_eq_nocase(str_trim(name), token) && !is_refused(parameters)) return true;
  }
  return false;
}

bool http_accepts(const struct http_request *r, struct str header, struct str token) {
  for (size_t i = 0; i < r->header_count; i++)
    if (str_eq_nocase(r->headers[i].name, header) && http_accept_names(r->headers[i].value, token)) return true;
  return false;
}
