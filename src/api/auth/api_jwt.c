/* api_jwt.c - verifies a JWT and reads its claims.
 *
 *   token -> three parts -> header: alg, crit -> signature -> claims -> exp, nbf -> business, role, sub -> iss, aud
 *
 * Invariants
 *  (1) The key determines the algorithm. A token with another alg is refused, so a public key is never used as an HMAC
 *      secret, and alg "none" is never accepted.
 *  (2) The claims are not parsed before the signature was verified. Of the header only alg and crit are read; a key, URL or
 *      certificate that the header names is never used.
 *  (3) Each value has exactly one encoding: base64url without padding or other characters, with unused bits zero. JSON has no
 *      duplicate names, no bytes after its end, no NUL, and is UTF-8.
 *  (4) Times are clamped to milliseconds in the years 1970 to 9999, so that sums can't overflow. */
#include "api/auth/api_jwt.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/hmac.h"
#include "base/problem_text.h"

enum { PEM_FILE_MAX = 64 * 1024, RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192, ES256_HALF = 32, ECDSA_DER_MAX = 80 };
#define LAST_MS INT64_C(253402300799000) /* 9999-12-31T23:59:59Z */

enum algorithm { HS256, RS256, ES256 };
static const char *const algorithm_names[] = {[HS256] = "HS256", [RS256] = "RS256", [ES256] = "ES256"};

struct jwt {
  enum algorithm algorithm;
  struct hmac_key secret; /* HS256 */
  EVP_PKEY *key;          /* RS256, ES256 */
  EVP_MD *sha256;
  char *issuer, *audience; /* NULL: not checked */
  struct jwt *older;       /* during a rotation: its key verifies too; NULL: none */
};

const char *jwt_reason_text(enum jwt_reason reason) {
  static const char *const texts[] = {
#define JWT(name, text) text,
#include "api/auth/api_jwt.def"
#undef JWT
  };
  return (unsigned)reason < COUNT_OF(texts) ? texts[reason] : "unknown";
}

/* ---- the key ---- */

static void bio_free(BIO **b) {
  BIO_free(*b);
}
static void json_free(json_t **j) {
  json_decref(*j);
}
static void jwt_free_(struct jwt **j) {
  jwt_free(*j);
}

/* RS256 for an RSA key of RSA_BITS_MIN to RSA_BITS_MAX, ES256 for P-256. ERR_INVALID: any other key. */
static enum err jwt_algorithm_of(EVP_PKEY *key, enum algorithm *ret_algorithm) {
  char curve[32];
  size_t n;
  if (EVP_PKEY_is_a(key, "RSA")) {
    int bits = EVP_PKEY_get_bits(key);
    if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX) return ERR_INVALID;
    *ret_algorithm = RS256;
    return OK;
  }
  if (!EVP_PKEY_is_a(key, "EC") || EVP_PKEY_get_group_name(key, curve, sizeof(curve), &n) != 1) return ERR_INVALID;
  if (strcmp(curve, "prime256v1") != 0) return ERR_INVALID;
  *ret_algorithm = ES256;
  return OK;
}

static enum err jwt_use_public_key(struct jwt *j, struct str pem, struct buf *problem) {
  if (pem.n > PEM_FILE_MAX)
    return problem_text_set(problem, ERR_INVALID, "JWT_PUBLIC_KEY_FILE: the file is too large for a key");
  if (str_contains(pem, STR("PRIVATE KEY-----")))
    return problem_text_set(problem, ERR_INVALID,
                            "JWT_PUBLIC_KEY_FILE: the file holds a private key, which does not belong here");
  BIO *bio CLEANUP(bio_free) = BIO_new_mem_buf(pem.p, (int)pem.n);
  if (!bio) return ERR_NOMEM;
  j->key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
  ERR_clear_error();
  if (!j->key)
    return problem_text_set(problem, ERR_INVALID, "JWT_PUBLIC_KEY_FILE: the file holds no public key in PEM");
  if (jwt_algorithm_of(j->key, &j->algorithm) != OK)
    return problem_text_set(problem, ERR_INVALID,
                            "JWT_PUBLIC_KEY_FILE: the key is neither RSA of 2048 to 8192 bits nor P-256");
  return OK;
}

