/* api_signed_in.h - sessions that a loop has seen: one table a loop, so that a cookie is judged without SQL or lock.
 *
 *   session_token_digest(token, digest);   uint64_t version = session_version(&api->sessions, digest);
 *   if (!signed_in_find(t, digest, version, &session)) … look in the ledger …  signed_in_put(t, digest, version, &session);
 *
 * A session is good for the version that was read before it was looked for: whatever may have ended it makes a new one.
 * Whether it has expired is the finder's to see. Thread rule: a table is its loop's; versions are any thread's. */
#pragma once

#include <stdatomic.h>

#include "ledger/sessions.h"

struct signed_in;

CHECKED enum err signed_in_new(struct signed_in **ret_signed_in);
struct signed_in *signed_in_free(struct signed_in *t); /* NULL is fine; always NULL */
bool signed_in_find(const struct signed_in *t, const uint8_t digest[SHA256_SIZE], uint64_t version,
                    struct session *ret_session);
/* Of those that share a place the older goes. */
void signed_in_put(struct signed_in *t, const uint8_t digest[SHA256_SIZE], uint64_t version,
                   const struct session *session);

enum { SESSION_VERSIONS = 4096 }; /* sessions that are so many apart share one */

struct session_versions {
  atomic_uint_least64_t all;
  atomic_uint_least64_t each[SESSION_VERSIONS];
};

void session_token_digest(struct str token, uint8_t ret_digest[SHA256_SIZE]);
uint64_t session_version(const struct session_versions *v, const uint8_t digest[SHA256_SIZE]);
/* digest: as a CHANGE_SESSION has it, in hexadecimal; what is none means all. */
void session_changed(struct session_versions *v, struct str digest);
