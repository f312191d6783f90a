/* hmac.c - HMAC-SHA256 with prepared states.
 *
 * Invariants
 *  (1) Nothing is allocated and nothing fails: SHA-256's contexts are on the stack or in the key. OpenSSL's newer interface
 *      would allocate at each use. */
#define OPENSSL_SUPPRESS_DEPRECATED /* (1) */
#include "base/hmac.h"

#include <assert.h>
#include <openssl/sha.h>
#include <string.h>

static_assert(sizeof(SHA256_CTX) <= sizeof(((struct hmac_key *)0)->inner), "a state fits");

static void hmac_hash_block(const uint8_t whole[SHA256_CBLOCK], uint8_t pad, uint64_t ret_state[14]) {
  uint8_t block[SHA256_CBLOCK];
  SHA256_CTX sha;
  for (size_t i = 0; i < sizeof(block); i++) block[i] = whole[i] ^ pad;
  SHA256_Init(&sha);
  SHA256_Update(&sha, block, sizeof(block));
  memcpy(ret_state, &sha, sizeof(sha));
  secret_wipe(&sha, sizeof(sha));
  secret_wipe(block, sizeof(block));
}

void hmac_key_set(struct hmac_key *k, struct str secret) {
  uint8_t whole[SHA256_CBLOCK] = {0};
  if (secret.n > sizeof(whole)) {
    secret_sha256(secret, whole);
  } else if (secret.n) {
    memcpy(whole, secret.p, secret.n);
  }
  memset(k, 0, sizeof(*k));
  hmac_hash_block(whole, 0x36, k->inner);
  hmac_hash_block(whole, 0x5c, k->outer);
  secret_wipe(whole, sizeof(whole));
}

void hmac_key_wipe(struct hmac_key *k) {
  secret_wipe(k, sizeof(*k));
}

void hmac_sha256(const struct hmac_key *k, struct str text, uint8_t ret_mac[SHA256_SIZE]) {
  SHA256_CTX sha;
  memcpy(&sha, k->inner, sizeof(sha));
  SHA256_Update(&sha, text.p, text.n);
  SHA256_Final(ret_mac, &sha);
  memcpy(&sha, k->outer, sizeof(sha));
  SHA256_Update(&sha, ret_mac, SHA256_SIZE);
  SHA256_Final(ret_mac, &sha);
  secret_wipe(&sha, sizeof(sha));
}
