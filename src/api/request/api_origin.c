/* api_origin.c - checks which page a request comes from, and sends the CORS headers.
 *
 * Invariants
 *  (1) Origins are compared in the form that browsers write. A text that does not have that form ("null", two origins, a URL
 *      with a path) equals no origin.
 *  (2) If CORS_ORIGINS is set, every answer has Vary: Origin, even one that allows no origin: a cache must not serve one page's
 *      answer to another page. If it is not set, no answer has that header.
 *  (3) An origin is allowed by name, never by "*", because credentials are always allowed with it. */
#include "api/request/api_origin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/problem_text.h"
#include "fetch/fetch.h"

struct origins {
  bool is_https, framed_by_others;
  char own[ORIGIN_SIZE]; /* of PUBLIC_BASE_URL; "": that of each request */
  char *frame_ancestors;
  size_t count;
  char others[][ORIGIN_SIZE]; /* CORS_ORIGINS */
};

/* ---- one origin ---- */

enum err origin_of_url(struct str url, char ret_origin[ORIGIN_SIZE], bool *ret_has_more) {
  struct fetch_url u;
  char text[ORIGIN_SIZE], port[8] = "";
  TRY(fetch_url_parse(url, &u));
  if (u.has_userinfo || !u.host.n || u.host.n > 255) return ERR_INVALID;
  if (u.port != (str_eq_nocase(u.scheme, STR("https")) ? 443 : 80)) (void)snprintf(port, sizeof(port), ":%d", u.port);
  int n = snprintf(text, sizeof(text), "%.*s://%.*s%s", STR_ARG(u.scheme), STR_ARG(u.host), port);
  if (n < 0 || (size_t)n >= sizeof(text)) return ERR_INVALID;
  for (int i = 0; i < n; i++)
    if (text[i] >= 'A' && text[i] <= 'Z') text[i] = (char)(text[i] - 'A' + 'a');
  memcpy(ret_origin, text, (size_t)n + 1);
  if (ret_has_more) *ret_has_more = u.path.n || u.has_query || u.has_fragment;
  return OK;
}

/* Parses a text that is an origin and nothing else (1). */
static bool origin_parse(struct str text, char ret_origin[ORIGIN_SIZE]) {
  char origin[ORIGIN_SIZE];
  bool has_more;
  if (origin_of_url(text, origin, &has_more) != OK || has_more) return false;
  memcpy(ret_origin, origin, sizeof(origin));
  return true;
}

/* ---- settings ---- */

/* Takes the next word of a list whose separators are blanks, and commas if comma is true. False: the list is at its end. */
static bool list_next_word(struct str *rest, bool comma, struct str *ret_word) {
  size_t from = 0, to;
  struct str s = *rest;
  while (from < s.n && (s.p[from] == ' ' || s.p[from] == '\t' || (comma && s.p[from] == ','))) from++;
  to = from;
  while (to < s.n && s.p[to] != ' ' && s.p[to] != '\t' && !(comma && s.p[to] == ',')) to++;
  *ret_word = str_head(str_skip(s, from), to - from);
  *rest = str_skip(s, to);
  return to > from;
}

static enum err origins_read_cors(struct origins *o, struct str list, struct buf *problem) {
  struct str word;
  while (list_next_word(&list, true, &word)) {
    if (o->count == ORIGINS_MAX)
      return problem_text_set(problem, ERR_INVALID, "CORS_ORIGINS: names more than 100 origins");
    if (!origin_parse(word, o->others[o->count++]))
      return problem_text_set(problem, ERR_INVALID,
                              "CORS_ORIGINS: must be exact origins such as https://app.example, with commas between");
  }
  return OK;
}

/* True for a CSP source: visible ASCII without characters that could end the directive. */
static bool csp_is_source(struct str word) {
  for (size_t i = 0; i < word.n; i++)
    if (word.p[i] <= ' ' || word.p[i] > '~' || strchr(";,'\"\\", word.p[i])) return false;
  return word.n > 0;
}

static enum err origins_read_frame_ancestors(struct origins *o, struct str list, struct buf *problem) {
  struct str rest = list, word;
  char origin[ORIGIN_SIZE];
  unsigned words = 0;
  bool none = false;
  if (list.n > FRAME_ANCESTORS_MAX)
    return problem_text_set(problem, ERR_INVALID, "FRAME_ANCESTORS: has more than 2000 bytes");
  for (; list_next_word(&rest, false, &word); words++) {
    if (str_eq_nocase(word, STR("'none'"))) none = true;
    if (str_eq_nocase(word, STR("'none'")) || str_eq_nocase(word, STR("'self'"))) continue;
    if (!csp_is_source(word))
      return problem_text_set(
          problem, ERR_INVALID,
          "FRAME_ANCESTORS: must be 'self', 'none' or sources such as https://app.example, with blanks between");
    if (!o->own[0] || !origin_parse(word, origin) || strcmp(origin, o->own) != 0) o->framed_by_others = true;
  }
  if (none && words > 1) return problem_text_set(problem, ERR_INVALID, "FRAME_ANCESTORS: 'none' stands alone");
  o->frame_ancestors = str_dup(words ? str_trim(list) : STR("'self'"));
  return o->frame_ancestors ? OK : ERR_NOMEM;
}

static void origins_free_(struct origins **o) {
  origins_free(*o);
}

