/* signed_url.h - URLs that let their holder play one recording for a while, without any other credential.
 *
 *   signed_url_load_key(db, secrets_key, conf->url_signing_key, &key);                   once, at start
 *   expires_at = signed_url_expiry(600, now_ms);  …add the row, which has an id…
 *   signed_url_write(&key, base, business, sid, id, expires_at, &buf);
 *   if (signed_url_present(query)) e = signed_url_verify(&key, sid, query, now_ms, &bearer);
 *
 * {base}/api/recordings/{RE}/stream?b={business}&exp={seconds since 1970}&id={url_id}&sig={base64url}: the query allows GET and
 * HEAD of stream, file, download, waveform and card of that recording in that business, and nothing else. The caller checks
 * the path, that the business still exists, and that the URL was not revoked (ledger/urls.h). A URL of a release that gave
 * none an id is still valid until it expires, a day at most. The query may have other parameters as well.
 * Thread rule: any thread may use a loaded key; signed_url_load_key belongs to the connection's thread. */
#pragma once

#include "base/hmac.h"
#include "db/db.h"

enum {
  SIGNED_URL_TTL_MAX_S = 86400,
  SIGNED_URL_TTL_DEFAULT_S = 600,
  SIGNED_URL_SID_MAX = 64,
  SIGNED_URL_KEY_MIN = 16, /* bytes of URL_SIGNING_KEY */
  SIGNED_URL_ID_SIZE = 16 + 1,
  SIGNED_URL_SUBJECT_SIZE = 4 + 16 + 1,
};

/* The access that a valid signed URL grants. */
struct signed_url_bearer {
  int64_t business_id;
  int64_t expires_at_ms;
  char id[SIGNED_URL_ID_SIZE];           /* of its row; "": it has none */
  char subject[SIGNED_URL_SUBJECT_SIZE]; /* "url:{id}" names the URL in logs; does not reveal the signature */
};

/* configured: URL_SIGNING_KEY, or NULL for the installation's own key in the settings. If there is none yet, makes one
 * in a transaction of its own and stores it encrypted; all processes use the same one. ERR_INVALID: the configured key
 * is too short; ERR_CORRUPT: the stored key was encrypted with another SECRETS_KEY. */
CHECKED enum err signed_url_load_key(struct db *db, const uint8_t secrets_key[SECRET_KEY_SIZE], const char *configured,
                                     struct hmac_key *ret_key);

/* The second key of URL_SIGNING_KEY ("new,old"), which verifies and signs nothing. False: there is none. */
bool signed_url_older_key(const char *configured, struct hmac_key *ret_key);
/* When a URL of ttl_s seconds expires: whole seconds, rounded up. */
int64_t signed_url_expiry(int64_t ttl_s, int64_t now_ms);
/* Appends the URL. base: the text before "/api": an origin, a path, or "". expires_at_ms: of signed_url_expiry.
 * ERR_INVALID: the business, the SID or the id is not valid. Nothing is appended on failure. */
CHECKED enum err signed_url_write(const struct hmac_key *key, struct str base, int64_t business_id,
                                  struct str recording_sid, struct str id, int64_t expires_at_ms, struct buf *b);

/* True if the raw query has a signature. Then it alone decides, also if the request has other credentials. */
bool signed_url_present(struct str query);
/* ERR_DENIED: altered, expired, or for another recording. The time it takes depends on the lengths only, not on how
 * much of the signature is right. */
CHECKED enum err signed_url_verify(const struct hmac_key *key, struct str recording_sid, struct str query,
                                   int64_t now_ms, struct signed_url_bearer *ret_bearer);
