/* digest.h - SHA-256 of bytes that come in pieces (OpenSSL). Thread rule: one owner at a time. */
#pragma once

#include "base/secret.h"

struct digest;

CHECKED enum err digest_new(struct digest **ret_digest);
struct digest *digest_free(struct digest *d); /* NULL is fine; always NULL */
void digest_free_(struct digest **d);         /* for CLEANUP */
void digest_add(struct digest *d, struct str bytes);
void digest_reset(struct digest *d);
/* Of all added so far, as lower-case hexadecimal; more may be added after. */
void digest_hex(const struct digest *d, char ret_text[2 * SHA256_SIZE + 1]);
