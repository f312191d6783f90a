/* jwt_seen.h - tokens that a loop has found good: one table a loop, so that a token that comes with each of a player's ranges
 * has its signature checked once.
 *
 *   if (jwt_seen_verify(l->jwts, l->api->jwt, token, clock_now_ms(), &claims) == JWT_OK) …     as jwt_verify
 *
 * Thread rule: a table is its loop's. */
#pragma once

#include "api/jwt.h"
#include "base/secret.h"

struct jwt_seen;

CHECKED enum err jwt_seen_new(struct jwt_seen **ret_seen);
struct jwt_seen *jwt_seen_free(struct jwt_seen *t); /* NULL is fine; always NULL */
CHECKED enum jwt_reason jwt_seen_verify(struct jwt_seen *t, const struct jwt *j, struct str token, int64_t now_ms,
                                        struct jwt_claims *ret_claims);
/* Of those that share a place the older goes. */
void jwt_seen_put(struct jwt_seen *t, const uint8_t digest[SHA256_SIZE], const struct jwt_claims *claims);
