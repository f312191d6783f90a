/* secret.h - digests, random bytes, authenticated encryption ("sealing") and comparisons in constant time (OpenSSL).
 * Thread rule: any thread. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

enum { SHA1_SIZE = 20, SHA256_SIZE = 32, SECRET_KEY_SIZE = 32 };

void secret_sha256(struct str data, uint8_t ret_digest[SHA256_SIZE]);
void secret_hmac_sha1(struct str key, struct str data, uint8_t ret_mac[SHA1_SIZE]);
void secret_hmac_sha256(struct str key, struct str data, uint8_t ret_mac[SHA256_SIZE]);
/* Equal length and bytes; the time depends on the lengths only. */
bool secret_equal(struct str a, struct str b);
/* A setting that holds two secrets during a rotation, "new,old": splits it at the comma if both have at least `least` bytes.
 * Else the whole is the first, and the second is empty. */
void secret_split(const char *configured, size_t least, struct str *ret_first, struct str *ret_second);
CHECKED enum err secret_random(void *ret_bytes, size_t size);
/* Call it once at start: the process leaves no core file, and other processes of its user can't read its memory. */
void secret_keep_from_dumps(void);
void secret_wipe(void *bytes, size_t size);
void secret_buf_done(struct buf *b); /* wipes the buffer's memory, then frees it as buf_done */

/* Lower-case hexadecimal, NUL-terminated: ret_text holds 2 * n + 1 bytes. */
void hex_encode(const uint8_t *bytes, size_t n, char *ret_text);
/* Standard base64 with padding (RFC 4648 4) appended to b. */
CHECKED enum err base64_encode(struct buf *b, const uint8_t *bytes, size_t n);
/* Strict: alphabet, padding and length; appended to b. ERR_INVALID. */
CHECKED enum err base64_decode(struct buf *b, struct str text);
/* base64url without padding (RFC 4648 5). */
CHECKED enum err base64url_encode(struct buf *b, const uint8_t *bytes, size_t n);
CHECKED enum err base64url_decode(struct buf *b, struct str text);

/* AES-256-GCM: appends version byte, 12-byte nonce, ciphertext, 16-byte tag to b. `bound` names
 * the row that the text belongs to. It is authenticated, not stored: in another row the text does not open. */
CHECKED enum err secret_seal(const uint8_t key[SECRET_KEY_SIZE], struct str bound, struct str plain, struct buf *b);
/* During a rotation of the key: texts that this key sealed open too, with any key given to secret_open. Call it before threads
 * start; NULL: none. */
void secret_set_older_key(const uint8_t *key);
bool secret_has_older_key(void);
/* Copies the older key, which the caller wipes. False: there is none. */
CHECKED bool secret_older_key(uint8_t ret_key[SECRET_KEY_SIZE]);
/* As secret_open, with this key alone. */
CHECKED enum err secret_open_strictly(const uint8_t key[SECRET_KEY_SIZE], struct str bound, struct str sealed,
                                      struct buf *b);
/* ERR_CORRUPT for a wrong key, another row or altered bytes. */
CHECKED enum err secret_open(const uint8_t key[SECRET_KEY_SIZE], struct str bound, struct str sealed, struct buf *b);
