/* signed_url.h - URLs that let their holder play one recording for a while, without any other credential.
 *
 *   signed_url_load_key(db, secrets_key, conf->url_signing_key, &key);                   once, at start
 *   signed_url_write(&key, base, business, sid, 600, now_ms, &buf, &expires_at_ms);
 *   if (signed_url_present(query)) e = signed_url_verify(&key, sid, query, now_ms, &bearer);
 *
 * {base}/api/recordings/{RE}/stream?b={business}&exp={seconds since 1970}&sig={base64url}: the query is good for GET
 * and HEAD of stream, file, download and waveform of that recording in that business, and for nothing else; the path is
 * for the caller to judge, as is whether the business is still there. Other parameters may stand beside it. Thread
 * rule: a key that is loaded may be used by any thread; loading is the connection's. */
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

/* Who comes with one. */
struct signed_url_bearer {
  int64_t business_id;
  int64_t expires_at_ms;
  char subject[SIGNED_URL_SUBJECT_SIZE]; /* "url:0123abcd": which URL it is, for logs; tells nothing of the signature */
};

/* configured: URL_SIGNING_KEY, or NULL: then the key of this installation, which is made and sealed into the settings
 * where there is none yet (all processes agree on one). Begins a transaction of its own if it must make one.
 * ERR_INVALID: the configured key is too short; ERR_CORRUPT: sealed with another SECRETS_KEY. */
CHECKED enum err signed_url_load_key(struct db *db, const uint8_t secrets_key[SECRET_KEY_SIZE], const char *configured,
                                     struct hmac_key *ret_key);

/* Appends the whole URL, or path where base has no origin. base: what stands before "/api", "" for none. ERR_INVALID:
 * ttl_s is not within 1 … SIGNED_URL_TTL_MAX_S, or the business or the SID is none. Nothing is appended on failure. */
CHECKED enum err signed_url_write(const struct hmac_key *key, struct str base, int64_t business_id,
                                  struct str recording_sid, int64_t ttl_s, int64_t now_ms, struct buf *b,
                                  int64_t *ret_expires_at_ms);

/* True if the raw query claims to be one: it alone decides then. */
bool signed_url_present(struct str query);
/* ERR_DENIED: altered, late, or of another recording. The time depends on the lengths only, not on how much is right.
 * */
CHECKED enum err signed_url_verify(const struct hmac_key *key, struct str recording_sid, struct str query,
                                   int64_t now_ms, struct signed_url_bearer *ret_bearer);
