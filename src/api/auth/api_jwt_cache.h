/* api_jwt_cache.h - where a loop remembers JWTs that it verified: a token that comes with every range request of a player has
 * its signature checked once.
 *
 *   if (jwt_cache_verify(l->jwt_cache, l->api->jwt, token, clock_now_ms(), &claims) == JWT_OK) …     as jwt_verify
 *
 * Thread rule: each belongs to one loop. */
#pragma once

#include "api/auth/api_jwt.h"

struct jwt_cache;

CHECKED enum err jwt_cache_new(struct jwt_cache **ret_cache);
struct jwt_cache *jwt_cache_free(struct jwt_cache *c); /* NULL is fine; always NULL */
/* As jwt_verify. j must be the same in all calls. */
CHECKED enum jwt_reason jwt_cache_verify(struct jwt_cache *c, const struct jwt *j, struct str token, int64_t now_ms,
                                         struct jwt_claims *ret_claims);
