/* secrets_key.h - loads the key that encrypts secrets in the database.
 * Thread rule: any thread. Several processes may create the file at once; all get the same key. */
#pragma once

#include "base/secret.h"

/* configured: the setting SECRETS_KEY (32 bytes in base64; or two keys with a comma between, of which the second only opens:
 * secret_set_older_key). NULL: reads the key from data_dir/secrets.key (mode 0600), and
 * creates the file if it is missing. On failure ret_problem gets a sentence that does not contain the key. ERR_INVALID: not 32
 * bytes in base64; ERR_DENIED: other users can read the file; ERR_IO and others: the file can't be read or created. */
CHECKED enum err secrets_key_load(const char *configured, const char *data_dir, struct buf *ret_problem,
                                  uint8_t ret_key[SECRET_KEY_SIZE]);
