/* api_known_keys.h - the keys that a loop's requests came with lately, by the text of their header: who comes again is
 * known by one comparison, without a hash.
 *
 *   const struct access_key *key = known_keys_find(k, authorization);
 *   if (!key) … judge it …  known_keys_put(k, authorization, key);
 *
 * What is kept is of one snapshot of access: known_keys_forget before that is let go. Thread rule: a table is its loop's. */
#pragma once

#include "domain/access.h"

struct known_keys;

CHECKED enum err known_keys_new(struct known_keys **ret_known_keys);
struct known_keys *known_keys_free(struct known_keys *k); /* wipes; NULL is fine; always NULL */
/* NULL: not known, which says nothing. */
const struct access_key *known_keys_find(const struct known_keys *k, struct str authorization);
/* A key that was found good, with its business. One that shares its place goes. */
void known_keys_put(struct known_keys *k, struct str authorization, const struct access_key *key);
void known_keys_forget(struct known_keys *k);