static enum err jwt_use_key(struct jwt *j, const struct jwt_settings *s, struct buf *problem) {
  if (s->secret.n && s->public_key_pem.n)
    return problem_text_set(problem, ERR_INVALID,
                            "JWT_SECRET and JWT_PUBLIC_KEY_FILE are both set: a token has one key");
  if (s->public_key_pem.n) return jwt_use_public_key(j, s->public_key_pem, problem);
  if (s->secret.n < JWT_SECRET_MIN)
    return problem_text_set(problem, ERR_INVALID, "JWT_SECRET: must have at least 32 bytes");
  j->algorithm = HS256;
  hmac_key_set(&j->secret, s->secret);
  return OK;
}

static enum err copy_text(struct str text, char **ret_text) {
  if (!text.n) return OK;
  char *copy = str_dup(text);
  if (!copy) return ERR_NOMEM;
  *ret_text = copy;
  return OK;
}

enum err jwt_new(const struct jwt_settings *settings, struct buf *ret_problem, struct jwt **ret_jwt) {
  struct jwt *j CLEANUP(jwt_free_) = calloc(1, sizeof(*j));
  if (!j) return ERR_NOMEM;
  TRY(jwt_use_key(j, settings, ret_problem));
  j->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
  if (!j->sha256) return ERR_NOMEM;
  TRY(copy_text(settings->issuer, &j->issuer));
  TRY(copy_text(settings->audience, &j->audience));
  *ret_jwt = TAKE(j);
  return OK;
}

struct jwt *jwt_free(struct jwt *j) {
  if (!j) return NULL;
  j->older = jwt_free(j->older);
  hmac_key_wipe(&j->secret);
  EVP_PKEY_free(j->key);
  EVP_MD_free(j->sha256);
  free(j->issuer);
  free(j->audience);
  free(j);
  return NULL;
}

static enum err jwt_read_key_file(const char *path, struct buf *b) {
  int fd CLEANUP(fs_close_) = -1;
  mode_t mode;
  TRY(fs_open_chosen(path, &fd, &mode));
  if (mode & 022) return ERR_DENIED; /* with another key, others could make tokens of every business */
  for (;;) {
    TRY(buf_reserve(b, 4096));
    ssize_t n = read(fd, b->p + b->n, 4096);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return err_from_errno(errno);
    if (n == 0) return b->n ? OK : ERR_NOT_FOUND;
    b->n += (size_t)n;
  }
}

static enum err jwt_of_file(struct jwt_settings *settings, struct str path, struct buf *pem, struct buf *ret_problem,
                            struct jwt **ret_jwt) {
  char text[4096];
  enum err e = str_copy(text, sizeof(text), path);
  if (e == OK) e = jwt_read_key_file(text, pem);
  if (e == ERR_DENIED)
    return problem_text_set(ret_problem, ERR_INVALID,
                            "JWT_PUBLIC_KEY_FILE: the file can't be read, or others can write it (chmod 644 it)");
  if (e != OK)
    return problem_text_set(ret_problem, ERR_INVALID,
                            "JWT_PUBLIC_KEY_FILE: the file can't be read, or is empty or too large");
  settings->public_key_pem = buf_str(pem);
  return jwt_new(settings, ret_problem, ret_jwt);
}

/* Both keys of a setting that has two, "new,old". */
static enum err jwt_of_files(struct jwt_settings *settings, const char *paths, struct buf *ret_problem,
                             struct jwt **ret_jwt) {
  struct buf pem CLEANUP(buf_done) = BUF_INIT(2 * PEM_FILE_MAX);
  struct buf older CLEANUP(buf_done) = BUF_INIT(2 * PEM_FILE_MAX);
  struct jwt *j CLEANUP(jwt_free_) = NULL;
  struct str first, second;
  bool is_two = str_cut(str_from(paths), ',', &first, &second);
  TRY(jwt_of_file(settings, is_two ? str_trim(first) : str_from(paths), &pem, ret_problem, &j));
  if (is_two) TRY(jwt_of_file(settings, str_trim(second), &older, ret_problem, &j->older));
  *ret_jwt = TAKE(j);
  return OK;
}

