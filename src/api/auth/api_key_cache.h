/* api_key_cache.h - where a loop remembers API keys: by the text of the Authorization header, so that a key that comes again
 * is recognised without hashing it with SHA-256.
 *
 *   const struct access_key *key = key_cache_find(k, authorization);
 *   if (!key) … judge it …  key_cache_put(k, authorization, key);
 *
 * Its keys point into one snapshot of access: call key_cache_forget before that is released.
 * Thread rule: each belongs to one loop. */
#pragma once

#include "domain/access.h"

struct key_cache;

CHECKED enum err key_cache_new(struct key_cache **ret_cache);
struct key_cache *key_cache_free(struct key_cache *k); /* wipes; NULL is fine; always NULL */
/* NULL: not cached, which does not mean that the key is bad. */
const struct access_key *key_cache_find(struct key_cache *k, struct str authorization);
/* key: found good, and its business exists. */
void key_cache_put(struct key_cache *k, struct str authorization, const struct access_key *key);
/* Forgets all keys and wipes their texts. */
void key_cache_forget(struct key_cache *k);
