/* tokens.h - new keys of all three kinds, and tokens signed with them, for one test program. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/auth/api_jwt.h"
#include "base/secret.h"

#define SECRET "a secret of more than 32 bytes, for tests"
#define HS "{\"alg\":\"HS256\"}"
#define GOOD "{\"business_id\":7,\"exp\":2000}"
enum { NOW_MS = 1000 * 1000 };

enum which { WITH_SECRET, WITH_RSA, WITH_EC };
static const char *const algorithms[] = {[WITH_SECRET] = "HS256", [WITH_RSA] = "RS256", [WITH_EC] = "ES256"};

static EVP_PKEY *keys[3], *other_keys[3];
static struct buf pems[3]; /* the public halves */

static struct buf pem_of(EVP_PKEY *key) {
  struct buf b = BUF_INIT(64 * 1024);
  BIO *bio = BIO_new(BIO_s_mem());
  char *text;
  assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
  long n = BIO_get_mem_data(bio, &text);
  assert_int_equal(buf_add(&b, str_of(text, (size_t)n)), OK);
  BIO_free(bio);
  return b;
}

static int make_keys(void **state) {
  (void)state;
  keys[WITH_RSA] = EVP_RSA_gen(2048);
  other_keys[WITH_RSA] = EVP_RSA_gen(2048);
  keys[WITH_EC] = EVP_EC_gen("P-256");
  other_keys[WITH_EC] = EVP_EC_gen("P-256");
  for (int i = WITH_RSA; i <= WITH_EC; i++) pems[i] = pem_of(keys[i]);
  return 0;
}

static int free_keys(void **state) {
  (void)state;
  for (int i = WITH_RSA; i <= WITH_EC; i++) {
    EVP_PKEY_free(keys[i]);
    EVP_PKEY_free(other_keys[i]);
    buf_done(&pems[i]);
  }
  return 0;
}

/* ---- making tokens ---- */

static void add64(struct buf *b, struct str bytes) {
  assert_int_equal(base64url_encode(b, (const uint8_t *)bytes.p, bytes.n), OK);
}

static size_t sign_public(EVP_PKEY *key, struct str text, uint8_t *ret_signature, size_t size) {
  EVP_MD_CTX *state = EVP_MD_CTX_new();
  size_t n = size;
  assert_int_equal(EVP_DigestSignInit(state, NULL, EVP_sha256(), NULL, key), 1);
  assert_int_equal(EVP_DigestSign(state, ret_signature, &n, (const uint8_t *)text.p, text.n), 1);
  EVP_MD_CTX_free(state);
  return n;
}

/* DER to r || s. */
static size_t raw_of(uint8_t *signature, size_t n) {
  const uint8_t *at = signature;
  ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)n);
  assert_non_null(sig);
  assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, 32), 32);
  assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + 32, 32), 32);
  ECDSA_SIG_free(sig);
  return 64;
}

/* header.claims.signature, for the caller to free(). key: NULL for HS256 with secret. */
static char *make_raw(EVP_PKEY *key, struct str secret, struct str header, struct str claims) {
  struct buf b = BUF_INIT(64 * 1024);
  uint8_t signature[1024];
  size_t n = SHA256_SIZE;
  const char *text;
  add64(&b, header);
  assert_int_equal(buf_add_char(&b, '.'), OK);
  add64(&b, claims);
  if (key) {
    n = sign_public(key, buf_str(&b), signature, sizeof(signature));
    if (EVP_PKEY_is_a(key, "EC")) n = raw_of(signature, n);
  } else {
    secret_hmac_sha256(secret, buf_str(&b), signature);
  }
  assert_int_equal(buf_add_char(&b, '.'), OK);
  add64(&b, str_of((const char *)signature, n));
  assert_int_equal(buf_terminate(&b, &text), OK);
  return b.p;
}

static char *make(enum which which, const char *header, const char *claims) {
  return make_raw(keys[which], STR(SECRET), str_from(header), str_from(claims));
}
