/* keys.h - the table `keys`: API keys, of which only digests are kept.
 *
 * A key's text is "cr_" and 43 base64url characters (256 random bits); it is seen once, when it is made.
 * Thread rule: the connection's; writing inside a transaction, with a row in `changes`. */
#pragma once

#include "base/secret.h"
#include "db/db.h"

enum { KEY_TEXT_SIZE = 3 + 43 + 1, KEY_ROLE_SIZE = 16, KEY_NAME_SIZE = 101 };

struct key {
  int64_t key_id;
  int64_t business_id;      /* 0: a platform key */
  char role[KEY_ROLE_SIZE]; /* viewer, agent, admin; platform for a platform key */
  char name[KEY_NAME_SIZE]; /* "" none */
  uint8_t digest[SHA256_SIZE];
  int64_t created_at;
  int64_t revoked_at; /* 0: live */
};

/* business_id 0 with role "platform", and only so, makes a platform key; name may be empty. ERR_INVALID for another role or
 * a name over its size, ERR_NOT_FOUND for a business that is not there (any more). */
CHECKED enum err keys_create(struct db *db, int64_t business_id, struct str role, struct str name,
                             char ret_text[KEY_TEXT_SIZE], int64_t *ret_key_id);
/* Also one whose business is gone, or that is revoked already. ERR_NOT_FOUND. */
CHECKED enum err keys_revoke(struct db *db, int64_t key_id);
CHECKED enum err keys_revoke_all(struct db *db, int64_t business_id);
/* A revoked one, too. ERR_NOT_FOUND. */
CHECKED enum err keys_get(struct db *db, int64_t key_id, struct key *ret_key);
typedef enum err keys_each_fn(void *arg, const struct key *key);
/* Revoked ones too, of one business or, with 0, of all and the platform's. */
CHECKED enum err keys_each(struct db *db, int64_t business_id, keys_each_fn *fn, void *arg);
/* All that let somebody in. */
CHECKED enum err keys_each_live(struct db *db, keys_each_fn *fn, void *arg);
/* The digest that a key's text is found by. */
void keys_digest(struct str text, uint8_t ret_digest[SHA256_SIZE]);
