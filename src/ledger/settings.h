/* settings.h - the table `settings`: values that the installation generates for itself (keys, the store's id).
 *
 *   secret_random(…);
 *   TRY(settings_put_if_absent(db, secrets_key, "url_signing_key", mine, &winner));   all processes get the same winner
 *
 * Thread rule: the connection's. Writes need a transaction. */
#pragma once

#include "db/db.h"

enum { SETTING_NAME_MAX = 64, SETTING_VALUE_MAX = 4096 };

/* Appends the value to b. secrets_key: 32 bytes, or NULL for a value that is not encrypted. ERR_NOT_FOUND; ERR_CORRUPT: encrypted
 * with another key; ERR_DENIED: encrypted, and secrets_key is NULL. */
CHECKED enum err settings_get(struct db *db, const uint8_t *secrets_key, const char *name, struct buf *b);
/* Stores value unless the setting exists, encrypted if secrets_key is given. Appends the stored value to ret_winner. */
CHECKED enum err settings_put_if_absent(struct db *db, const uint8_t *secrets_key, const char *name, struct str value,
                                        struct buf *ret_winner);
/* Seals the setting again if only the older key opens it (secret_set_older_key). OK if there is none. */
CHECKED enum err settings_reseal(struct db *db, const uint8_t *secrets_key, const char *name);
/* Stores value, and replaces an existing one. */
CHECKED enum err settings_put(struct db *db, const uint8_t *secrets_key, const char *name, struct str value);
