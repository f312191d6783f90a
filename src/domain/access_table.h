/* access_table.h - for access.c only: a hash table whose copies share the shards that are equal.
 *
 *   access_table_share(&before, &table);                 copies the list of shards, not their entries
 *   access_table_remove(&table, hash, is_it, id);  access_table_add(&table, hash, tag, item);      copies one shard
 *   for all entries of access_shard_of(&table, hash) with that tag: …
 *
 * Thread rule: only the thread that builds a table changes it. After it was handed out no thread changes it, and any
 * thread may read it. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { ACCESS_SHARDS = 4096 };

struct access_item {
  atomic_size_t references; /* of shards */
};

struct access_entry {
  uint64_t tag; /* compared first, so that most other items need not be read */
  struct access_item *item;
};

struct access_shard {
  atomic_size_t references; /* of tables */
  size_t count, room;
  struct access_entry entries[];
};

struct access_table {
  size_t count, max;
  void (*free_item)(struct access_item *item);
  struct access_shard *shards[ACCESS_SHARDS]; /* NULL: an empty shard */
};

void access_table_init(struct access_table *t, size_t max, void (*free_item)(struct access_item *item));
void access_table_done(struct access_table *t);
/* Makes table a copy of from. table must be as access_table_init left it. */
void access_table_share(const struct access_table *from, struct access_table *table);
/* Takes the item over and frees it on failure. ERR_TOO_BIG: the table has max items; ERR_NOMEM. */
CHECKED enum err access_table_add(struct access_table *t, uint64_t hash, uint64_t tag, struct access_item *item);
/* Removes the item for which is_it(item, id) is true from the hash's shard; OK if there is none. ERR_NOMEM. */
CHECKED enum err access_table_remove(struct access_table *t, uint64_t hash,
                                     bool (*is_it)(const struct access_item *item, int64_t id), int64_t id);
/* The shard that holds items with this hash; NULL: none. */
static inline const struct access_shard *access_shard_of(const struct access_table *t, uint64_t hash) {
  return t->shards[hash % ACCESS_SHARDS];
}
