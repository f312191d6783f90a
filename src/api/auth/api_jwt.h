/* api_jwt.h - verifies tokens that the host signs (JWT, RFC 7519, as compact JWS, RFC 7515).
 *
 *   jwt_from_conf(conf, &problem, &jwt);      jwt is NULL if no key is set: JWTs are not accepted
 *   if (jwt_verify(jwt, token, clock_now_ms(), &claims) == JWT_OK) …
 *
 * The key determines the algorithm: HS256 for a secret, RS256 for an RSA key, ES256 for a P-256 key. The token's alg must
 * match. The caller checks that the claimed business exists.
 * Thread rule: new and free on one thread; jwt_verify on any thread. */
#pragma once

#include "base/conf.h"
#include "domain/access.h"

enum {
  JWT_TOKEN_MAX = 16 * 1024, /* api_jwt.def and problem texts say it, too */
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
  struct str secret;         /* at least JWT_SECRET_MIN bytes; set either this or public_key_pem */
  struct str public_key_pem; /* "-----BEGIN PUBLIC KEY-----" … */
  struct str issuer;         /* empty: iss is not checked */
  struct str audience;       /* empty: aud is not checked */
};

struct jwt_claims {
  int64_t business_id;
  enum access_role role;             /* viewer, agent or admin */
  int64_t expires_at_ms;             /* exp itself, without leeway; at most the year 9999 */
  char subject[JWT_SUBJECT_MAX + 1]; /* UTF-8; may contain control characters; "": the token has no sub */
};

/* Copies the settings. ERR_INVALID: *ret_problem (may be NULL) gets a sentence that begins with the setting's name. */
CHECKED enum err jwt_new(const struct jwt_settings *settings, struct buf *ret_problem, struct jwt **ret_jwt);
/* Builds it from JWT_SECRET or JWT_PUBLIC_KEY_FILE, JWT_ISSUER and JWT_AUDIENCE. *ret_jwt is NULL if neither key is set. */
CHECKED enum err jwt_from_conf(const struct conf *conf, struct buf *ret_problem, struct jwt **ret_jwt);
struct jwt *jwt_free(struct jwt *j); /* wipes the secret; accepts NULL; returns NULL */

/* Checks signature, times and claims. *ret_claims is set only if JWT_OK is returned. The time that a
 * refusal takes reveals nothing about the right signature. */
CHECKED enum jwt_reason jwt_verify(const struct jwt *j, struct str token, int64_t now_ms,
                                   struct jwt_claims *ret_claims);
const char *jwt_reason_text(enum jwt_reason reason); /* for the debug log only; never in an answer */
