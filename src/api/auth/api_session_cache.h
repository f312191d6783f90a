/* api_session_cache.h - where a loop remembers sessions, so that a cookie is checked without SQL or a lock.
 *
 *   session_token_digest(token, digest);
 *   if (!session_cache_find(c, versions, digest, &session, &version)) … read it: api_session_lookup.h …
 *   session_cache_put(c, digest, version, &session);
 *
 * A session is good for the version that was read before the session was: whatever may end it (itself, its key, its
 * business) makes a newer version. The caller checks whether it has expired.
 * Thread rule: a cache belongs to one loop; functions of versions may be called on any thread. */
#pragma once

#include "domain/cache_version.h"
#include "ledger/sessions.h"

struct session_cache;

CHECKED enum err session_cache_new(struct session_cache **ret_cache);
struct session_cache *session_cache_free(struct session_cache *c); /* NULL is fine; always NULL */
bool session_cache_find(struct session_cache *c, const struct cache_versions *versions,
                        const uint8_t digest[SHA256_SIZE], struct session *ret_session, uint64_t *ret_version);
void session_cache_put(struct session_cache *c, const uint8_t digest[SHA256_SIZE], uint64_t version,
                       const struct session *session);

void session_token_digest(struct str token, uint8_t ret_digest[SHA256_SIZE]);
/* Tells sessions and signed URLs, each by its digest. Never 0. */
uint64_t session_number(const uint8_t digest[SHA256_SIZE]);
/* Reads a digest in hexadecimal, as a CHANGE_SESSION has it. False: it is none. */
CHECKED bool session_digest_read(struct str text, uint8_t ret_digest[SHA256_SIZE]);
/* The version of a session that key_id (0: none) opened in a business. */
uint64_t session_version(const struct cache_versions *v, const uint8_t digest[SHA256_SIZE], int64_t key_id,
                         int64_t business_id);
/* A session ended. digest: in hexadecimal, as a CHANGE_SESSION has it; if it is no digest, all sessions of the business did. */
void session_changed(struct cache_versions *v, int64_t business_id, struct str digest);
