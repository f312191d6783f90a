/* urls.h - the table `urls`: signed URLs in force. A URL without a row was revoked, or has expired.
 *
 * Times are UNIX milliseconds. Thread rule: the connection's. Writes need a transaction; ends add to `changes`. */
#pragma once

#include "db/db.h"
#include "ledger/recordings.h"
#include "ledger/sessions.h"

enum {
  URL_ID_SIZE = 16 + 1,
  URL_MADE_BY_SIZE = 256,
  URLS_PER_BUSINESS_MAX = 100000,
  URLS_TRIM_MAX = 200, /* a trigger counts each: two rows of DB_JOB_ROWS */
  URL_LIVES_MAX_MS = 86400 * 1000,
};

struct url {
  char url_id[URL_ID_SIZE]; /* 16 hexadecimal digits */
  int64_t business_id;
  char recording_sid[SID_SIZE];
  char made_by[URL_MADE_BY_SIZE]; /* key:ID, user:SUB */
  int64_t key_id;                 /* the API key that signed it, and with which it ends; 0: none */
  int64_t made_at, expires_at;
};

/* Sets a new url_id and made_at. ERR_BUSY: the business has URLS_PER_BUSINESS_MAX in force; ERR_NOT_FOUND: no such business,
 * or it is removed. */
CHECKED enum err urls_add(struct db *db, struct url *url);
/* The access that the URL grants, as a viewer's session until the URL or its key expires. ERR_NOT_FOUND: it or its key was
 * revoked or has expired, or its business is removed. */
CHECKED enum err urls_find(struct db *db, struct str url_id, int64_t now, struct session *ret_session);
/* Calls fn with at most limit URLs in force of a business, the newest first, after the one at (made_at, url_id); made_at
 * INT64_MAX: from the newest. */
typedef enum err urls_each_fn(void *arg, const struct url *url);
CHECKED enum err urls_each(struct db *db, int64_t business_id, int64_t now, int64_t made_at, struct str url_id,
                           int limit, urls_each_fn *fn, void *arg);
/* Ends one URL. business_id 0: of any business. ERR_NOT_FOUND. */
CHECKED enum err urls_end(struct db *db, int64_t business_id, struct str url_id, int64_t *ret_business_id);
/* Ends all URLs of a business that were made until now. Writes one row, however many there are. */
CHECKED enum err urls_end_all(struct db *db, int64_t business_id);
/* Deletes at most URLS_TRIM_MAX expired URLs. *ret_more: there may be more. */
CHECKED enum err urls_trim(struct db *db, int64_t now, bool *ret_more);
/* The digest under which caches keep a URL, and which a CHANGE_SESSION of it has in hexadecimal. */
void url_digest(struct str url_id, uint8_t ret_digest[SHA256_SIZE]);
