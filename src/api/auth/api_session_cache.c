/* api_session_cache.c - sessions in memory.
 *
 * Invariants
 *  (1) A place is found by its token's digest, which nobody can steer, and compared whole in constant time.
 *  (2) Versions only grow, so a sum of three that is the same as before means that none has changed. */
#include "api/auth/api_session_cache.h"

#include <stdlib.h>
#include <string.h>

enum { SETS = 1024, WAYS = 2 };

struct place {
  uint8_t digest[SHA256_SIZE];
  uint64_t version;
  struct session session; /* business_id 0: an empty place */
};

struct session_cache {
  struct place places[SETS][WAYS];
  uint8_t older[SETS];
};

enum err session_cache_new(struct session_cache **ret_signed_in) {
  struct session_cache *t = calloc(1, sizeof(*t));
  if (!t) return ERR_NOMEM;
  *ret_signed_in = t;
  return OK;
}

struct session_cache *session_cache_free(struct session_cache *t) {
  free(t);
  return NULL;
}

static uint32_t number_of(const uint8_t digest[SHA256_SIZE]) {
  return (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 | (uint32_t)digest[2] << 8 | digest[3];
}

static bool is_of(const struct place *p, const uint8_t digest[SHA256_SIZE]) {
  return p->session.business_id &&
         secret_equal(str_of((const char *)p->digest, SHA256_SIZE), str_of((const char *)digest, SHA256_SIZE));
}

bool session_cache_find(const struct session_cache *t, const struct cache_versions *versions,
                        const uint8_t digest[SHA256_SIZE], struct session *ret_session, uint64_t *ret_version) {
  const struct place *set = t->places[number_of(digest) % SETS];
  for (size_t i = 0; i < WAYS; i++) {
    const struct session *s = &set[i].session;
    if (!is_of(&set[i], digest) || set[i].version != session_version(versions, digest, s->key_id, s->business_id))
      continue;
    *ret_session = *s;
    *ret_version = set[i].version;
    return true;
  }
  return false;
}

void session_cache_put(struct session_cache *t, const uint8_t digest[SHA256_SIZE], uint64_t version,
                       const struct session *session) {
  size_t set = number_of(digest) % SETS, way = t->older[set];
  for (size_t i = 0; i < WAYS; i++)
    if (is_of(&t->places[set][i], digest)) way = i;
  struct place *p = &t->places[set][way];
  memcpy(p->digest, digest, sizeof(p->digest));
  p->version = version;
  p->session = *session;
  t->older[set] = (uint8_t)(1 - way);
}

/* ---- versions ---- */

void session_token_digest(struct str token, uint8_t ret_digest[SHA256_SIZE]) {
  secret_sha256(token, ret_digest);
}

static struct str view(const uint8_t digest[SHA256_SIZE]) {
  return str_of((const char *)digest, SHA256_SIZE);
}

/* (2) */
uint64_t session_version(const struct cache_versions *v, const uint8_t digest[SHA256_SIZE], int64_t key_id,
                         int64_t business_id) {
  return cache_version(v, CACHE_SESSION, 0, view(digest)) + cache_version(v, CACHE_KEY_SESSIONS, key_id, STR_NONE) +
         cache_version(v, CACHE_BUSINESS_SESSIONS, business_id, STR_NONE);
}

static int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_digest(struct str text, uint8_t ret_digest[SHA256_SIZE]) {
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
  if (read_digest(digest, bytes))
    cache_changed(v, CACHE_SESSION, 0, view(bytes));
  else
    cache_changed(v, CACHE_BUSINESS_SESSIONS, business_id, STR_NONE);
}
