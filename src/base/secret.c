/* secret.c - digests, random bytes, authenticated encryption.
 *
 * Invariants
 *  (1) Digests and MACs can't fail and allocate nothing: they use OpenSSL's SHA contexts on the stack. The one-shot
 *      calls would allocate, and take a lock that all loops share.
 *  (2) A sealed text is version 1, nonce (random, 12 bytes), ciphertext, tag (16 bytes). The version is authenticated
 *      along with `bound`.
 *  (3) No decrypted byte reaches the caller unless the tag is right. */
#define OPENSSL_SUPPRESS_DEPRECATED /* (1) */
#include "base/secret.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>

enum { SEAL_VERSION = 1, NONCE_SIZE = 12, TAG_SIZE = 16, SEAL_OVERHEAD = 1 + NONCE_SIZE + TAG_SIZE, BLOCK_SIZE = 64 };

static_assert(SHA1_SIZE == SHA_DIGEST_LENGTH && SHA256_SIZE == SHA256_DIGEST_LENGTH, "sizes of the digests");
static_assert(SHA_CBLOCK == BLOCK_SIZE && SHA256_CBLOCK == BLOCK_SIZE, "both hash blocks of 64 bytes");

void secret_keep_from_dumps(void) {
  const struct rlimit none = {0, 0};
  (void)setrlimit(RLIMIT_CORE, &none); /* lowering a limit can't fail */
#ifndef __SANITIZE_ADDRESS__           /* its search for leaks traces the process */
  (void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

void secret_wipe(void *bytes, size_t size) {
  if (size) OPENSSL_cleanse(bytes, size);
}

void secret_buf_done(struct buf *b) {
  if (b->p) secret_wipe(b->p, b->cap);
  buf_done(b);
}

void secret_sha256(struct str data, uint8_t ret_digest[SHA256_SIZE]) {
  SHA256_CTX sha;
  SHA256_Init(&sha);
  SHA256_Update(&sha, data.p, data.n);
  SHA256_Final(ret_digest, &sha);
  secret_wipe(&sha, sizeof(sha));
}

/* RFC 2104: the key as one block, xored with a pad. */
static void hmac_block(const uint8_t key[BLOCK_SIZE], uint8_t pad, uint8_t ret_block[BLOCK_SIZE]) {
  for (size_t i = 0; i < BLOCK_SIZE; i++) ret_block[i] = key[i] ^ pad;
}

void secret_hmac_sha1(struct str key, struct str data, uint8_t ret_mac[SHA1_SIZE]) {
  SHA_CTX sha;
  uint8_t block[BLOCK_SIZE], whole[BLOCK_SIZE] = {0};
  if (key.n > BLOCK_SIZE) {
    SHA1_Init(&sha);
    SHA1_Update(&sha, key.p, key.n);
    SHA1_Final(whole, &sha);
  } else if (key.n) {
    memcpy(whole, key.p, key.n);
  }
  hmac_block(whole, 0x36, block);
  SHA1_Init(&sha);
  SHA1_Update(&sha, block, BLOCK_SIZE);
  SHA1_Update(&sha, data.p, data.n);
  SHA1_Final(ret_mac, &sha);
  hmac_block(whole, 0x5c, block);
  SHA1_Init(&sha);
  SHA1_Update(&sha, block, BLOCK_SIZE);
  SHA1_Update(&sha, ret_mac, SHA1_SIZE);
  SHA1_Final(ret_mac, &sha);
  secret_wipe(&sha, sizeof(sha));
  secret_wipe(block, sizeof(block));
  secret_wipe(whole, sizeof(whole));
}

void secret_hmac_sha256(struct str key, struct str data, uint8_t ret_mac[SHA256_SIZE]) {
  SHA256_CTX sha;
  uint8_t block[BLOCK_SIZE], whole[BLOCK_SIZE] = {0};
  if (key.n > BLOCK_SIZE) {
    secret_sha256(key, whole);
  } else if (key.n) {
    memcpy(whole, key.p, key.n);
  }
  hmac_block(whole, 0x36, block);
  SHA256_Init(&sha);
  SHA256_Update(&sha, block, BLOCK_SIZE);
  SHA256_Update(&sha, data.p, data.n);
  SHA256_Final(ret_mac, &sha);
  hmac_block(whole, 0x5c, block);
  SHA256_Init(&sha);
  SHA256_Update(&sha, block, BLOCK_SIZE);
  SHA256_Update(&sha, ret_mac, SHA256_SIZE);
  SHA256_Final(ret_mac, &sha);
  secret_wipe(&sha, sizeof(sha));
  secret_wipe(block, sizeof(block));
  secret_wipe(whole, sizeof(whole));
}

bool secret_equal(struct str a, struct str b) {
  return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

void secret_split(const char *configured, size_t least, struct str *ret_first, struct str *ret_second) {
  struct str whole = str_from(configured), first, second;
  bool is_two = str_cut(whole, ',', &first, &second) && str_trim(first).n >= least && str_trim(second).n >= least;
  *ret_first = is_two ? str_trim(first) : whole;
  *ret_second = is_two ? str_trim(second) : STR_NONE;
}

enum err secret_random(void *ret_bytes, size_t size) {
  uint8_t *at = ret_bytes;
  while (size > 0) {
    ssize_t n = getrandom(at, size < 256 ? size : 256, 0); /* requests of up to 256 bytes are never cut short */
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return ERR_IO;
    at += n;
    size -= (size_t)n;
  }
  return OK;
}

static void cipher_free(EVP_CIPHER_CTX **c) {
  EVP_CIPHER_CTX_free(*c);
}

/* One pass of AES-256-GCM up to the tag, in or out of text. */
static enum err gcm_pass(EVP_CIPHER_CTX *c, const uint8_t *key, const uint8_t *nonce, struct str bound, struct str in,
                         uint8_t *out, bool sealing) {
  static const uint8_t version = SEAL_VERSION;
  int n;
  if (!EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce, sealing)) return ERR_NOMEM;
  if (!EVP_CipherUpdate(c, NULL, &n, &version, 1)) return ERR_NOMEM;
  if (bound.n && !EVP_CipherUpdate(c, NULL, &n, (const uint8_t *)bound.p, (int)bound.n)) return ERR_NOMEM;
  if (in.n && !EVP_CipherUpdate(c, out, &n, (const uint8_t *)in.p, (int)in.n)) return ERR_NOMEM;
  return OK;
}

enum err secret_seal(const uint8_t key[SECRET_KEY_SIZE], struct str bound, struct str plain, struct buf *b) {
  if (bound.n > INT_MAX || plain.n > INT_MAX) return ERR_TOO_BIG;
  TRY(buf_reserve(b, plain.n + SEAL_OVERHEAD));
  EVP_CIPHER_CTX *c CLEANUP(cipher_free) = EVP_CIPHER_CTX_new();
  if (!c) return ERR_NOMEM;
  uint8_t *sealed = (uint8_t *)b->p + b->n, *nonce = sealed + 1, *text = nonce + NONCE_SIZE;
  int n;
  sealed[0] = SEAL_VERSION;
  TRY(secret_random(nonce, NONCE_SIZE));
  TRY(gcm_pass(c, key, nonce, bound, plain, text, true));
  if (!EVP_CipherFinal_ex(c, text + plain.n, &n)) return ERR_NOMEM;
  if (!EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, text + plain.n)) return ERR_NOMEM;
  b->n += plain.n + SEAL_OVERHEAD;
  return OK;
}

enum err secret_open_strictly(const uint8_t key[SECRET_KEY_SIZE], struct str bound, struct str sealed, struct buf *b) {
  if (sealed.n < SEAL_OVERHEAD || sealed.p[0] != SEAL_VERSION) return ERR_CORRUPT;
  if (bound.n > INT_MAX || sealed.n > INT_MAX) return ERR_TOO_BIG;
  struct str text = str_of(sealed.p + 1 + NONCE_SIZE, sealed.n - SEAL_OVERHEAD);
  uint8_t tag[TAG_SIZE];
  memcpy(tag, text.p + text.n, TAG_SIZE);
  TRY(buf_reserve(b, text.n));
  EVP_CIPHER_CTX *c CLEANUP(cipher_free) = EVP_CIPHER_CTX_new();
  if (!c) return ERR_NOMEM;
  uint8_t *plain = (uint8_t *)b->p + b->n;
  int n;
  enum err e = gcm_pass(c, key, (const uint8_t *)sealed.p + 1, bound, text, plain, false);
  if (e == OK && !EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag)) e = ERR_NOMEM;
  if (e == OK && EVP_CipherFinal_ex(c, plain + text.n, &n) <= 0) e = ERR_CORRUPT;
  if (e == OK) {
    b->n += text.n;
  } else {
    secret_wipe(plain, text.n); /* (3) */
  }
  return e;
}

static uint8_t older_key[SECRET_KEY_SIZE];
static bool has_older_key;

void secret_set_older_key(const uint8_t *key) {
  has_older_key = key;
  if (key) memcpy(older_key, key, sizeof(older_key));
}

bool secret_has_older_key(void) {
  return has_older_key;
}

bool secret_older_key(uint8_t ret_key[SECRET_KEY_SIZE]) {
  if (has_older_key) memcpy(ret_key, older_key, sizeof(older_key));
  return has_older_key;
}

enum err secret_open(const uint8_t key[SECRET_KEY_SIZE], struct str bound, struct str sealed, struct buf *b) {
  enum err e = secret_open_strictly(key, bound, sealed, b);
  return e == ERR_CORRUPT && has_older_key ? secret_open_strictly(older_key, bound, sealed, b) : e;
}