static enum err jwt_of_secrets(struct jwt_settings *settings, const char *secrets, struct buf *ret_problem,
                               struct jwt **ret_jwt) {
  struct jwt *j CLEANUP(jwt_free_) = NULL;
  struct str older;
  secret_split(secrets, JWT_SECRET_MIN, &settings->secret, &older);
  TRY(jwt_new(settings, ret_problem, &j));
  settings->secret = older;
  if (older.n) TRY(jwt_new(settings, ret_problem, &j->older));
  *ret_jwt = TAKE(j);
  return OK;
}

enum err jwt_from_conf(const struct conf *conf, struct buf *ret_problem, struct jwt **ret_jwt) {
  struct jwt_settings settings = {.issuer = str_from(conf->jwt_issuer), .audience = str_from(conf->jwt_audience)};
  if (conf->jwt_secret && conf->jwt_public_key_file)
    return problem_text_set(ret_problem, ERR_INVALID,
                            "JWT_SECRET and JWT_PUBLIC_KEY_FILE are both set: a token has one key");
  if (conf->jwt_public_key_file) return jwt_of_files(&settings, conf->jwt_public_key_file, ret_problem, ret_jwt);
  if (conf->jwt_secret) return jwt_of_secrets(&settings, conf->jwt_secret, ret_problem, ret_jwt);
  *ret_jwt = NULL;
  return OK;
}

/* ---- the signature ---- */

/* Converts a raw ECDSA signature (r || s, RFC 7518 section 3.4) to the DER form that OpenSSL verifies. Returns its length; 0: the
 * signature can't be converted. */
static size_t jwt_signature_der(const uint8_t *raw, uint8_t ret_der[ECDSA_DER_MAX]) {
  ECDSA_SIG *sig = ECDSA_SIG_new();
  BIGNUM *r = BN_bin2bn(raw, ES256_HALF, NULL), *s = BN_bin2bn(raw + ES256_HALF, ES256_HALF, NULL);
  if (!sig || !r || !s || ECDSA_SIG_set0(sig, r, s) != 1) {
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return 0;
  }
  int n = i2d_ECDSA_SIG(sig, NULL);
  uint8_t *at = ret_der;
  if (n <= 0 || n > ECDSA_DER_MAX || i2d_ECDSA_SIG(sig, &at) != n) n = 0;
  ECDSA_SIG_free(sig);
  return (size_t)n;
}

static bool jwt_public_key_verifies(const struct jwt *j, struct str text, struct str signature) {
  EVP_MD_CTX *state = EVP_MD_CTX_new();
  bool good = state &&
              EVP_DigestVerifyInit_ex(state, NULL, EVP_MD_get0_name(j->sha256), NULL, NULL, j->key, NULL) == 1 &&
              EVP_DigestVerify(state, (const uint8_t *)signature.p, signature.n, (const uint8_t *)text.p, text.n) == 1;
  EVP_MD_CTX_free(state);
  ERR_clear_error(); /* else the next user of OpenSSL on this thread finds the error of a bad signature */
  return good;
}

static bool jwt_signature_holds(const struct jwt *j, struct str text, struct str signature) {
  uint8_t mac[SHA256_SIZE], der[ECDSA_DER_MAX];
  switch (j->algorithm) {
    case HS256:
      hmac_sha256(&j->secret, text, mac);
      return secret_equal(signature, str_of((const char *)mac, sizeof(mac)));
    case RS256:
      return signature.n == (size_t)EVP_PKEY_get_size(j->key) && jwt_public_key_verifies(j, text, signature);
    case ES256:
      if (signature.n != 2 * ES256_HALF) return false;
      return jwt_public_key_verifies(j, text,
                                     str_of((const char *)der, jwt_signature_der((const uint8_t *)signature.p, der)));
  }
  return false;
}

