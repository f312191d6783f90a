/* secrets_key.h - the key that seals secrets in the database.
 * Thread rule: any thread; several processes may make the file at once and agree on one. */
#pragma once

#include "base/secret.h"

/* configured: SECRETS_KEY (32 bytes in base64), or NULL: then the key is that of data_dir/secrets.key (mode 0600), which is
 * made once. On failure *ret_problem holds a sentence without the key: ERR_INVALID: no such key; ERR_DENIED: others can read
 * the file; ERR_IO and the like: the file can't be read or made. */
CHECKED enum err secrets_key_load(const char *configured, const char *data_dir, struct buf *ret_problem,
                                  uint8_t ret_key[SECRET_KEY_SIZE]);
