/* settings.h - the table `settings`: values that the installation made for itself (keys, the store's id).
 *
 *   secret_random(…); TRY(settings_put_if_absent(db, secrets_key, "url_signing_key", mine, &winner));   all processes agree
 *
 * Thread rule: the connection's; writing inside a transaction. */
#pragma once

#include "db/db.h"

enum { SETTING_NAME_MAX = 64, SETTING_VALUE_MAX = 4096 };

/* Appends the value to b. secrets_key: 32 bytes, or NULL for a value that is not sealed. ERR_NOT_FOUND; ERR_CORRUPT: sealed with
 * another key; ERR_DENIED: sealed, and secrets_key is NULL. */
CHECKED enum err settings_get(struct db *db, const uint8_t *secrets_key, const char *name, struct buf *b);
/* Stores value, sealed where secrets_key is given, unless there is one; appends the one that stands then to ret_winner. */
CHECKED enum err settings_put_if_absent(struct db *db, const uint8_t *secrets_key, const char *name, struct str value,
                                        struct buf *ret_winner);
/* Stores value whatever was there. */
CHECKED enum err settings_put(struct db *db, const uint8_t *secrets_key, const char *name, struct str value);
