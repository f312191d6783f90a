/* api_key_cache.c - API keys that a loop remembers, by the text of the header that they came in. */
#include "api/auth/api_key_cache.h"

#include "base/set_cache.h"

/* struct key_cache is a set_cache of pointers to keys. */
static const struct set_cache_sizes sizes = {
    .sets = 128, .ways = 2, .key_max = 64, .value_size = sizeof(const struct access_key *)};

static struct set_cache *cache_of(struct key_cache *k) {
  return (struct set_cache *)(void *)k;
}

enum err key_cache_new(struct key_cache **ret_cache) {
  struct set_cache *c;
  TRY(set_cache_new(&sizes, &c));
  *ret_cache = (struct key_cache *)(void *)c;
  return OK;
}

struct key_cache *key_cache_free(struct key_cache *k) {
  if (k) key_cache_forget(k);
  set_cache_free(cache_of(k));
  return NULL;
}

const struct access_key *key_cache_find(struct key_cache *k, struct str authorization) {
  const struct access_key **place = set_cache_find(cache_of(k), authorization);
  return place ? *place : NULL;
}

void key_cache_put(struct key_cache *k, struct str authorization, const struct access_key *key) {
  const struct access_key **place = set_cache_put(cache_of(k), authorization);
  if (place) *place = key;
}

void key_cache_forget(struct key_cache *k) {
  set_cache_forget(cache_of(k));
}
