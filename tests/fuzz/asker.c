/* Input: any bytes as a Cookie header, an Origin, a list of origins and the query of a signed URL. Property: an accepted value is
 * a part of the input, and no guessed signature is accepted. */
#include <stdlib.h>
#include <string.h>

#include "api/auth/api_cookie.h"
#include "api/request/api_origin.h"
#include "domain/signed_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds) {
  if (!holds) abort();
}

static bool inside(struct str part, struct str text) {
  return part.n && part.p >= text.p && part.p + part.n <= text.p + text.n;
}

static void feed_cookie(const struct http_request *r, struct str text) {
  struct cookie_rules rules;
  struct http_fields f;
  struct cookie_values values;
  require(cookie_rules_set(&rules, true, STR(""), false) == OK);
  bool found = cookie_find(&rules, r, &values) == OK;
  for (size_t i = 0; found && i < values.count; i++) {
    require(inside(values.all[i], text) && values.all[i].n <= COOKIE_VALUE_MAX);
    http_fields_init(&f);
    cookie_set(&rules, values.all[i], 60, &f);
    require(!f.bad);
  }
  if (cookie_rules_set(&rules, false, text, true) != OK) return;
  http_fields_init(&f);
  cookie_clear(&rules, &f);
  require(!f.bad);
}

static void feed_origins(struct http_request *r, const char *text) {
  char origin[ORIGIN_SIZE], again[ORIGIN_SIZE];
  struct origins *o = NULL;
  struct http_fields f;
  bool has_more;
  if (origin_of_url(str_from(text), origin, NULL) == OK) {
    require(origin_of_url(str_from(origin), again, &has_more) == OK && !has_more && strcmp(origin, again) == 0);
    require(origins_new(text, origin, NULL, NULL, &o) == OK);
    o = origins_free(o);
  }
  if (origins_new(NULL, text, "'self'", NULL, &o) == OK) o = origins_free(o);
  if (origins_new("https://a.example", "https://b.example", text, NULL, &o) != OK) return;
  http_fields_init(&f);
  http_field(&f, STR("Content-Security-Policy"), str_from(origins_frame_ancestors(o)));
  require(!f.bad && !memchr(f.bytes, ';', f.n));
  r->method = HTTP_POST;
  if (origin_admits_cookie(o, r, true)) require(strcasestr(text, "a.example") || strcasestr(text, "b.example"));
  http_fields_init(&f);
  origin_cors(o, r, &f);
  require(!f.bad);
  origins_free(o);
}

static void feed_query(struct str text) {
  static struct hmac_key key;
  struct signed_url_bearer bearer;
  hmac_key_set(&key, STR("a key of some length"));
  require(signed_url_verify(&key, STR("RE1"), text, 0, &bearer) == ERR_DENIED);
  (void)signed_url_present(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  struct str text = str_of((const char *)bytes, n);
  char *copy = str_dup(text);
  if (!copy) return 0;
  struct http_header headers[] = {{STR("Cookie"), text}, {STR("Origin"), text}};
  struct http_request r = {.method = HTTP_GET, .host = text, .headers = headers, .header_count = COUNT_OF(headers)};
  feed_cookie(&r, text);
  feed_origins(&r, copy);
  feed_query(text);
  free(copy);
  return 0;
}
