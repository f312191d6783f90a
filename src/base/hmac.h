/* hmac.h - HMAC-SHA256 (RFC 2104) under a key that is used often: the key's two blocks are hashed only once.
 *
 *   hmac_key_set(&key, secret);   hmac_sha256(&key, text, mac);   hmac_key_wipe(&key);
 *
 * Thread rule: pure; after hmac_key_set any thread may use the key. */
#pragma once

#include "base/secret.h"

struct hmac_key {
  uint64_t inner[14], outer[14]; /* states of SHA-256 after the key's blocks */
};

void hmac_key_set(struct hmac_key *k, struct str secret);
void hmac_key_wipe(struct hmac_key *k);
void hmac_sha256(const struct hmac_key *k, struct str text, uint8_t ret_mac[SHA256_SIZE]);
