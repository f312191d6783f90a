/* api_prefer.c - reads the header Prefer (RFC 7240), and decides whether a request is a player's. */
#include "api/request/api_prefer.h"

static struct str str_unquoted(struct str s) {
  if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"') return str_of(s.p + 1, s.n - 2);
  return s;
}

static void prefer_read_item(struct str item, struct prefer *p) {
  struct str preference, parameters, name, value;
  uint64_t seconds;
  (void)str_cut(item, ';', &preference, &parameters);
  bool has_value = str_cut(preference, '=', &name, &value);
  name = str_trim(name);
  if (str_eq_nocase(name, STR("respond-async"))) p->respond_async = true;
  if (!has_value || p->wait_s >= 0 || !str_eq_nocase(name, STR("wait"))) return;
  if (str_to_u64(str_unquoted(str_trim(value)), UINT32_MAX, &seconds) != OK) return;
  p->wait_s = seconds < PREFER_WAIT_MAX_S ? (int)seconds : PREFER_WAIT_MAX_S;
}

struct prefer prefer_read(const struct http_request *r) {
  struct prefer p = {.wait_s = -1};
  for (size_t i = 0; i < r->header_count; i++) {
    if (!str_eq_nocase(r->headers[i].name, STR("Prefer"))) continue;
    struct str rest = r->headers[i].value, item;
    for (bool more = true; more;) {
      more = str_cut(rest, ',', &item, &rest);
      prefer_read_item(item, &p);
    }
  }
  return p;
}

static bool request_accepts_audio(const struct http_request *r) {
  for (size_t i = 0; i < r->header_count; i++) {
    if (!str_eq_nocase(r->headers[i].name, STR("Accept"))) continue;
    struct str rest = r->headers[i].value, item;
    for (bool more = true; more;) {
      more = str_cut(rest, ',', &item, &rest);
      item = str_trim(item);
      if (str_eq_nocase(str_head(item, item.n < 6 ? item.n : 6), STR("audio/"))) return true;
    }
  }
  return false;
}

bool prefer_media(const struct http_request *r) {
  struct prefer prefer = prefer_read(r);
  struct str dest = http_header_get(r, STR("Sec-Fetch-Dest"));
  if (prefer.respond_async) return false;
  bool has_range =
      r->method != HTTP_HEAD && http_header_count(r, STR("Range")) > 0; /* HEAD ignores Range (RFC 9110 section 14.2) */
  return prefer.wait_s >= 0 || has_range || str_eq(dest, STR("audio")) || str_eq(dest, STR("video")) ||
         request_accepts_audio(r);
}
