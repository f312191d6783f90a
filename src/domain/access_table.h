/* access_table.h - for access.c alone: a hash table of which copies share what they have in common.
 *
 *   access_table_share(&before, &table);                 costs the list of shards, nothing of what is in them
 *   access_table_remove(&table, hash, is_it, id);  access_table_add(&table, hash, tag, item);      costs one shard
 *   for all entries of access_shard_of(&table, hash) with that tag: …
 *
 * Thread rule: who makes a table changes it until it is handed out; from then on nobody does, and any thread finds in
 * it. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { ACCESS_SHARDS = 4096 };

struct access_item {
  atomic_size_t references; /* shards that have it */
};

struct access_entry {
  uint64_t tag; /* so that most of the others need not be looked at */
  struct access_item *item;
};

struct access_shard {
  atomic_size_t references; /* tables that have it */
  size_t count, room;
  struct access_entry entries[];
};

struct access_table {
  size_t count, max;
  void (*free_item)(struct access_item *item);
  struct access_shard *shards[ACCESS_SHARDS]; /* NULL: an empty one */
};

void access_table_init(struct access_table *t, size_t max, void (*free_item)(struct access_item *item));
void access_table_done(struct access_table *t);
/* table: as access_table_init left it. */
void access_table_share(const struct access_table *from, struct access_table *table);
/* The item is the table's, also when it fails. ERR_TOO_BIG, ERR_NOMEM. */
CHECKED enum err access_table_add(struct access_table *t, uint64_t hash, uint64_t tag, struct access_item *item);
/* What is_it says yes to, of the shard of that hash; none is fine. ERR_NOMEM. */
CHECKED enum err access_table_remove(struct access_table *t, uint64_t hash,
                                     bool (*is_it)(const struct access_item *item, int64_t id), int64_t id);
static inline const struct access_shard *access_shard_of(const struct access_table *t, uint64_t hash) {
  return t->shards[hash % ACCESS_SHARDS];
}
