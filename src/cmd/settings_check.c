#include "cmd/settings_check.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "api/request/api_proxies.h"
#include "api/auth/api_cookie.h"
#include "api/auth/api_jwt.h"
#include "api/request/api_origin.h"
#include "base/fs.h"
#include "base/secret.h"
#include "fetch/fetch.h"
#include "provider/provider.h"

enum { JWT_SECRET_LEAST = 32, URL_KEY_LEAST = 16, PORT_MAX = 65535, PATH_BASE_SIZE = 512 };

/* HOST:PORT, the host not empty. */
static bool is_address(struct str s) {
  size_t colon = s.n;
  uint64_t port;
  while (colon > 0 && s.p[colon - 1] != ':') colon--;
  return colon > 1 && str_to_u64(str_skip(s, colon), PORT_MAX, &port) == OK;
}

/* True if both name the same address. Port 0 is never the same: the kernel chooses another port for each. */
static bool is_taken_by(struct str address, struct str other) {
  return str_eq(address, other) && !str_ends(address, STR(":0"));
}

static bool is_base_url(struct str s) {
  struct fetch_url url;
  return fetch_url_parse(s, &url) == OK && !url.has_userinfo && !url.has_query && !url.has_fragment;
}

/* True if the path can be the Path of a cookie and a prefix of request targets: nothing that a proxy or a browser would
 * rewrite, such as '%' or dot segments. */
static bool is_plain_path(struct str path) {
  struct cookie_rules rules;
  struct str rest, each;
  while (path.n && path.p[path.n - 1] == '/') path.n--;
  if (path.n >= PATH_BASE_SIZE || str_index(path, '%', 0) < path.n) return false;
  if (path.n == 0) return true;
  rest = str_skip(path, 1);
  for (bool more = true; more;) {
    more = str_cut(rest, '/', &each, &rest);
    if (each.n == 0 || str_eq(each, STR(".")) || str_eq(each, STR(".."))) return false;
  }
  return cookie_rules_set(&rules, true, path, true) == OK;
}

static bool is_public_url(struct str s) {
  struct fetch_url url;
  return is_base_url(s) && fetch_url_parse(s, &url) == OK && is_plain_path(url.path);
}

static bool is_origin(struct str s) {
  struct fetch_url url;
  return is_base_url(s) && fetch_url_parse(s, &url) == OK && url.path.n == 0;
}

static bool is_provider_base(struct str s) {
  while (s.n && s.p[s.n - 1] == '/') s.n--;
  return is_origin(s);
}

static bool are_origins(struct str s) {
  bool more = true;
  while (more) {
    struct str one, rest;
    more = str_cut(s, ',', &one, &rest);
    if (!is_origin(str_trim(one))) return false;
    s = rest;
  }
  return true;
}

static bool is_server(struct str s) {
  return str_starts(s, STR("postgresql://")) || str_starts(s, STR("postgres://"));
}

static bool is_database(struct str s) {
  if (is_server(s)) return true;
  return str_starts(s, STR("sqlite:///")) && s.n > 10;
}

static bool is_schema(struct str s) {
  if (s.n == 0 || s.n > 63 || str_starts(s, STR("pg_")) || (s.p[0] >= '0' && s.p[0] <= '9')) return false;
  for (size_t i = 0; i < s.n; i++)
    if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '_')) return false;
  return true;
}

static bool is_secrets_key(struct str s) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(256);
  bool good = base64_decode(&b, s) == OK && b.n == SECRET_KEY_SIZE;
  secret_wipe(b.p, b.n);
  return good;
}

static bool is_account(struct str s) {
  return provider_twilio.is_account_sid(s);
}

static bool are_formats(struct str s) {
  enum provider_format formats[PROVIDER_FORMATS_MAX];
  size_t count;
  struct str word;
  return provider_formats_parse(s, formats, &count, &word) == OK;
}

static bool are_secrets_keys(struct str s) {
  struct str first, second;
  return str_cut(s, ',', &first, &second) ? is_secrets_key(str_trim(first)) && is_secrets_key(str_trim(second))
                                          : is_secrets_key(s);
}
static bool is_jwt_secret(struct str s) {
  return s.n >= JWT_SECRET_LEAST;
}
static bool is_url_key(struct str s) {
  return s.n >= URL_KEY_LEAST;
}

static bool is_one_readable_file(struct str s) {
  char path[4096];
  if (str_copy(path, sizeof(path), s) != OK) return false;
  int fd CLEANUP(fs_close_) = -1;
  mode_t mode;
  return fs_open_chosen(path, &fd, &mode) == OK && !(mode & 022);
}

