/* api_session_cache.c - sessions that a loop remembers, and the versions that tell whether they are still good.
 *
 * Invariants
 *  (1) The key is the digest of the session's token.
 *  (2) Versions only grow, so a sum of three that is the same as before means that none of them changed. */
#include "api/auth/api_session_cache.h"

#include "base/secret.h"
#include "base/set_cache.h"

struct cached_session {
  uint64_t version;
  struct session session;
};

/* struct session_cache is a set_cache of sessions. */
static const struct set_cache_sizes sizes = {
    .sets = 1024, .ways = 2, .key_max = SHA256_SIZE, .value_size = sizeof(struct cached_session)};

static struct set_cache *cache_of(struct session_cache *c) {
  return (struct set_cache *)(void *)c;
}

static struct str digest_view(const uint8_t digest[SHA256_SIZE]) {
  return str_of((const char *)digest, SHA256_SIZE);
}

enum err session_cache_new(struct session_cache **ret_cache) {
  struct set_cache *c;
  TRY(set_cache_new(&sizes, &c));
  *ret_cache = (struct session_cache *)(void *)c;
  return OK;
}

struct session_cache *session_cache_free(struct session_cache *c) {
  set_cache_free(cache_of(c));
  return NULL;
}

bool session_cache_find(struct session_cache *c, const struct cache_versions *versions,
                        const uint8_t digest[SHA256_SIZE], struct session *ret_session, uint64_t *ret_version) {
  const struct cached_session *known = set_cache_find(cache_of(c), digest_view(digest));
  if (!known) return false;
  const struct session *s = &known->session;
  if (known->version != session_version(versions, digest, s->key_id, s->business_id)) return false;
  *ret_session = *s;
  *ret_version = known->version;
  return true;
}

void session_cache_put(struct session_cache *c, const uint8_t digest[SHA256_SIZE], uint64_t version,
                       const struct session *session) {
  struct cached_session *place = set_cache_put(cache_of(c), digest_view(digest));
  if (place) *place = (struct cached_session){.version = version, .session = *session};
}

/* ---- versions ---- */

void session_token_digest(struct str token, uint8_t ret_digest[SHA256_SIZE]) {
  secret_sha256(token, ret_digest);
}

/* (2) */
uint64_t session_version(const struct cache_versions *v, const uint8_t digest[SHA256_SIZE], int64_t key_id,
                         int64_t business_id) {
  return cache_version(v, CACHE_SESSION, 0, digest_view(digest)) +
         cache_version(v, CACHE_KEY_SESSIONS, key_id, STR_NONE) +
         cache_version(v, CACHE_BUSINESS_SESSIONS, business_id, STR_NONE);
}

uint64_t session_number(const uint8_t digest[SHA256_SIZE]) {
  uint64_t number;
  memcpy(&number, digest, sizeof(number));
  return number ? number : 1;
}

static int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool session_digest_read(struct str text, uint8_t ret_digest[SHA256_SIZE]) {
  if (text.n != SESSION_DIGEST_TEXT_SIZE - 1) return false;
  for (size_t i = 0; i < SHA256_SIZE; i++) {
    int high = digit_of(text.p[2 * i]), low = digit_of(text.p[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    ret_digest[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}

void session_changed(struct cache_versions *v, int64_t business_id, struct str digest) {
  uint8_t bytes[SHA256_SIZE];
  if (session_digest_read(digest, bytes))
    cache_changed(v, CACHE_SESSION, 0, digest_view(bytes));
  else
    cache_changed(v, CACHE_BUSINESS_SESSIONS, business_id, STR_NONE);
}
