/* fetch_redirect.c - decides whether a redirect is followed, and to which URL.
 *
 * Invariants
 *  (1) Credentials, headers and a body are sent only while every hop was of the first URL's origin.
 *  (2) Plain http is allowed only if the first URL was http and no hop was https.
 *  (3) The URL that is checked is the URL that is used. */
#include "fetch/fetch_redirect.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

enum { LOCATION_MAX_BYTES = 16 * 1024 };

static void free_curl_url(CURLU **u) {
  curl_url_cleanup(*u);
}

void fetch_hop_done(struct fetch_hop *hop) {
  free(hop->url);
  hop->url = NULL;
}

/* Resolves location against base to an absolute URL, to be freed. NULL if it is malformed, or, with *ret_memory false, if memory
 * ran out. */
static char *resolve(const char *base, const char *location, bool *ret_memory) {
  CURLU *u CLEANUP(free_curl_url) = curl_url();
  *ret_memory = u;
  if (!u) return NULL;
  CURLUcode code = curl_url_set(u, CURLUPART_URL, base, 0);
  if (code == CURLUE_OK) code = curl_url_set(u, CURLUPART_URL, location, CURLU_URLENCODE | CURLU_DISALLOW_USER);
  char *text = NULL;
  if (code == CURLUE_OK) code = curl_url_get(u, CURLUPART_URL, &text, 0);
  *ret_memory = code != CURLUE_OUT_OF_MEMORY;
  if (code != CURLUE_OK) return NULL;
  char *url = str_dup(str_from(text));
  curl_free(text);
  *ret_memory = url;
  return url;
}

static bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static enum fetch_method method_after(enum fetch_method method, int status) {
  if (status == 303) return FETCH_GET;
  if (method == FETCH_POST && (status == 301 || status == 302)) return FETCH_GET;
  return method;
}

enum fetch_direction fetch_redirect(const struct fetch_hop *hop, int status, const char *location,
                                    struct fetch_hop *ret_next) {
  if (!is_redirect(status) || !location) return FETCH_STAY;
  if (hop->hops_left == 0) return FETCH_TOO_FAR;
  if (strnlen(location, LOCATION_MAX_BYTES + 1) > LOCATION_MAX_BYTES) return FETCH_BAD_PLACE;
  bool memory;
  char *text CLEANUP(free_char) = resolve(hop->url, location, &memory);
  if (!text) return memory ? FETCH_BAD_PLACE : FETCH_NO_MEMORY;
  struct fetch_url from, to;
  if (fetch_url_parse(str_from(hop->url), &from) != OK) return FETCH_BAD_PLACE;
  if (fetch_url_parse(str_from(text), &to) != OK) return FETCH_BAD_PLACE; /* (3) */
  if (to.has_userinfo) return FETCH_BAD_PLACE;
  bool https = str_eq_nocase(to.scheme, STR("https"));
  if (!https && !hop->http_allowed) return FETCH_BAD_PLACE; /* (2) */
  struct fetch_hop next = {
      .method = method_after(hop->method, status),
      .hops_left = hop->hops_left - 1,
      .own_origin = hop->own_origin && fetch_url_same_origin(&from, &to),
      .http_allowed = hop->http_allowed && !https,
  };
  bool has_body = next.method == FETCH_POST || next.method == FETCH_PUT;
  if (has_body && !next.own_origin) return FETCH_BAD_PLACE; /* (1) */
  next.url = TAKE(text);
  *ret_next = next;
  return FETCH_GO;
}
