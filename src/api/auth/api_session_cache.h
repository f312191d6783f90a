/* api_session_cache.h - sessions that a loop has seen: one table a loop, so that a cookie is judged without SQL or lock.
 *
 *   session_token_digest(token, digest);
 *   if (!session_cache_find(t, versions, digest, &session, &version)) … look in the ledger …
 *   session_cache_put(t, digest, version, &session);
 *
 * A session is good for the version that was read before it was looked for: whatever may have ended it (itself, its key, its
 * business) makes a new one. Whether it has expired is the finder's to see. Thread rule: a table is its loop's; versions are
 * any thread's. */
#pragma once

#include "domain/cache_version.h"
#include "ledger/sessions.h"

struct session_cache;

CHECKED enum err session_cache_new(struct session_cache **ret_signed_in);
struct session_cache *session_cache_free(struct session_cache *t); /* NULL is fine; always NULL */
bool session_cache_find(const struct session_cache *t, const struct cache_versions *versions,
                        const uint8_t digest[SHA256_SIZE], struct session *ret_session, uint64_t *ret_version);
/* Of those that share a place the older goes. */
void session_cache_put(struct session_cache *t, const uint8_t digest[SHA256_SIZE], uint64_t version,
                       const struct session *session);

void session_token_digest(struct str token, uint8_t ret_digest[SHA256_SIZE]);
/* Of a session that key_id (0: none) opened in a business. */
uint64_t session_version(const struct cache_versions *v, const uint8_t digest[SHA256_SIZE], int64_t key_id,
                         int64_t business_id);
/* digest: as a CHANGE_SESSION has it, in hexadecimal; what is none means all sessions of the business. */
void session_changed(struct cache_versions *v, int64_t business_id, struct str digest);
