/* keys.h - the table `keys`: API keys. Only their digests are stored.
 *
 * A key's text is "cr_" and 43 base64url characters (256 random bits); keys_create returns it, and nobody can read it again.
 * Thread rule: the connection's. Writes need a transaction; they add to `changes`. */
#pragma once

#include "base/secret.h"
#include "db/db.h"

enum { KEY_TEXT_SIZE = 3 + 43 + 1, KEY_ROLE_SIZE = 16, KEY_NAME_SIZE = 101, KEY_BY_SIZE = 256, KEYS_LISTED_MAX = 1000 };
enum { KEY_USED_EVERY_MS = 3600 * 1000 };

struct key {
  int64_t key_id;
  int64_t business_id;      /* 0: a platform key */
  char role[KEY_ROLE_SIZE]; /* viewer, agent, admin; platform for a platform key */
  char name[KEY_NAME_SIZE]; /* "": none */
  uint8_t digest[SHA256_SIZE];
  int64_t created_at;
  int64_t revoked_at;                                 /* 0: not revoked */
  int64_t expires_at;                                 /* 0: never */
  int64_t last_used_at;                               /* at most KEY_USED_EVERY_MS late; 0: never used */
  char made_by[KEY_BY_SIZE], revoked_by[KEY_BY_SIZE]; /* "command", "key:5", "user:SUB"; "" not known */
};

/* The properties of a new key. */
struct key_wish {
  int64_t business_id;
  struct str role, name, made_by;
  int64_t expires_at; /* 0: never */
};

/* Creates a key. business_id 0 needs role "platform", and another business_id another role. name may be empty. ERR_INVALID: a
 * wrong role, or a name that is too long or not UTF-8; ERR_NOT_FOUND: no such business, or it is removed. */
CHECKED enum err keys_create(struct db *db, int64_t business_id, struct str role, struct str name,
                             char ret_text[KEY_TEXT_SIZE], int64_t *ret_key_id);
/* The same with all of the wish. */
CHECKED enum err keys_make(struct db *db, const struct key_wish *wish, char ret_text[KEY_TEXT_SIZE],
                           int64_t *ret_key_id);
/* ERR_BUSY: the business has KEYS_LISTED_MAX keys or more that are neither revoked nor expired. */
CHECKED enum err keys_check_ceiling(struct db *db, int64_t business_id);
/* Revokes a key of that business (0: of any). ERR_NOT_FOUND: it has none with that id, or it is revoked already. */
CHECKED enum err keys_revoke_by(struct db *db, int64_t business_id, int64_t key_id, struct str revoked_by);
/* Writes the time of a use, unless a later one, or one within KEY_USED_EVERY_MS, is there. Adds no change. */
CHECKED enum err keys_rename(struct db *db, int64_t business_id, int64_t key_id, struct str name);
CHECKED enum err keys_note_use(struct db *db, int64_t key_id, int64_t now);
/* OK also for a revoked key and for one of a removed business. ERR_NOT_FOUND. */
CHECKED enum err keys_revoke(struct db *db, int64_t key_id);
/* Revokes at most KEYS_REVOKED_MAX keys of a business. *ret_left: there may be more; call it again, in another transaction. */
enum { KEYS_REVOKED_MAX = 400 };
CHECKED enum err keys_revoke_some(struct db *db, int64_t business_id, bool *ret_left);
/* The key with that text. ERR_NOT_FOUND: there is none, it is revoked, it has expired, or its business is removed. */
CHECKED enum err keys_find_live(struct db *db, struct str text, int64_t now, struct key *ret_key);
/* Finds revoked keys too. ERR_NOT_FOUND. */
CHECKED enum err keys_get(struct db *db, int64_t key_id, struct key *ret_key);
typedef enum err keys_each_fn(void *arg, const struct key *key);
/* Calls fn with all keys of a business, revoked ones too; business_id 0: with all keys. */
CHECKED enum err keys_each(struct db *db, int64_t business_id, keys_each_fn *fn, void *arg);
/* Calls fn with at most KEYS_LISTED_MAX keys of a business that are not revoked, the newest first. */
CHECKED enum err keys_each_unrevoked(struct db *db, int64_t business_id, keys_each_fn *fn, void *arg);
/* Calls fn with all keys that are not revoked, of businesses that are not removed. They may have expired. */
CHECKED enum err keys_each_live(struct db *db, keys_each_fn *fn, void *arg);
/* The digest of a key's text, as in struct key. */
void keys_digest(struct str text, uint8_t ret_digest[SHA256_SIZE]);
