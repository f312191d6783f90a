/* Input: any bytes as a token, as the claims (first byte odd: the header) of a correctly signed token, and as the signature under
 * public keys. With bit 1 of the first byte, iss and aud are required. Property: accepted claims are within their bounds, and no
 * unsigned token is accepted. */
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth/api_jwt.h"
#include "base/secret.h"

#define SECRET "a secret of more than 32 bytes, for fuzzing"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds) {
  if (!holds) abort();
}

/* One that looks at iss and aud, and one that does not. */
static struct jwt *verifier(bool strict) {
  static struct jwt *j[2]; /* live as long as the process */
  struct jwt_settings settings = {.secret = STR(SECRET)};
  if (strict) settings.issuer = STR("i"), settings.audience = STR("a");
  if (!j[strict]) require(jwt_new(&settings, NULL, &j[strict]) == OK);
  return j[strict];
}

static enum jwt_reason verify(struct str token, bool strict) {
  static const struct jwt_claims untouched = {.business_id = -5};
  struct jwt_claims c = untouched;
  enum jwt_reason reason = jwt_verify(verifier(strict), token, 1000000, &c);
  require(jwt_reason_text(reason));
  if (reason != JWT_OK) {
    require(memcmp(&c, &untouched, sizeof(c)) == 0);
    return reason;
  }
  require(c.business_id > 0 && c.role <= ACCESS_ADMIN && c.expires_at_ms + JWT_LEEWAY_MS > 1000000);
  require(str_is_utf8(str_from(c.subject)) && strlen(c.subject) <= JWT_SUBJECT_MAX);
  return reason;
}

/* Takes the key. */
static struct jwt *verifier_of(EVP_PKEY *key) {
  struct jwt *j;
  char *text;
  BIO *pem = BIO_new(BIO_s_mem());
  require(key && pem && PEM_write_bio_PUBKEY(pem, key) == 1);
  long n = BIO_get_mem_data(pem, &text);
  struct jwt_settings settings = {.public_key_pem = str_of(text, (size_t)n)};
  require(jwt_new(&settings, NULL, &j) == OK);
  BIO_free(pem);
  EVP_PKEY_free(key);
  return j;
}

/* A signature of the length that the algorithm wants, so that the bytes reach what reads it. */
static void refuse(const struct jwt *j, const char *header, const uint8_t *bytes, size_t n, size_t length) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(4096);
  struct jwt_claims c;
  uint8_t signature[256] = {0};
  memcpy(signature, bytes, n < length ? n : length);
  require(base64url_encode(&b, (const uint8_t *)header, strlen(header)) == OK && buf_add(&b, STR(".e30.")) == OK);
  require(base64url_encode(&b, signature, length) == OK);
  require(jwt_verify(j, buf_str(&b), 1000000, &c) == JWT_BAD_SIGNATURE);
}

static void refuse_guesses(const uint8_t *bytes, size_t n) {
  static struct jwt *es256, *rs256; /* live as long as the process */
  if (!es256) es256 = verifier_of(EVP_EC_gen("P-256"));
  if (!rs256) rs256 = verifier_of(EVP_RSA_gen(2048));
  refuse(es256, "{\"alg\":\"ES256\"}", bytes, n, 64);
  refuse(rs256, "{\"alg\":\"RS256\"}", bytes, n, 256);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(1024 * 1024);
  uint8_t mac[SHA256_SIZE];
  static const char header[] = "{\"alg\":\"HS256\"}", claims[] = "{\"business_id\":7,\"exp\":2000}";
  require(verify(str_of((const char *)bytes, n), false) != JWT_OK); /* nobody guesses a MAC */
  if (n == 0) return 0;
  if (n % 4 == 0) refuse_guesses(bytes, n); /* the slow part, not each time */
  bool as_header = bytes[0] & 1;
  const uint8_t *rest = bytes + 1;
  if (base64url_encode(&b, as_header ? rest : (const uint8_t *)header, as_header ? n - 1 : sizeof(header) - 1) != OK ||
      buf_add_char(&b, '.') != OK ||
      base64url_encode(&b, as_header ? (const uint8_t *)claims : rest, as_header ? sizeof(claims) - 1 : n - 1) != OK)
    return 0;
  secret_hmac_sha256(STR(SECRET), buf_str(&b), mac);
  if (buf_add_char(&b, '.') != OK || base64url_encode(&b, mac, sizeof(mac)) != OK) return 0;
  require(verify(buf_str(&b), bytes[0] & 2) != JWT_BAD_SIGNATURE);
  return 0;
}
