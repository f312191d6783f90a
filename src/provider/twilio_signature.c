/* twilio_signature.c - X-Twilio-Signature.
 *
 * Invariants
 *  (1) Every candidate (a form of the URL with a token) is computed and compared, whatever the result of the others. How
 *      many there are depends on the URL alone.
 *  (2) A body that is not a form is valid only if the signed URL has its digest: the signature does not cover it otherwise.
 *  (3) The URL is used as it was received, without normalization: Twilio signs the URL that it requests. Only the host is
 *      tried in other letters' cases and with another form of the port: a host compares without case (RFC 3986, 6.2.2.1). */
#include "provider/twilio_signature.h"

#include <stdlib.h>

#include "base/secret.h"

enum { SIGNATURE_ROOM = 32 };

static int parameter_cmp(const void *left, const void *right) {
  const struct twilio_parameter *a = left, *b = right;
  int order = str_cmp(a->name, b->name);
  return order != 0 ? order : str_cmp(a->value, b->value);
}

static bool parameter_eq(const struct twilio_parameter *a, const struct twilio_parameter *b) {
  return str_eq(a->name, b->name) && str_eq(a->value, b->value);
}

/* Appends the sorted parameters without repeats. */
static enum err add_parameters(const struct twilio_signed *what, struct buf *b) {
  if (what->count > 1) qsort(what->parameters, what->count, sizeof(what->parameters[0]), parameter_cmp);
  for (size_t i = 0; i < what->count; i++) {
    const struct twilio_parameter *p = &what->parameters[i];
    if (i > 0 && parameter_eq(p, p - 1)) continue;
    TRY(buf_add(b, p->name));
    TRY(buf_add(b, p->value));
  }
  return OK;
}

static enum err add_mac(struct str text, struct str token, struct buf *b) {
  uint8_t mac[SHA1_SIZE];
  secret_hmac_sha1(token, text, mac);
  return base64_encode(b, mac, sizeof(mac));
}

enum err twilio_signature_make(const struct twilio_signed *what, struct str token, struct buf *b) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(TWILIO_SIGNED_MAX);
  TRY(buf_add(&text, what->url));
  TRY(add_parameters(what, &text));
  return add_mac(buf_str(&text), token, b);
}

/* A URL in four: scheme and user-info; host; the port with its ':'; and what follows. */
struct url_parts {
  struct str before, host, port, after;
  struct str default_port; /* of the scheme, with its ':' */
};

static bool split_url(struct str url, struct url_parts *ret) {
  struct url_parts parts = {0};
  size_t start;
  if (str_starts_nocase(url, STR("https://"))) {
    parts.default_port = STR(":443");
    start = sizeof("https://") - 1;
  } else if (str_starts_nocase(url, STR("http://"))) {
    parts.default_port = STR(":80");
    start = sizeof("http://") - 1;
  } else {
    return false;
  }
  size_t end = start, host = start;
  for (; end < url.n && url.p[end] != '/' && url.p[end] != '?' && url.p[end] != '#'; end++)
    if (url.p[end] == '@') host = end + 1;
  size_t colon = host;
  if (host < end && url.p[host] == '[')
    while (colon < end && url.p[colon] != ']') colon++;
  while (colon < end && url.p[colon] != ':') colon++;
  parts.before = str_head(url, host);
  parts.host = str_of(url.p + host, colon - host);
  parts.port = str_of(url.p + colon, end - colon);
  parts.after = str_skip(url, end);
  *ret = parts;
  return true;
}

static struct str query_of(struct str url) {
  struct str left, rest;
  if (!str_cut(url, '?', &left, &rest)) return STR_NONE;
  (void)str_cut(rest, '#', &left, &rest);
  return left;
}

/* The value of bodySHA256 in the URL's query, or STR_NONE. */
static struct str query_digest(struct str url) {
  struct str query = query_of(url), pair, name, value;
  while (query.n > 0) {
    (void)str_cut(query, '&', &pair, &query);
    if (str_cut(pair, '=', &name, &value) && str_eq(name, STR("bodySHA256"))) return value;
  }
  return STR_NONE;
}

/* (2) */
static bool body_digest_is_signed(const struct twilio_signed *what) {
  if (what->body.n == 0) return true;
  uint8_t digest[SHA256_SIZE];
  char text[2 * SHA256_SIZE + 1];
  secret_sha256(what->body, digest);
  hex_encode(digest, sizeof(digest), text);
  return secret_equal(query_digest(what->url), str_from(text));
}

static enum err try_tokens(struct str text, const struct str *tokens, size_t token_count, struct str signature,
                           bool *valid) {
  for (size_t i = 0; i < token_count; i++) {
    if (tokens[i].n == 0) continue;
    struct buf mine CLEANUP(buf_done) = BUF_INIT(SIGNATURE_ROOM);
    TRY(add_mac(text, tokens[i], &mine));
    *valid |= secret_equal(signature, buf_str(&mine)); /* (1) */
  }
  return OK;
}

struct check {
  struct str signature;
  const struct str *tokens;
  size_t token_count;
  struct str parameters; /* in the form that is signed */
  bool valid;
};

static enum err try_url(struct check *c, const struct url_parts *parts, struct str host, struct str port) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(TWILIO_SIGNED_MAX);
  TRY(buf_add(&text, parts->before));
  TRY(buf_add(&text, host));
  TRY(buf_add(&text, port));
  TRY(buf_add(&text, parts->after));
  TRY(buf_add(&text, c->parameters));
  return try_tokens(buf_str(&text), c->tokens, c->token_count, c->signature, &c->valid);
}

/* With the port as it stands; and without it or, if there is none, with the default one. */
static enum err try_ports(struct check *c, const struct url_parts *parts, struct str host) {
  TRY(try_url(c, parts, host, parts->port));
  return try_url(c, parts, host, parts->port.n ? STR_NONE : parts->default_port);
}

static enum err add_lower_case(struct buf *b, struct str s) {
  for (size_t i = 0; i < s.n; i++)
    TRY(buf_add_char(b, (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] - 'A' + 'a' : s.p[i])));
  return OK;
}

/* The host as it stands, in small letters, and as the request says it. (3) */
static enum err try_hosts(struct check *c, const struct url_parts *parts, struct str request_host) {
  struct buf lower CLEANUP(buf_done) = BUF_INIT(TWILIO_SIGNED_MAX);
  TRY(add_lower_case(&lower, parts->host));
  TRY(try_ports(c, parts, parts->host));
  if (!str_eq(buf_str(&lower), parts->host)) TRY(try_ports(c, parts, buf_str(&lower)));
  struct str other = str_head(request_host, parts->host.n);
  bool is_other = str_eq_nocase(other, parts->host) && !str_eq(other, parts->host) && !str_eq(other, buf_str(&lower));
  return is_other ? try_ports(c, parts, other) : OK;
}

enum err twilio_signature_check(const struct twilio_signed *what, struct str signature, const struct str *tokens,
                                size_t token_count, bool *ret_valid) {
  struct url_parts parts = {.before = what->url};
  struct buf parameters CLEANUP(buf_done) = BUF_INIT(TWILIO_SIGNED_MAX);
  TRY(add_parameters(what, &parameters));
  struct check c = {
      .signature = signature, .tokens = tokens, .token_count = token_count, .parameters = buf_str(&parameters)};
  if (split_url(what->url, &parts))
    TRY(try_hosts(&c, &parts, what->host));
  else
    TRY(try_url(&c, &parts, STR_NONE, STR_NONE));
  *ret_valid = body_digest_is_signed(what) && c.valid;
  return OK;
}
