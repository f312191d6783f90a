/* fetch_request.c - copies a request into its transfer, and sets curl's options for a hop.
 *
 * Invariants
 *  (1) Neither the environment nor an earlier reply has an effect: no proxy, netrc, cookie, HSTS or alternative service.
 *  (2) curl sends one request per hop: it follows no redirect, does not repeat a request to authenticate, decodes no content.
 *  (3) Credentials and the caller's headers are set for hops with own_origin only. */
#include "fetch/fetch_request.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

enum {
  HEADERS_MAX = 32,
  HEADER_MAX_BYTES = 8 * 1024,
  SECRET_MAX_BYTES = 4 * 1024,
  BODY_MAX_BYTES = 16 * 1024 * 1024,
  CURL_BUFFER_BYTES = 64 * 1024,
};

static bool is_header_line(const char *line) {
  size_t n = strnlen(line, HEADER_MAX_BYTES + 1);
  const char *colon = memchr(line, ':', n);
  if (n > HEADER_MAX_BYTES || !colon || colon == line) return false;
  for (size_t i = 0; i < n; i++) {
    if ((unsigned char)line[i] < 0x20 && line[i] != '\t') return false;
  }
  return true;
}

static enum err copy_headers(struct fetch_transfer *t, const char *const *headers) {
  if (!headers) return OK;
  size_t n = 0;
  while (headers[n] && n <= HEADERS_MAX) n++;
  if (n > HEADERS_MAX) return ERR_TOO_BIG;
  t->headers = calloc(n + 1, sizeof(*t->headers));
  if (!t->headers) return ERR_NOMEM;
  for (size_t i = 0; i < n; i++) {
    if (!is_header_line(headers[i])) return ERR_INVALID;
    t->headers[i] = str_dup(str_from(headers[i]));
    if (!t->headers[i]) return ERR_NOMEM;
  }
  return OK;
}

static enum err copy_secret(const char *text, char **ret_copy) {
  if (!text) return OK;
  if (strnlen(text, SECRET_MAX_BYTES + 1) > SECRET_MAX_BYTES) return ERR_TOO_BIG;
  char *copy = str_dup(str_from(text));
  if (!copy) return ERR_NOMEM;
  *ret_copy = copy;
  return OK;
}

static enum err parse_method(const char *method, enum fetch_method *ret_method) {
  struct str name = method ? str_from(method) : STR("GET");
  if (str_eq(name, STR("GET"))) {
    *ret_method = FETCH_GET;
  } else if (str_eq(name, STR("POST"))) {
    *ret_method = FETCH_POST;
  } else if (str_eq(name, STR("PUT"))) {
    *ret_method = FETCH_PUT;
  } else if (str_eq(name, STR("DELETE"))) {
    *ret_method = FETCH_DELETE;
  } else {
    return ERR_INVALID;
  }
  return OK;
}

static void set_limits(struct fetch_request *r) {
  if (r->connect_ms <= 0) r->connect_ms = 10000;
  if (r->first_byte_ms <= 0) r->first_byte_ms = 60000;
  if (r->idle_ms <= 0) r->idle_ms = 30000;
  if (r->max_bytes < 0) r->max_bytes = 0;
}

enum err request_copy(struct fetch_transfer *t, const struct fetch_request *request) {
  struct fetch_url url;
  if (!request->url) return ERR_INVALID;
  TRY(fetch_url_parse(str_from(request->url), &url));
  if (url.has_userinfo) return ERR_INVALID;
  TRY(parse_method(request->method, &t->hop.method));
  if (request->body.n > BODY_MAX_BYTES) return ERR_TOO_BIG;
  t->hop.url = str_dup(str_from(request->url));
  t->body = str_dup(request->body);
  if (!t->hop.url || !t->body) return ERR_NOMEM;
  t->body_bytes = request->body.n;
  t->hop.hops_left = request->max_hops;
  t->hop.own_origin = true;
  t->hop.http_allowed = str_eq_nocase(url.scheme, STR("http"));
  TRY(copy_headers(t, request->headers));
  TRY(copy_secret(request->user, &t->user));
  TRY(copy_secret(request->password, &t->password));
  t->request = *request;
  set_limits(&t->request);
  /* The caller's texts may be freed from now on. */
  t->request.method = t->request.url = t->request.user = t->request.password = NULL;
  t->request.headers = NULL;
  t->request.body = STR_NONE;
  return OK;
}

