/* api_key_cache.h - the keys that a loop's requests came with lately, by the text of their header: who comes again is
 * known by one comparison, without a hash.
 *
 *   const struct access_key *key = key_cache_find(k, authorization);
 *   if (!key) … judge it …  key_cache_put(k, authorization, key);
 *
 * What is kept is of one snapshot of access: key_cache_forget before that is let go. Thread rule: a table is its loop's. */
#pragma once

#include "domain/access.h"

struct key_cache;

CHECKED enum err key_cache_new(struct key_cache **ret_known_keys);
struct key_cache *key_cache_free(struct key_cache *k); /* wipes; NULL is fine; always NULL */
/* NULL: not known, which says nothing. */
const struct access_key *key_cache_find(const struct key_cache *k, struct str authorization);
/* A key that was found good, with its business. One that shares its place goes. */
void key_cache_put(struct key_cache *k, struct str authorization, const struct access_key *key);
void key_cache_forget(struct key_cache *k);
