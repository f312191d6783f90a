/* businesses.h - the table `businesses`: tenants, their credentials at the provider and their numbers.
 *
 *   struct business b CLEANUP(business_done) = {0};
 *   TRY(businesses_get(db, secrets_key, id, &b));
 *
 * Secrets are sealed in the database, each bound to its row and column. A removed business keeps its row, so that its id is
 * never given again. Thread rule: the connection's; writing inside a transaction, with a row in `changes`. */
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
};

struct business {
  int64_t business_id;
  char name[BUSINESS_NAME_SIZE];
  char account_sid[BUSINESS_SID_SIZE];  /* texts are "" where there is none */
  char tokens[2][BUSINESS_SECRET_SIZE]; /* auth tokens; the first is ours, a second during a rotation */
  char api_key[BUSINESS_SID_SIZE];
  char api_secret[BUSINESS_SECRET_SIZE];
  char base_url[BUSINESS_URL_SIZE];
  char (*numbers)[BUSINESS_NUMBER_SIZE]; /* owned; E.164, sorted */
  size_t number_count;
  bool has_token, has_api_secret; /* also where secrets were not asked for */
  int64_t credentials_version;    /* grows when credentials or base_url change */
  int64_t auth_failed_at;         /* 0: they were not refused */
  int64_t created_at;
  int64_t removed_at; /* 0: it is live */
};
void business_done(struct business *b); /* wipes the secrets */

/* What to write: NULL leaves a column as it is, an empty view clears it. */
struct business_edit {
  const struct str *name;
  const struct str *account_sid;
  const struct str *tokens; /* two views; the second may be empty */
  const struct str *api_key, *api_secret;
  const struct str *base_url;
  const struct str *numbers; /* number_count of them take the place of all; may be NULL with set_numbers */
  size_t number_count;
  bool set_numbers;
};

/* id 0 takes the next. ERR_INVALID: no name, a text over its size or no UTF-8, a number that is no E.164; ERR_TOO_BIG: too many
 * numbers; ERR_EXISTS: the id is, or once was, another's. */
CHECKED enum err businesses_add(struct db *db, const uint8_t secrets_key[SECRET_KEY_SIZE], int64_t id,
                                const struct business_edit *edit, int64_t *ret_id);
/* Writes what differs from what is there, nothing if nothing does. *ret_new_credentials: then what had failed for them is to
 * be released; that they were refused is forgotten here. ERR_NOT_FOUND for one that is removed, too. */
CHECKED enum err businesses_set(struct db *db, const uint8_t secrets_key[SECRET_KEY_SIZE], int64_t id,
                                const struct business_edit *edit, bool *ret_new_credentials);
/* secrets_key NULL: without the secrets. ERR_NOT_FOUND for one that is removed; ERR_CORRUPT: a secret can't be opened. */
CHECKED enum err businesses_get(struct db *db, const uint8_t *secrets_key, int64_t id, struct business *ret_business);
typedef enum err businesses_each_fn(void *arg, const struct business *business);
/* In order of id, those not purged; fn's business is gone when it returns. */
CHECKED enum err businesses_each(struct db *db, const uint8_t *secrets_key, bool removed_too, businesses_each_fn *fn,
                                 void *arg);
/* The next id after that one, removed and purged ones too. ERR_NOT_FOUND: that was the last. */
CHECKED enum err businesses_next(struct db *db, int64_t after, int64_t *ret_id);
/* The live one of that account with the lowest id. ERR_NOT_FOUND. */
CHECKED enum err businesses_find_account(struct db *db, struct str account_sid, int64_t *ret_id);
/* Ends it: its keys, sessions and links too. Its calls and recordings stay. ERR_NOT_FOUND. */
CHECKED enum err businesses_remove(struct db *db, int64_t id);
/* Deletes calls and recordings of a removed business, at most limit rows; when none is left, all but its id too.
 * *ret_left: call again, in a transaction of its own. ERR_CONFLICT: it is not removed; ERR_NOT_FOUND. */
CHECKED enum err businesses_purge(struct db *db, int64_t id, int limit, bool *ret_left);
