/* businesses.h - the table `businesses`: tenants, their credentials at the provider and their numbers.
 *
 *   struct business b CLEANUP(business_done) = {0};
 *   TRY(businesses_get(db, secrets_key, id, &b));
 *
 * Secrets are sealed in the database, each bound to its row and column. A removed business keeps its row, so its id is never
 * reused. Times are UNIX milliseconds. Thread rule: the connection's. Writes need a transaction; they add to `changes`. */
#pragma once

#include "base/secret.h"
#include "db/db.h"

enum {
  BUSINESS_NAME_SIZE = 201,
  BUSINESS_SID_SIZE = 65,
  BUSINESS_SECRET_SIZE = 257,
  BUSINESS_URL_SIZE = 513,
  BUSINESS_NUMBER_SIZE = 17,
  BUSINESS_NUMBERS_MAX = 1000,
  BUSINESS_DAYS_MAX = 36500,
};

struct business {
  int64_t business_id;
  char name[BUSINESS_NAME_SIZE];
  char account_sid[BUSINESS_SID_SIZE];  /* "": none; so for all texts */
  char tokens[2][BUSINESS_SECRET_SIZE]; /* auth tokens: the current one, and another during a rotation */
  char api_key[BUSINESS_SID_SIZE];
  char api_secret[BUSINESS_SECRET_SIZE];
  char base_url[BUSINESS_URL_SIZE];
  char (*numbers)[BUSINESS_NUMBER_SIZE]; /* owned; E.164, sorted */
  size_t number_count;
  bool has_token, has_api_secret; /* set even if the secrets were not read */
  int64_t credentials_version;    /* grows when the credentials or base_url change */
  int64_t auth_failed_at;         /* when the provider refused the credentials; 0: it did not */
  int64_t retention_days;         /* 0: for ever; -1: RETENTION_DAYS */
  int64_t metadata_days;          /* days after which calls are removed with all that is known of them; 0: never */
  int64_t created_at;
  int64_t removed_at; /* 0: not removed */
};
void business_done(struct business *b); /* wipes the secrets */

/* Columns to write: NULL keeps a column, an empty view clears it. */
struct business_edit {
  const struct str *name;
  const struct str *account_sid;
  const struct str *tokens; /* array of two views; the second may be empty */
  const struct str *api_key, *api_secret;
  const struct str *base_url;
  bool set_retention;     /* writes retention_days; 0 and -1 as in struct business */
  int64_t retention_days; /* at most BUSINESS_DAYS_MAX */
  bool set_metadata;      /* writes metadata_days */
  int64_t metadata_days;  /* at most BUSINESS_DAYS_MAX */
  /* of transcripts (businesses_speech.h); an empty view: as the settings say */
  const struct str *transcribe; /* all, asked, never */
  const struct str *language;
  const struct str *vocabulary;
  const struct str *numbers; /* with set_numbers: replaces all numbers; NULL with number_count 0 */
  size_t number_count;
  bool set_numbers;
};

/* Writes {"fields":["name","retention"],"retention_days":30}: the changes of an edit, for the audit. Numbers and secrets are only
 * named. */
CHECKED enum err business_edit_write(struct buf *b, const struct business_edit *edit);
/* Whether the number is one of the business's own. */
CHECKED enum err businesses_has_number(struct db *db, int64_t id, struct str number, bool *ret_has);

/* Adds a business; id 0: the next free id. ERR_INVALID: no name, a text that is too long or not UTF-8, a number that is not
 * E.164; ERR_TOO_BIG: too many numbers; ERR_EXISTS: the id is or was in use. */
CHECKED enum err businesses_add(struct db *db, const uint8_t secrets_key[SECRET_KEY_SIZE], int64_t id,
                                const struct business_edit *edit, int64_t *ret_id);
/* Writes the columns that differ. If the credentials changed, it restarts a stopped account and sets *ret_new_credentials: the
 * caller must release recordings that failed for the old credentials. ERR_NOT_FOUND: no such business, or it is removed. */
CHECKED enum err businesses_set(struct db *db, const uint8_t secrets_key[SECRET_KEY_SIZE], int64_t id,
                                const struct business_edit *edit, bool *ret_new_credentials);
/* secrets_key NULL: leaves out the secrets. The caller calls business_done. ERR_NOT_FOUND: no such business, or it is removed;
 * ERR_CORRUPT: a secret can't be decrypted. */
CHECKED enum err businesses_get(struct db *db, const uint8_t *secrets_key, int64_t id, struct business *ret_business);
typedef enum err businesses_each_fn(void *arg, const struct business *business);
/* Calls fn with each business that is not purged, in order of id. The business is valid during the call only. */
CHECKED enum err businesses_each(struct db *db, const uint8_t *secrets_key, bool removed_too, businesses_each_fn *fn,
                                 void *arg);
/* Seals again those secrets of at most BUSINESSES_RESEAL_MAX businesses after *after that only the older key opens
 * (secret_set_older_key).
 * *after: where the next part begins. *resealed grows by the businesses that were written. Adds no change. */
enum { BUSINESSES_RESEAL_MAX = 100 };
CHECKED enum err businesses_reseal(struct db *db, const uint8_t secrets_key[SECRET_KEY_SIZE], int64_t *after,
                                   int64_t *resealed, bool *ret_more);
/* The smallest id greater than `after`, including removed and purged businesses. ERR_NOT_FOUND: there is none. */
CHECKED enum err businesses_next(struct db *db, int64_t after, int64_t *ret_id);
/* The next business after `after` that keeps its recordings for a time, and for how many days; purged ones are passed over.
 * default_days: RETENTION_DAYS, of those without days of their own; 0: for ever. ERR_NOT_FOUND: there is none. */
CHECKED enum err businesses_next_retention(struct db *db, int64_t after, int64_t default_days, int64_t *ret_id,
                                           int64_t *ret_days);
/* The same of businesses whose calls go. *ret_days: as many as its recordings are kept, at least; 0: its recordings are kept for
 * ever, and so are its calls. */
CHECKED enum err businesses_next_metadata(struct db *db, int64_t after, int64_t default_days, int64_t *ret_id,
                                          int64_t *ret_days);
/* The business with that account that is not removed and has the lowest id. ERR_NOT_FOUND. */
CHECKED enum err businesses_find_account(struct db *db, struct str account_sid, int64_t *ret_id);
/* Removes a business and ends its keys, sessions and links. Its calls and recordings stay. If it has many keys, the caller
 * continues with keys_revoke_some: none of them opens anything, but they are not marked as revoked yet. ERR_NOT_FOUND. */
CHECKED enum err businesses_remove(struct db *db, int64_t id);
/* A step of a purge touches at most so many rows: a call has a document, facets and 20 tags. */
enum { BUSINESSES_PURGE_STEP = 10, BUSINESSES_PURGE_ROWS = 300 };
/* Deletes at most limit calls and recordings of a removed business, and at the end everything but its id. *ret_left: call it
 * again, in another transaction. ERR_CONFLICT: the business is not removed; ERR_NOT_FOUND: no such business, or it is purged. */
CHECKED enum err businesses_purge(struct db *db, int64_t id, int limit, bool *ret_left);
