/* cache_version.c - see cache_version.h.
 *
 * Invariants
 *  (1) A counter only grows.
 *  (2) It grows after the change was committed, and a mark is taken before the read. So if a mark holds, every
 *      counted change was visible to the read.
 *  (3) The hash has a random seed for each process, so that a client can't choose SIDs that share a counter. */
#include "domain/cache_version.h"

#include <stdlib.h>

#include "base/secret.h"

enum { COUNTERS = 65536 };

struct cache_versions {
  uint64_t seed; /* (3) */
  atomic_uint_least64_t counters[COUNTERS];
};

enum err cache_versions_new(struct cache_versions **ret_versions) {
  struct cache_versions *v = calloc(1, sizeof(*v));
  if (!v) return ERR_NOMEM;
  enum err e = secret_random(&v->seed, sizeof(v->seed));
  if (e != OK) {
    free(v);
    return e;
  }
  *ret_versions = v;
  return OK;
}

struct cache_versions *cache_versions_free(struct cache_versions *v) {
  free(v);
  return NULL;
}

static size_t counter_index(const struct cache_versions *v, enum cache_kind kind, int64_t owner, struct str id) {
  uint64_t h = v->seed ^ ((uint64_t)owner * UINT64_C(0x9E3779B97F4A7C15)) ^ ((uint64_t)kind << 56);
  h = str_hash(id, h);
  return (size_t)((h ^ (h >> 32)) % COUNTERS);
}

struct cache_mark cache_mark(const struct cache_versions *v, enum cache_kind kind, int64_t owner, struct str id) {
  const atomic_uint_least64_t *counter = &v->counters[counter_index(v, kind, owner, id)];
  return (struct cache_mark){counter, atomic_load_explicit(counter, memory_order_acquire)};
}

uint64_t cache_version(const struct cache_versions *v, enum cache_kind kind, int64_t owner, struct str id) {
  return cache_mark(v, kind, owner, id).version;
}

void cache_changed(struct cache_versions *v, enum cache_kind kind, int64_t owner, struct str id) {
  atomic_fetch_add_explicit(&v->counters[counter_index(v, kind, owner, id)], 1, memory_order_release); /* (1) */
}

void cache_changed_all(struct cache_versions *v) {
  for (size_t i = 0; i < COUNTERS; i++) atomic_fetch_add_explicit(&v->counters[i], 1, memory_order_release);
}