/* ---- the parts ---- */

struct jwt_parts {
  struct str header, claims, signature; /* base64url */
  struct str signed_text;               /* header '.' claims */
};

static bool jwt_split(struct str token, struct jwt_parts *ret_parts) {
  struct jwt_parts p;
  struct str rest;
  if (!str_cut(token, '.', &p.header, &rest) || !str_cut(rest, '.', &p.claims, &p.signature)) return false;
  if (!p.header.n || !p.claims.n || !p.signature.n || str_index(p.signature, '.', 0) != p.signature.n) return false;
  p.signed_text = str_of(token.p, p.header.n + 1 + p.claims.n);
  *ret_parts = p;
  return true;
}

/* Decodes part as a JSON object (3). bad: the reason to return if it is not one. */
static enum jwt_reason jwt_read_object(struct str part, enum jwt_reason bad, json_t **ret_object) {
  struct buf bytes CLEANUP(buf_done) = BUF_INIT(JWT_TOKEN_MAX);
  json_error_t why;
  enum err e = base64url_decode(&bytes, part);
  if (e != OK) return e == ERR_NOMEM ? JWT_NO_MEMORY : JWT_MALFORMED;
  json_t *j = json_loadb(bytes.p, bytes.n, JSON_REJECT_DUPLICATES, &why);
  if (!j) return json_error_code(&why) == json_error_out_of_memory ? JWT_NO_MEMORY : bad;
  if (!json_is_object(j)) {
    json_decref(j);
    return bad;
  }
  *ret_object = j;
  return JWT_OK;
}

static bool jwt_text_is(const json_t *value, const char *expected) {
  struct str text = str_of(json_string_value(value), json_string_length(value));
  return json_is_string(value) && str_eq(text, str_from(expected));
}

static enum jwt_reason jwt_check_header(const struct jwt *j, struct str part) {
  json_t *header CLEANUP(json_free) = NULL;
  enum jwt_reason reason = jwt_read_object(part, JWT_BAD_HEADER, &header);
  if (reason != JWT_OK) return reason;
  if (!jwt_text_is(json_object_get(header, "alg"), algorithm_names[j->algorithm])) return JWT_WRONG_ALGORITHM; /* (1) */
  return json_object_get(header, "crit") ? JWT_CRITICAL : JWT_OK;
}

static enum jwt_reason jwt_check_signature(const struct jwt *j, const struct jwt_parts *p) {
  struct buf signature CLEANUP(buf_done) = BUF_INIT(JWT_TOKEN_MAX);
  enum err e = base64url_decode(&signature, p->signature);
  if (e != OK) return e == ERR_NOMEM ? JWT_NO_MEMORY : JWT_MALFORMED;
  return jwt_signature_holds(j, p->signed_text, buf_str(&signature)) ? JWT_OK : JWT_BAD_SIGNATURE;
}

/* ---- the claims ---- */

/* Converts seconds since 1970, which may have a fraction (RFC 7519 section 2), to milliseconds (4). */
static bool jwt_read_time(const json_t *value, int64_t *ret_ms) {
  if (!json_is_number(value)) return false;
  double s = json_number_value(value);
  if (json_is_integer(value) && s > 0 && s < (double)LAST_MS / 1000)
    *ret_ms = json_integer_value(value) * 1000;
  else
    *ret_ms = s <= 0 ? 0 : s >= (double)LAST_MS / 1000 ? LAST_MS : (int64_t)floor(s * 1000);
  return true;
}

static enum jwt_reason jwt_check_times(const json_t *claims, int64_t now_ms, int64_t *ret_expires_at_ms) {
  const json_t *nbf = json_object_get(claims, "nbf");
  int64_t begins;
  if (!jwt_read_time(json_object_get(claims, "exp"), ret_expires_at_ms)) return JWT_BAD_EXP;
  if (now_ms >= *ret_expires_at_ms + JWT_LEEWAY_MS) return JWT_EXPIRED;
  if (!nbf) return JWT_OK;
  if (!jwt_read_time(nbf, &begins)) return JWT_BAD_NBF;
  return now_ms < begins - JWT_LEEWAY_MS ? JWT_NOT_YET : JWT_OK;
}