static void wipe_and_free(char *text) {
  if (text) secret_wipe(text, strlen(text));
  free(text);
}

void request_done(struct fetch_transfer *t) {
  for (size_t i = 0; t->headers && t->headers[i]; i++) {
    wipe_and_free(t->headers[i]);
  }
  free(t->headers);
  wipe_and_free(t->user);
  wipe_and_free(t->password);
  free(t->body);
  fetch_hop_done(&t->hop);
}

static enum err add_line(struct curl_slist **lines, const char *line) {
  struct curl_slist *longer = curl_slist_append(*lines, line);
  if (!longer) return ERR_NOMEM;
  *lines = longer;
  return OK;
}

static enum err apply_headers(struct fetch_transfer *t) {
  TRY(add_line(&t->lines, "Accept-Encoding: identity"));
  TRY(add_line(&t->lines, "Expect:"));
  for (size_t i = 0; t->hop.own_origin && t->headers && t->headers[i]; i++) { /* (3) */
    TRY(add_line(&t->lines, t->headers[i]));
  }
  return curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->lines) == CURLE_OK ? OK : ERR_NOMEM;
}

#define SET(option, value)                                                          \
  do {                                                                              \
    if (curl_easy_setopt(t->easy, (option), (value)) != CURLE_OK) return ERR_NOMEM; \
  } while (0)

static enum err apply_rules(struct fetch_transfer *t) {
  SET(CURLOPT_PROTOCOLS_STR, "http,https");
  SET(CURLOPT_PROXY, "");
  SET(CURLOPT_NOPROXY, "*");
  SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  SET(CURLOPT_FOLLOWLOCATION, 0L);
  SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  SET(CURLOPT_PATH_AS_IS, 1L);
  SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  SET(CURLOPT_HTTP09_ALLOWED, 0L);
  SET(CURLOPT_SSL_VERIFYPEER, 1L);
  SET(CURLOPT_SSL_VERIFYHOST, 2L);
  SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  SET(CURLOPT_NOSIGNAL, 1L);
  /* If a transfer ends during a look-up, curl must not wait for the name server. */
  SET(CURLOPT_QUICK_EXIT, 1L);
  SET(CURLOPT_BUFFERSIZE, (long)CURL_BUFFER_BYTES);
  SET(CURLOPT_ERRORBUFFER, t->error);
  /* Set so that curl divides the time among a host's addresses; transfer_expire enforces the limit. */
  SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(t->request.connect_ms < INT_MAX ? t->request.connect_ms : INT_MAX));
  return OK;
}

enum err request_apply(struct fetch_transfer *t, const char *user_agent) {
  TRY(apply_rules(t));
  SET(CURLOPT_URL, t->hop.url);
  if (user_agent) SET(CURLOPT_USERAGENT, user_agent);
  if (t->hop.method == FETCH_POST || t->hop.method == FETCH_PUT) {
    SET(CURLOPT_POST, 1L);
    if (t->hop.method == FETCH_PUT) SET(CURLOPT_CUSTOMREQUEST, "PUT");
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body_bytes);
    SET(CURLOPT_POSTFIELDS, t->body);
  } else {
    SET(CURLOPT_HTTPGET, 1L);
    if (t->hop.method == FETCH_DELETE) SET(CURLOPT_CUSTOMREQUEST, "DELETE");
  }
  if (t->hop.own_origin && t->user) { /* (3) */
    SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    SET(CURLOPT_USERNAME, t->user);
    SET(CURLOPT_PASSWORD, t->password ? t->password : "");
  }
  return apply_headers(t);
}
