#include "domain/public_url.h"

#include <arpa/inet.h>
#include <string.h>

#include "fetch/fetch.h"

static struct str without_slashes(struct str s) {
  while (s.n && s.p[s.n - 1] == '/') s.n--;
  return s;
}

enum err public_url_add_base(struct buf *b, const struct conf *conf) {
  if (conf->public_base_url) return buf_add(b, without_slashes(str_from(conf->public_base_url)));
  struct str listen = str_from(conf->listen);
  size_t colon = listen.n;
  while (colon > 0 && listen.p[colon - 1] != ':') colon--;
  if (colon == 0 || str_eq(str_skip(listen, colon), STR("0"))) return OK;
  struct str host = str_head(listen, colon - 1), port = str_skip(listen, colon);
  if (str_eq(host, STR("0.0.0.0")) || str_eq(host, STR("*"))) host = STR("127.0.0.1");
  if (str_eq(host, STR("[::]"))) host = STR("[::1]");
  return buf_addf(b, "http://%.*s:%.*s", STR_ARG(host), STR_ARG(port));
}

enum err public_url_add_webhook(struct buf *b, const struct conf *conf, int64_t business_id, const char *kind) {
  TRY(public_url_add_base(b, conf));
  return buf_addf(b, "/webhooks/twilio/%lld/%s", (long long)business_id, kind);
}

/* True for localhost and for literal private addresses. Resolves no names. */
static bool is_special(struct str host) {
  char text[64];
  struct sockaddr_in v4 = {.sin_family = AF_INET};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
  if (str_eq_nocase(host, STR("localhost"))) return true;
  if (host.n > 2 && host.p[0] == '[') {
    if (str_copy(text, sizeof(text), str_of(host.p + 1, host.n - 2)) != OK) return false;
    return inet_pton(AF_INET6, text, &v6.sin6_addr) == 1 && fetch_address_is_special((const struct sockaddr *)&v6);
  }
  if (str_copy(text, sizeof(text), host) != OK) return false;
  return inet_pton(AF_INET, text, &v4.sin_addr) == 1 && fetch_address_is_special((const struct sockaddr *)&v4);
}

const char *public_url_problem(const char *public_base_url) {
  struct fetch_url url;
  if (!public_base_url)
    return "PUBLIC_BASE_URL is not set: the provider needs a URL under which it reaches this service";
  if (fetch_url_parse(str_from(public_base_url), &url) != OK) return "PUBLIC_BASE_URL is not an http or https URL";
  if (is_special(url.host))
    return "PUBLIC_BASE_URL is an address of this machine or a private network: the provider can't reach it";
  if (!str_eq_nocase(url.scheme, STR("https")))
    return "PUBLIC_BASE_URL is not https: others can read what the provider sends";
  return NULL;
}
