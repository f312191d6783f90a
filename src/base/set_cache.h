/* set_cache.h - a set-associative cache of fixed size: a key of bytes finds a value of fixed size.
 *
 *   static const struct set_cache_sizes sizes = {.sets = 256, .ways = 2, .key_max = 32, .value_size = sizeof(struct item)};
 *   TRY(set_cache_new(&sizes, &cache));
 *   struct item *item = set_cache_find(cache, key);      NULL: not cached
 *   item = set_cache_put(cache, key);  if (item) *item = …;
 *
 * A key belongs to one set of `ways` places; when all are taken, the one that was used least recently is replaced. Whether a
 * value is still good is the caller's to check. Keys are hashed under a random seed, so clients can't force collisions, and
 * compared in constant time, so a key may be a secret.
 * Thread rule: one user at a time: it belongs to one loop, or is used under a lock. */
#pragma once

#include "base/err.h"
#include "base/str.h"

struct set_cache;

struct set_cache_sizes {
  size_t sets; /* a power of 2 */
  size_t ways;
  size_t key_max; /* bytes */
  size_t value_size;
};

/* One allocation; pages that are never used are never touched. ERR_NOMEM, ERR_IO (no random bytes). */
CHECKED enum err set_cache_new(const struct set_cache_sizes *sizes, struct set_cache **ret_cache);
struct set_cache *set_cache_free(struct set_cache *c); /* does not wipe; NULL is fine; always NULL */
/* The value of the key, aligned to 8 bytes and valid until the next put or forget; NULL if it is not cached. */
void *set_cache_find(struct set_cache *c, struct str key);
/* The place for the key's value: its own with the value that it has; else one of its set, zeroed. NULL: the key is empty or
 * longer than key_max, and is not cached. */
void *set_cache_put(struct set_cache *c, struct str key);
/* Forgets everything and wipes it. */
void set_cache_forget(struct set_cache *c);