static enum jwt_reason jwt_check_role(const json_t *value, enum access_role *ret_role) {
  *ret_role = ACCESS_VIEWER;
  if (!value) return JWT_OK;
  struct str text = str_of(json_string_value(value), json_string_length(value));
  if (!json_is_string(value) || access_role_of(text, ret_role) != OK || *ret_role == ACCESS_PLATFORM)
    return JWT_BAD_ROLE;
  return JWT_OK;
}

static enum jwt_reason jwt_check_subject(const json_t *value, char ret_subject[JWT_SUBJECT_MAX + 1]) {
  ret_subject[0] = '\0';
  if (!value) return JWT_OK;
  struct str text = str_of(json_string_value(value), json_string_length(value));
  if (!json_is_string(value) || !str_is_utf8(text)) return JWT_BAD_SUBJECT;
  return str_copy(ret_subject, JWT_SUBJECT_MAX + 1, text) == OK ? JWT_OK : JWT_BAD_SUBJECT;
}

static bool jwt_names_audience(const json_t *aud, const char *audience) {
  if (!json_is_array(aud)) return jwt_text_is(aud, audience);
  size_t i;
  json_t *each;
  json_array_foreach(aud, i, each) if (jwt_text_is(each, audience)) return true;
  return false;
}

static enum jwt_reason jwt_check_claims(const struct jwt *j, const json_t *claims, int64_t now_ms,
                                        struct jwt_claims *c) {
  const json_t *business = json_object_get(claims, "business_id");
  enum jwt_reason reason = jwt_check_times(claims, now_ms, &c->expires_at_ms);
  if (reason != JWT_OK) return reason;
  if (!json_is_integer(business) || json_integer_value(business) <= 0) return JWT_BAD_BUSINESS;
  c->business_id = json_integer_value(business);
  reason = jwt_check_role(json_object_get(claims, "role"), &c->role);
  if (reason == JWT_OK) reason = jwt_check_subject(json_object_get(claims, "sub"), c->subject);
  if (reason != JWT_OK) return reason;
  if (j->issuer && !jwt_text_is(json_object_get(claims, "iss"), j->issuer)) return JWT_WRONG_ISSUER;
  if (j->audience && !jwt_names_audience(json_object_get(claims, "aud"), j->audience)) return JWT_WRONG_AUDIENCE;
  return JWT_OK;
}

static enum jwt_reason jwt_verify_with(const struct jwt *j, struct str token, int64_t now_ms,
                                       struct jwt_claims *ret_claims) {
  json_t *claims CLEANUP(json_free) = NULL;
  struct jwt_claims read;
  struct jwt_parts jwt_parts;
  if (token.n > JWT_TOKEN_MAX) return JWT_TOO_BIG;
  if (!jwt_split(token, &jwt_parts)) return JWT_MALFORMED;
  enum jwt_reason reason = jwt_check_header(j, jwt_parts.header);
  if (reason == JWT_OK) reason = jwt_check_signature(j, &jwt_parts);
  if (reason == JWT_OK) reason = jwt_read_object(jwt_parts.claims, JWT_BAD_CLAIMS, &claims); /* (2) */
  if (reason == JWT_OK) reason = jwt_check_claims(j, claims, now_ms, &read);
  if (reason == JWT_OK) *ret_claims = read;
  return reason;
}

enum jwt_reason jwt_verify(const struct jwt *j, struct str token, int64_t now_ms, struct jwt_claims *ret_claims) {
  enum jwt_reason reason = jwt_verify_with(j, token, now_ms, ret_claims);
  if (j->older && (reason == JWT_BAD_SIGNATURE || reason == JWT_WRONG_ALGORITHM))
    return jwt_verify_with(j->older, token, now_ms, ret_claims);
  return reason;
}
