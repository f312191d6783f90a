/* Any bytes as a token, and any bytes as the claims (after an odd first byte: the header) of one that is rightly signed:
 * what is taken is within its bounds. */
#include <stdlib.h>
#include <string.h>

#include "api/jwt.h"
#include "base/secret.h"

#define SECRET "a secret of more than 32 bytes, for fuzzing"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds) {
  if (!holds) abort();
}

static struct jwt *verifier(void) {
  static struct jwt *j; /* lives as long as the process */
  struct jwt_settings settings = {.secret = STR(SECRET)};
  if (!j) require(jwt_new(&settings, NULL, &j) == OK);
  return j;
}

static enum jwt_reason verify(struct str token) {
  static const struct jwt_claims untouched = {.business_id = -5};
  struct jwt_claims c = untouched;
  enum jwt_reason reason = jwt_verify(verifier(), token, 1000000, &c);
  require(jwt_reason_text(reason) != NULL);
  if (reason != JWT_OK) {
    require(memcmp(&c, &untouched, sizeof(c)) == 0);
    return reason;
  }
  require(c.business_id > 0 && c.role <= ACCESS_ADMIN && c.expires_at_ms + JWT_LEEWAY_MS > 1000000);
  require(str_is_utf8(str_from(c.subject)) && strlen(c.subject) <= JWT_SUBJECT_MAX);
  return reason;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(1024 * 1024);
  uint8_t mac[SHA256_SIZE];
  static const char header[] = "{\"alg\":\"HS256\"}", claims[] = "{\"business_id\":7,\"exp\":2000}";
  require(verify(str_of((const char *)bytes, n)) != JWT_OK); /* nobody guesses a MAC */
  if (n == 0) return 0;
  bool as_header = bytes[0] & 1;
  const uint8_t *rest = bytes + 1;
  if (base64url_encode(&b, as_header ? rest : (const uint8_t *)header, as_header ? n - 1 : sizeof(header) - 1) != OK ||
      buf_add_char(&b, '.') != OK ||
      base64url_encode(&b, as_header ? (const uint8_t *)claims : rest, as_header ? sizeof(claims) - 1 : n - 1) != OK)
    return 0;
  secret_hmac_sha256(STR(SECRET), buf_str(&b), mac);
  if (buf_add_char(&b, '.') != OK || base64url_encode(&b, mac, sizeof(mac)) != OK) return 0;
  require(verify(buf_str(&b)) != JWT_BAD_SIGNATURE);
  return 0;
}
