/* signed_url.h - URLs that let their holder play one recording for a while, without any other credential.
 *
 *   signed_url_load_key(db, secrets_key, conf->url_signing_key, &key);                   once, at start
 *   signed_url_write(&key, base, business, sid, 600, now_ms, &buf, &expires_at_ms);
 *   if (signed_url_present(query)) e = signed_url_verify(&key, sid, query, now_ms, &bearer);
 *
 * {base}/api/recordings/{RE}/stream?b={business}&exp={seconds since 1970}&sig={base64url}: the query allows GET and
 * HEAD of stream, file, download and waveform of that recording in that business, and nothing else. The caller checks
 * the path, and that the business still exists. The query may have other parameters as well.
 * Thread rule: any thread may use a loaded key; signed_url_load_key belongs to the connection's thread. */
#pragma once

#include "base/hmac.h"
#include "db/db.h"

enum {
  SIGNED_URL_TTL_MAX_S = 86400,
  SIGNED_URL_TTL_DEFAULT_S = 600,
  SIGNED_URL_SID_MAX = 64,
  SIGNED_URL_KEY_MIN = 16, /* bytes of URL_SIGNING_KEY */
  SIGNED_URL_SUBJECT_SIZE = 4 + 8 + 1,
};

/* What a valid signed URL grants. */
struct signed_url_bearer {
  int64_t business_id;
  int64_t expires_at_ms;
  char subject[SIGNED_URL_SUBJECT_SIZE]; /* "url:0123abcd" names the URL in logs; does not reveal the signature */
};

/* configured: URL_SIGNING_KEY, or NULL for the installation's own key in the settings. If there is none yet, makes one
 * in a transaction of its own and stores it encrypted; all processes use the same one. ERR_INVALID: the configured key
 * is too short; ERR_CORRUPT: the stored key was encrypted with another SECRETS_KEY. */
CHECKED enum err signed_url_load_key(struct db *db, const uint8_t secrets_key[SECRET_KEY_SIZE], const char *configured,
                                     struct hmac_key *ret_key);

/* Appends the URL. base: what stands before "/api": an origin, a path, or "". ERR_INVALID: ttl_s is not within
 * 1 … SIGNED_URL_TTL_MAX_S, or the business or the SID is not valid. Nothing is appended on failure. */
CHECKED enum err signed_url_write(const struct hmac_key *key, struct str base, int64_t business_id,
                                  struct str recording_sid, int64_t ttl_s, int64_t now_ms, struct buf *b,
                                  int64_t *ret_expires_at_ms);

/* True if the raw query has a signature. Then it alone decides, whatever other credentials the request has. */
bool signed_url_present(struct str query);
/* ERR_DENIED: altered, expired, or for another recording. The time it takes depends on the lengths only, not on how
 * much of the signature is right. */
CHECKED enum err signed_url_verify(const struct hmac_key *key, struct str recording_sid, struct str query,
                                   int64_t now_ms, struct signed_url_bearer *ret_bearer);