enum err origins_new(const char *public_base_url, const char *cors_origins, const char *frame_ancestors,
                     struct buf *ret_problem, struct origins **ret_origins) {
  struct origins *o CLEANUP(origins_free_) = calloc(1, sizeof(*o) + ORIGINS_MAX * sizeof(o->others[0]));
  if (!o) return ERR_NOMEM;
  if (public_base_url && origin_of_url(str_from(public_base_url), o->own, NULL) != OK)
    return problem_text_set(ret_problem, ERR_INVALID, "PUBLIC_BASE_URL: must be an http or https URL");
  o->is_https = str_starts(str_from(o->own), STR("https:"));
  TRY(origins_read_cors(o, str_from(cors_origins), ret_problem));
  TRY(origins_read_frame_ancestors(o, str_from(frame_ancestors), ret_problem));
  *ret_origins = TAKE(o);
  return OK;
}

struct origins *origins_free(struct origins *o) {
  if (!o) return NULL;
  free(o->frame_ancestors);
  free(o);
  return NULL;
}

const char *origins_frame_ancestors(const struct origins *o) {
  return o->frame_ancestors;
}
bool origins_framed_by_others(const struct origins *o) {
  return o->framed_by_others;
}
bool origins_is_https(const struct origins *o) {
  return o->is_https;
}

/* ---- requests ---- */

/* The entry of CORS_ORIGINS that equals text (1), or NULL. */
static const char *origins_find(const struct origins *o, struct str text) {
  char origin[ORIGIN_SIZE];
  if (!o->count || !origin_parse(text, origin)) return NULL;
  for (size_t i = 0; i < o->count; i++)
    if (strcmp(o->others[i], origin) == 0) return o->others[i];
  return NULL;
}

static bool origin_is_own(const struct origins *o, const struct http_request *r, bool https, struct str text) {
  char origin[ORIGIN_SIZE], own[ORIGIN_SIZE], url[ORIGIN_SIZE];
  if (!origin_parse(text, origin)) return false;
  if (o->own[0]) return strcmp(origin, o->own) == 0;
  int n = snprintf(url, sizeof(url), "http%s://%.*s", https ? "s" : "", STR_ARG(str_head(r->host, ORIGIN_SIZE)));
  return n > 0 && (size_t)n < sizeof(url) && origin_parse(str_of(url, (size_t)n), own) && strcmp(origin, own) == 0;
}

static bool method_is_safe(enum http_method m) {
  return m == HTTP_GET || m == HTTP_HEAD || m == HTTP_OPTIONS;
}

bool origin_admits_cookie(const struct origins *o, const struct http_request *r, bool https) {
  size_t origins = http_header_count(r, STR("Origin")), sites = http_header_count(r, STR("Sec-Fetch-Site"));
  if (method_is_safe(r->method)) return true;
  if (origins > 1 || sites > 1) return false;
  if (origins == 1) {
    struct str origin = http_header_get(r, STR("Origin"));
    return origin_is_own(o, r, https, origin) || origins_find(o, origin);
  }
  struct str site = http_header_get(r, STR("Sec-Fetch-Site"));
  return sites == 0 || str_eq(site, STR("same-origin")) || str_eq(site, STR("none"));
}

/* The entry of CORS_ORIGINS that the request comes from, or NULL. */
static const char *origins_find_caller(const struct origins *o, const struct http_request *r) {
  if (http_header_count(r, STR("Origin")) != 1) return NULL;
  return origins_find(o, http_header_get(r, STR("Origin")));
}

static void cors_allow_origin(struct http_fields *f, const char *origin) {
  http_field(f, STR("Access-Control-Allow-Origin"), str_from(origin));
  http_field(f, STR("Access-Control-Allow-Credentials"), STR("true"));
}

void origin_cors(const struct origins *o, const struct http_request *r, struct http_fields *f) {
  if (!o->count) return;
  http_field(f, STR("Vary"), STR("Origin")); /* (2) */
  const char *caller = origins_find_caller(o, r);
  if (!caller) return;
  cors_allow_origin(f, caller);
  http_field(
      f, STR("Access-Control-Expose-Headers"),
      STR("Accept-Ranges, Cache-Status, Content-Disposition, Content-Length, Content-Location, Content-Range, Date, "
          "ETag, Last-Modified, Location, Retry-After"));
}

enum origin_preflight_result origin_preflight(const struct origins *o, const struct http_request *r, struct str allow,
                                              struct http_fields *f) {
  if (r->method != HTTP_OPTIONS || !http_header_count(r, STR("Origin")) ||
      !http_header_count(r, STR("Access-Control-Request-Method")))
    return ORIGIN_NOT_ASKED;
  if (o->count)
    http_field(f, STR("Vary"), STR("Origin, Access-Control-Request-Method, Access-Control-Request-Headers"));
  const char *caller = origins_find_caller(o, r);
  if (!caller) return ORIGIN_REFUSED;
  cors_allow_origin(f, caller);
  http_field(f, STR("Access-Control-Allow-Methods"), allow);
  http_field(
      f, STR("Access-Control-Allow-Headers"),
      STR("Accept, Authorization, Cache-Control, Content-Type, If-Match, If-Modified-Since, If-None-Match, If-Range, "
          "If-Unmodified-Since, Last-Event-ID, Prefer, Range, X-Business-Id"));
  http_field(f, STR("Access-Control-Max-Age"), STR("600"));
  return ORIGIN_ALLOWED;
}
