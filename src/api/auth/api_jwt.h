/* api_jwt.h - tokens that the host signs (RFC 7519, compact JWS): one key, one algorithm, and what a token may claim.
 *
 *   jwt_from_conf(conf, &problem, &jwt);      NULL where no key is set: then no JWT is taken
 *   if (jwt_verify(jwt, token, clock_now_ms(), &claims) == JWT_OK) …
 *
 * The algorithm follows from the key: HS256 of a secret, RS256 of an RSA key, ES256 of a P-256 key. What the token's header
 * says must be the same, and chooses nothing. The business may be unknown or removed: that is for the caller to see.
 * Thread rule: made once, used by any thread. */
#pragma once

#include "base/conf.h"
#include "domain/access.h"

enum {
  JWT_TOKEN_MAX = 8192,
  JWT_SECRET_MIN = 32,
  JWT_SUBJECT_MAX = 200,
  JWT_LEEWAY_MS = 30 * 1000,
};

enum jwt_reason {
#define JWT(name, text) JWT_##name,
#include "api/auth/api_jwt.def"
#undef JWT
  JWT_REASON_COUNT_
};

struct jwt;

struct jwt_settings {
  struct str secret;         /* bytes; of the two one is given */
  struct str public_key_pem; /* "-----BEGIN PUBLIC KEY-----" … */
  struct str issuer;         /* empty: iss is not looked at */
  struct str audience;       /* empty: aud is not looked at */
};

struct jwt_claims {
  int64_t business_id;
  enum access_role role;             /* viewer, agent or admin */
  int64_t expires_at_ms;             /* exp itself, without leeway; at most the year 9999 */
  char subject[JWT_SUBJECT_MAX + 1]; /* UTF-8, maybe with control characters; "" where there is none */
};

/* Copies what it keeps. ERR_INVALID: *ret_problem (may be NULL) gets a sentence that begins with the setting's name. */
CHECKED enum err jwt_new(const struct jwt_settings *settings, struct buf *ret_problem, struct jwt **ret_jwt);
/* From JWT_SECRET or JWT_PUBLIC_KEY_FILE, JWT_ISSUER, JWT_AUDIENCE; *ret_jwt is NULL where neither key is set. */
CHECKED enum err jwt_from_conf(const struct conf *conf, struct buf *ret_problem, struct jwt **ret_jwt);
struct jwt *jwt_free(struct jwt *j); /* wipes the secret; NULL is fine; always NULL */

/* *ret_claims is untouched unless JWT_OK is returned. The time of a refused signature says nothing of the right one. */
CHECKED enum jwt_reason jwt_verify(const struct jwt *j, struct str token, int64_t now_ms,
                                   struct jwt_claims *ret_claims);
const char *jwt_reason_text(enum jwt_reason reason); /* for the log at debug; never in an answer */
