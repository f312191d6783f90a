/* jwt_cache.c - tokens in memory, found good.
 *
 * Invariants
 *  (1) A place is found by the SHA-256 of the whole token, signature too, and compared whole in constant time. Only a token
 *      whose signature is good is ever put, so whoever has none evicts none.
 *  (2) The verifier is the same as long as the table lives. What a later moment could change is looked at each time: here the
 *      expiry; business and role by whoever asks. A begin that was reached stays so. */
#include "api/auth/api_jwt_cache.h"

#include <stdlib.h>
#include <string.h>

enum { SETS = 256, WAYS = 2 };

struct place {
  uint8_t digest[SHA256_SIZE];
  struct jwt_claims claims; /* business_id 0: an empty place */
};

struct jwt_cache {
  struct place places[SETS][WAYS];
  uint8_t older[SETS];
};

enum err jwt_cache_new(struct jwt_cache **ret_seen) {
  struct jwt_cache *t = calloc(1, sizeof(*t));
  if (!t) return ERR_NOMEM;
  *ret_seen = t;
  return OK;
}

struct jwt_cache *jwt_cache_free(struct jwt_cache *t) {
  free(t);
  return NULL;
}

static struct place *find(struct jwt_cache *t, const uint8_t digest[SHA256_SIZE]) {
  struct place *set = t->places[digest[0] % SETS];
  for (size_t i = 0; i < WAYS; i++)
    if (set[i].claims.business_id &&
        secret_equal(str_of((const char *)set[i].digest, SHA256_SIZE), str_of((const char *)digest, SHA256_SIZE)))
      return &set[i];
  return NULL;
}

void jwt_cache_put(struct jwt_cache *t, const uint8_t digest[SHA256_SIZE], const struct jwt_claims *claims) {
  size_t set = digest[0] % SETS, way = t->older[set];
  struct place *known = find(t, digest), *p = known ? known : &t->places[set][way];
  memcpy(p->digest, digest, sizeof(p->digest));
  p->claims = *claims;
  if (!known) t->older[set] = (uint8_t)(1 - way);
}

enum jwt_reason jwt_cache_verify(struct jwt_cache *t, const struct jwt *j, struct str token, int64_t now_ms,
                                 struct jwt_claims *ret_claims) {
  uint8_t digest[SHA256_SIZE];
  if (token.n > JWT_TOKEN_MAX) return JWT_TOO_BIG;
  secret_sha256(token, digest);
  const struct place *p = find(t, digest);
  if (p) {
    if (now_ms >= p->claims.expires_at_ms + JWT_LEEWAY_MS) return JWT_EXPIRED; /* (2) */
    *ret_claims = p->claims;
    return JWT_OK;
  }
  enum jwt_reason reason = jwt_verify(j, token, now_ms, ret_claims);
  if (reason == JWT_OK) jwt_cache_put(t, digest, ret_claims);
  return reason;
}
