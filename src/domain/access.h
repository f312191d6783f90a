/* access.h - businesses and API keys as one immutable snapshot in memory, so that a request is checked without SQL or
 * lock.
 *
 *   const struct access_key *key = access_find_key(snapshot, token);
 *   const struct access_business *b = access_find_business(snapshot, key->business_id);
 *
 * A snapshot never changes. Each loop holds a reference and gets another snapshot when a key or a business changed. The
 * next snapshot shares what did not change with the one before (access_update). docs/internals/authentication.md shows the
 * whole check.
 * Thread rule: any thread. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "db/db.h"
#include "domain/listeners.h"

struct access_snapshot;

enum access_role { ACCESS_VIEWER, ACCESS_AGENT, ACCESS_ADMIN, ACCESS_PLATFORM };
/* "viewer", "agent", "admin", "platform". ERR_INVALID: another word. */
const char *access_role_name(enum access_role role);
CHECKED enum err access_role_of(struct str name, enum access_role *ret_role);

struct access_key {
  int64_t key_id;
  int64_t business_id; /* 0 for a platform key */
  enum access_role role;
  int64_t expires_at;            /* UNIX ms; 0: never. The caller checks it. */
  atomic_int_least64_t *used_at; /* UNIX ms: when its use was noted last; for access_key_note_use */
};

struct access_business {
  int64_t business_id;
  struct str name;
  struct str account_sid; /* of the provider; empty: none */
  struct str tokens[2];   /* the provider's auth tokens; empty: none */
  struct str api_key, api_secret;
  struct str base_url; /* without a trailing '/'; the default if the business has none */
  const struct str *numbers;
  size_t number_count;
  int64_t retention_days;      /* 0: for ever; -1: RETENTION_DAYS */
  int64_t credentials_version; /* grows with every change of the credentials that fills use */
  struct listeners *listeners; /* the same in every snapshot */
};

/* Reads all live businesses and keys. default_base_url: TWILIO_BASE_URL. before: the snapshot that this one replaces;
 * its counts of listeners are kept; NULL: none. ERR_CORRUPT: secrets_key does not decrypt a secret (wrong SECRETS_KEY). */
CHECKED enum err access_load(struct db *db, const uint8_t secrets_key[32], struct str default_base_url,
                             const struct access_snapshot *before, struct access_snapshot **ret_snapshot);

struct access_change {
  enum { ACCESS_BUSINESS, ACCESS_KEY, ACCESS_KEYS /* all keys of the business */ } what;
  int64_t business_id, key_id;
};
/* A snapshot as `before`, with the rows of these changes read again. Costs about 100 us plus the changed rows, however
 * many businesses and keys there are. */
CHECKED enum err access_update(struct db *db, const uint8_t secrets_key[32], const struct access_snapshot *before,
                               const struct access_change *changes, size_t count,
                               struct access_snapshot **ret_snapshot);
struct access_snapshot *access_ref(struct access_snapshot *s);
void access_unref(struct access_snapshot *s); /* NULL is fine; the last one frees it and wipes the secrets */
/* The live key with this text, or NULL. The time it takes does not depend on how much of the text is right. */
const struct access_key *access_find_key(const struct access_snapshot *s, struct str token);
/* True about once an hour for each key: the caller writes the time of this use. */
bool access_key_note_use(const struct access_key *key, int64_t now);
const struct access_business *access_find_business(const struct access_snapshot *s, int64_t business_id);
/* How many days the business keeps its recordings; 0: for ever. default_days: RETENTION_DAYS. */
int64_t access_retention_days(const struct access_snapshot *s, int64_t business_id, int64_t default_days);
/* Whether a business that the snapshot lacks may have been made a moment ago: its id is near those that were given last. */
bool access_business_may_be_new(const struct access_snapshot *s, int64_t business_id);
size_t access_business_count(const struct access_snapshot *s);
