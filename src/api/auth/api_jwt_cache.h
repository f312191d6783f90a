/* jwt_cache.h - tokens that a loop has found good: one table a loop, so that a token that comes with each of a player's ranges
 * has its signature checked once.
 *
 *   if (jwt_cache_verify(l->jwts, l->api->jwt, token, clock_now_ms(), &claims) == JWT_OK) …     as jwt_verify
 *
 * Thread rule: a table is its loop's. */
#pragma once

#include "api/auth/api_jwt.h"
#include "base/secret.h"

struct jwt_cache;

CHECKED enum err jwt_cache_new(struct jwt_cache **ret_seen);
struct jwt_cache *jwt_cache_free(struct jwt_cache *t); /* NULL is fine; always NULL */
CHECKED enum jwt_reason jwt_cache_verify(struct jwt_cache *t, const struct jwt *j, struct str token, int64_t now_ms,
                                         struct jwt_claims *ret_claims);
/* Of those that share a place the older goes. */
void jwt_cache_put(struct jwt_cache *t, const uint8_t digest[SHA256_SIZE], const struct jwt_claims *claims);