static bool is_readable_file(struct str s) {
  struct str first, second;
  return str_cut(s, ',', &first, &second)
             ? is_one_readable_file(str_trim(first)) && is_one_readable_file(str_trim(second))
             : is_one_readable_file(s);
}

static bool are_proxies(struct str s) {
  struct proxies *p = NULL;
  bool good = proxies_new(s, &p) == OK;
  proxies_free(p);
  return good;
}

struct rule {
  const char *name;
  size_t field; /* of a char * in struct conf */
  bool (*is_good)(struct str value);
  const char *wanted;
};

#define RULE(name, field, is_good, wanted) \
  { name, offsetof(struct conf, field), is_good, wanted }
static const struct rule rules[] = {
    RULE("LISTEN", listen, is_address, "must be an address and a port like 127.0.0.1:8080"),
    RULE("ADMIN_LISTEN", admin_listen, is_address, "must be an address and a port like 127.0.0.1:9090"),
    RULE("PUBLIC_BASE_URL", public_base_url, is_public_url,
         "must be an http or https URL without user, query or fragment, its path without '%', ';' or dot segments"),
    RULE("DATABASE_URL", database_url, is_database, "must be sqlite:/// and an absolute path, or postgresql://..."),
    RULE("DATABASE_DIRECT_URL", database_direct_url, is_server, "must be postgresql://..."),
    RULE("DATABASE_SCHEMA", database_schema, is_schema, "must have small letters, digits and _ only"),
    RULE("SECRETS_KEY", secrets_key, are_secrets_keys,
         "must be 32 bytes in base64, or two such keys with a comma between"),
    RULE("TWILIO_ACCOUNT_SID", twilio_account_sid, is_account, "must be AC and 32 hexadecimal digits"),
    RULE("TWILIO_BASE_URL", twilio_base_url, is_provider_base, "must be an origin like https://api.twilio.com"),
    RULE("RECORDING_FORMATS", recording_formats, are_formats,
         "must name mp3, wav, wav-dual or any, with commas between"),
    RULE("JWT_SECRET", jwt_secret, is_jwt_secret, "must have 32 bytes or more"),
    RULE("JWT_PUBLIC_KEY_FILE", jwt_public_key_file, is_readable_file,
         "must name a regular file that can be read, and that others can't write"),
    RULE("URL_SIGNING_KEY", url_signing_key, is_url_key, "must have 16 bytes or more"),
    RULE("CORS_ORIGINS", cors_origins, are_origins,
         "must be exact origins like https://crm.example.com, with commas between"),
    RULE("TRUSTED_PROXIES", trusted_proxies, are_proxies,
         "must be addresses or networks like 10.0.0.0/8, with commas between"),
};

static enum err settings_refuse(struct buf *ret_problem, const char *name, const char *wanted) {
  IGNORE(buf_addf(ret_problem, "%s: %s", name, wanted)); /* without memory, the code alone reports it */
  return ERR_INVALID;
}

static void free_origins_(struct origins **o) {
  origins_free(*o);
}
static void free_jwt_(struct jwt **j) {
  jwt_free(*j);
}

/* Builds and frees the objects that serve builds of these settings: their modules check them. */
static enum err build_as_serve(const struct conf *conf, struct buf *ret_problem) {
  struct origins *o CLEANUP(free_origins_) = NULL;
  struct jwt *j CLEANUP(free_jwt_) = NULL;
  TRY(origins_new(conf->public_base_url, conf->cors_origins, conf->frame_ancestors, ret_problem, &o));
  return jwt_from_conf(conf, ret_problem, &j);
}

enum err settings_check(const struct conf *conf, struct buf *ret_problem) {
  for (size_t i = 0; i < COUNT_OF(rules); i++) {
    const char *value;
    memcpy(&value, (const char *)conf + rules[i].field, sizeof(value));
    if (value && !rules[i].is_good(str_from(value)))
      return settings_refuse(ret_problem, rules[i].name, rules[i].wanted);
  }
  if (conf->jwt_secret && conf->jwt_public_key_file)
    return settings_refuse(ret_problem, "JWT_PUBLIC_KEY_FILE",
                           "must not be set together with JWT_SECRET: one of them decides how tokens are signed");
  if (!!conf->twilio_api_key != !!conf->twilio_api_secret)
    return settings_refuse(ret_problem, "TWILIO_API_KEY", "needs TWILIO_API_SECRET: set both or none");
  if (conf->admin_listen && is_taken_by(str_from(conf->admin_listen), str_from(conf->listen)))
    return settings_refuse(ret_problem, "ADMIN_LISTEN", "must be another address or port than LISTEN");
  return build_as_serve(conf, ret_problem);
}
