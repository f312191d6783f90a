/* set_cache.c - a set-associative cache of fixed size.
 *
 *   place: turn (when it was used last, 0: empty) | key_n | key, key_max bytes | value
 *
 * Invariants
 *  (1) A key is in at most one place, which is in the set that its hash gives.
 *  (2) Turns grow with every use, so the smallest of a set is the least recently used, and an empty place comes first. */
#include "base/set_cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

struct place {
  uint64_t turn;
  size_t key_n;
  char bytes[]; /* the key, then the value */
};

struct set_cache {
  struct set_cache_sizes sizes;
  size_t value_at, place_size; /* multiples of 8 */
  uint64_t seed, turn;
  _Alignas(16) char places[];
};

static size_t round_up_to_8(size_t n) {
  return (n + 7) & ~(size_t)7;
}

static size_t places_size(const struct set_cache *c) {
  return c->sizes.sets * c->sizes.ways * c->place_size;
}

enum err set_cache_new(const struct set_cache_sizes *sizes, struct set_cache **ret_cache) {
  assert(sizes->ways > 0 && sizes->sets > 0 && (sizes->sets & (sizes->sets - 1)) == 0);
  size_t value_at = round_up_to_8(sizes->key_max);
  size_t place_size = sizeof(struct place) + value_at + round_up_to_8(sizes->value_size);
  struct set_cache *c = calloc(1, sizeof(*c) + sizes->sets * sizes->ways * place_size);
  if (!c) return ERR_NOMEM;
  c->sizes = *sizes;
  c->value_at = value_at;
  c->place_size = place_size;
  enum err e = secret_random(&c->seed, sizeof(c->seed));
  if (e == OK)
    *ret_cache = c;
  else
    free(c);
  return e;
}

struct set_cache *set_cache_free(struct set_cache *c) {
  free(c);
  return NULL;
}

static struct place *set_of(struct set_cache *c, struct str key) {
  size_t set = (size_t)str_hash(key, c->seed) & (c->sizes.sets - 1);
  return (struct place *)(void *)(c->places + set * c->sizes.ways * c->place_size);
}

static struct place *next_place(const struct set_cache *c, struct place *p) {
  return (struct place *)(void *)((char *)p + c->place_size);
}

static bool place_has_key(const struct place *p, struct str key) {
  return p->turn && secret_equal(str_of(p->bytes, p->key_n), key);
}

void *set_cache_find(struct set_cache *c, struct str key) {
  if (key.n > c->sizes.key_max) return NULL;
  struct place *p = set_of(c, key);
  for (size_t i = 0; i < c->sizes.ways; i++, p = next_place(c, p)) {
    if (!place_has_key(p, key)) continue;
    p->turn = ++c->turn;
    return p->bytes + c->value_at;
  }
  return NULL;
}

void *set_cache_put(struct set_cache *c, struct str key) {
  if (key.n == 0 || key.n > c->sizes.key_max) return NULL;
  void *known = set_cache_find(c, key);
  if (known) return known; /* (1) */
  struct place *p = set_of(c, key), *oldest = p;
  for (size_t i = 0; i < c->sizes.ways; i++, p = next_place(c, p))
    if (p->turn < oldest->turn) oldest = p; /* (2) */
  memset(oldest, 0, c->place_size);
  oldest->turn = ++c->turn;
  oldest->key_n = key.n;
  memcpy(oldest->bytes, key.p, key.n);
  return oldest->bytes + c->value_at;
}

void set_cache_forget(struct set_cache *c) {
  if (c->turn) secret_wipe(c->places, places_size(c));
  c->turn = 0;
}
