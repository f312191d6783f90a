#include "base/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct digest {
  EVP_MD_CTX *running;
  EVP_MD_CTX *copy; /* digest_hex finishes this copy, so that the running digest can continue */
};

struct digest *digest_free(struct digest *d) {
  if (!d) return NULL;
  EVP_MD_CTX_free(d->running);
  EVP_MD_CTX_free(d->copy);
  free(d);
  return NULL;
}

void digest_free_(struct digest **d) {
  *d = digest_free(*d);
}

enum err digest_new(struct digest **ret_digest) {
  struct digest *d = calloc(1, sizeof(*d));
  if (!d) return ERR_NOMEM;
  d->running = EVP_MD_CTX_new();
  d->copy = EVP_MD_CTX_new();
  if (!d->running || !d->copy || EVP_DigestInit_ex(d->running, EVP_sha256(), NULL) != 1 ||
      EVP_MD_CTX_copy_ex(d->copy, d->running) != 1) {
    digest_free(d);
    return ERR_NOMEM;
  }
  *ret_digest = d;
  return OK;
}

/* SHA-256 without an engine does not fail once its state is allocated. */
void digest_add(struct digest *d, struct str bytes) {
  (void)EVP_DigestUpdate(d->running, bytes.p, bytes.n);
}

void digest_reset(struct digest *d) {
  (void)EVP_DigestInit_ex(d->running, EVP_sha256(), NULL);
}

void digest_hex(const struct digest *d, char ret_text[2 * SHA256_SIZE + 1]) {
  uint8_t bytes[SHA256_SIZE] = {0};
  (void)EVP_MD_CTX_copy_ex(d->copy, d->running);
  (void)EVP_DigestFinal_ex(d->copy, bytes, NULL);
  hex_encode(bytes, sizeof(bytes), ret_text);
}
