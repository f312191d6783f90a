/* Input: any text as a URL and as the Location of a redirect. Property: curl parses an accepted URL to the same origin. */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "fetch/fetch_redirect.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds) {
  if (!holds) abort();
}

static bool inside(struct str part, struct str text) {
  return part.n == 0 || (part.p >= text.p && part.p + part.n <= text.p + text.n);
}

static void same_host_as_curl(const char *text, const struct fetch_url *url) {
  CURLU *u = curl_url();
  char *host = NULL, *port = NULL;
  require(u);
  if (curl_url_set(u, CURLUPART_URL, text, 0) == CURLUE_OK) {
    require(curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK);
    require(curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK);
    require(atol(port) == url->port);
    /* curl writes addresses its own way; names must be the same. */
    bool is_name = url->host.p[0] != '[' && strspn(host, "0123456789.") != strlen(host);
    if (is_name) require(str_eq_nocase(str_from(host), url->host));
  }
  curl_free(host);
  curl_free(port);
  curl_url_cleanup(u);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  struct str text = str_of((const char *)bytes, n);
  struct fetch_url url;
  char *copy = str_dup(text);
  if (!copy) return 0;
  if (fetch_url_parse(text, &url) == OK) {
    require(inside(url.scheme, text) && inside(url.userinfo, text) && inside(url.host, text));
    require(inside(url.path, text) && inside(url.query, text) && inside(url.fragment, text));
    require(url.port > 0 && url.port <= 65535 && url.host.n > 0 && fetch_url_same_origin(&url, &url));
    same_host_as_curl(copy, &url);
  }
  char base[] = "https://a.example/x/y?q";
  struct fetch_hop hop = {.url = base, .method = FETCH_GET, .hops_left = 1, .own_origin = true}, next;
  if (fetch_redirect(&hop, 302, copy, &next) == FETCH_GO) {
    require(fetch_url_parse(str_from(next.url), &url) == OK);
    require(!url.has_userinfo && str_eq_nocase(url.scheme, STR("https")));
    require(next.own_origin == (str_eq_nocase(url.host, STR("a.example")) && url.port == 443));
    fetch_hop_done(&next);
  }
  free(copy);
  return 0;
}
