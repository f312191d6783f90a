/* access_table.c - see access_table.h.
 *
 * Invariants
 *  (1) A shard that belongs to more than one table is never changed; own_shard makes a copy first.
 *  (2) An item is freed with the last shard that holds it, and a shard with the last table. */
#include "domain/access_table.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM_AT_FIRST = 2 };

void access_table_init(struct access_table *t, size_t max, void (*free_item)(struct access_item *item)) {
  memset(t, 0, sizeof(*t));
  t->max = max;
  t->free_item = free_item;
}

static void item_unref(const struct access_table *t, struct access_item *item) {
  if (atomic_fetch_sub_explicit(&item->references, 1, memory_order_acq_rel) == 1) t->free_item(item);
}

/* (2) */
static void shard_unref(const struct access_table *t, struct access_shard *s) {
  if (!s || atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) != 1) return;
  for (size_t i = 0; i < s->count; i++) item_unref(t, s->entries[i].item);
  free(s);
}

void access_table_done(struct access_table *t) {
  for (size_t i = 0; i < ACCESS_SHARDS; i++) shard_unref(t, t->shards[i]);
}

void access_table_share(const struct access_table *from, struct access_table *table) {
  table->count = from->count;
  for (size_t i = 0; i < ACCESS_SHARDS; i++) {
    struct access_shard *s = from->shards[i];
    if (s) atomic_fetch_add_explicit(&s->references, 1, memory_order_relaxed);
    table->shards[i] = s;
  }
}

/* s if it belongs to this table only and has the room, else a copy that has (1). NULL: no memory. */
static struct access_shard *own_shard(const struct access_table *t, struct access_shard *s, size_t room) {
  size_t count = s ? s->count : 0;
  if (s && atomic_load_explicit(&s->references, memory_order_acquire) == 1 && s->room >= room) return s;
  struct access_shard *own = malloc(sizeof(*own) + room * sizeof(own->entries[0]));
  if (!own) return NULL;
  atomic_init(&own->references, 1);
  own->count = count;
  own->room = room;
  for (size_t i = 0; i < count; i++) {
    own->entries[i] = s->entries[i];
    atomic_fetch_add_explicit(&own->entries[i].item->references, 1, memory_order_relaxed);
  }
  shard_unref(t, s);
  return own;
}

static size_t room_for_one_more(const struct access_shard *s) {
  if (!s) return ROOM_AT_FIRST;
  return s->count < s->room ? s->room : s->room * 2;
}

enum err access_table_add(struct access_table *t, uint64_t hash, uint64_t tag, struct access_item *item) {
  struct access_shard **place = &t->shards[hash % ACCESS_SHARDS];
  struct access_shard *own = t->count < t->max ? own_shard(t, *place, room_for_one_more(*place)) : NULL;
  if (!own) {
    t->free_item(item);
    return t->count < t->max ? ERR_NOMEM : ERR_TOO_BIG;
  }
  atomic_init(&item->references, 1);
  own->entries[own->count++] = (struct access_entry){tag, item};
  *place = own;
  t->count++;
  return OK;
}

enum err access_table_remove(struct access_table *t, uint64_t hash,
                             bool (*is_it)(const struct access_item *item, int64_t id), int64_t id) {
  struct access_shard **place = &t->shards[hash % ACCESS_SHARDS];
  size_t at = 0, count = *place ? (*place)->count : 0;
  while (at < count && !is_it((*place)->entries[at].item, id)) at++;
  if (at == count) return OK;
  struct access_shard *own = own_shard(t, *place, (*place)->room);
  if (!own) return ERR_NOMEM;
  *place = own;
  item_unref(t, own->entries[at].item);
  own->entries[at] = own->entries[--own->count];
  t->count--;
  return OK;
}
