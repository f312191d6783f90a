/* api_jwt_cache.c - JWTs that a loop has verified.
 *
 * Invariants
 *  (1) The key is the SHA-256 of the whole token, with its signature. Only a token whose signature is good is put, so a
 *      client without one pushes no other token out of the cache.
 *  (2) Conditions that change with time are checked on each use: here the expiry; the business and the role by the caller. A
 * token that
 *      was valid once is never "not valid yet" later. */
#include "api/auth/api_jwt_cache.h"

#include "base/secret.h"
#include "base/set_cache.h"

/* struct jwt_cache is a set_cache of claims. */
static const struct set_cache_sizes sizes = {
    .sets = 256, .ways = 2, .key_max = SHA256_SIZE, .value_size = sizeof(struct jwt_claims)};

static struct set_cache *cache_of(struct jwt_cache *c) {
  return (struct set_cache *)(void *)c;
}

enum err jwt_cache_new(struct jwt_cache **ret_cache) {
  struct set_cache *c;
  TRY(set_cache_new(&sizes, &c));
  *ret_cache = (struct jwt_cache *)(void *)c;
  return OK;
}

struct jwt_cache *jwt_cache_free(struct jwt_cache *c) {
  set_cache_free(cache_of(c));
  return NULL;
}

enum jwt_reason jwt_cache_verify(struct jwt_cache *c, const struct jwt *j, struct str token, int64_t now_ms,
                                 struct jwt_claims *ret_claims) {
  uint8_t digest[SHA256_SIZE];
  if (token.n > JWT_TOKEN_MAX) return JWT_TOO_BIG;
  secret_sha256(token, digest);
  struct str key = str_of((const char *)digest, sizeof(digest));
  const struct jwt_claims *known = set_cache_find(cache_of(c), key);
  if (known) {
    if (now_ms >= known->expires_at_ms + JWT_LEEWAY_MS) return JWT_EXPIRED; /* (2) */
    *ret_claims = *known;
    return JWT_OK;
  }
  enum jwt_reason reason = jwt_verify(j, token, now_ms, ret_claims);
  struct jwt_claims *place = reason == JWT_OK ? set_cache_put(cache_of(c), key) : NULL; /* (1) */
  if (place) *place = *ret_claims;
  return reason;
}
