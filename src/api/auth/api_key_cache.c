/* api_key_cache.c - keys in memory, by the text that they came with.
 *
 * Invariants
 *  (1) A place is found by a hash under a key of this process, so nobody can steer one text towards another's place; the
 *      whole text is compared in constant time.
 *  (2) A text that is not needed any more is wiped. */
#include "api/auth/api_key_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

enum { PLACES = 256, TEXT_MAX = 64 };

struct place {
  const struct access_key *key; /* NULL: empty */
  size_t n;
  char text[TEXT_MAX];
};

struct key_cache {
  uint64_t seed;
  bool used;
  struct place places[PLACES];
};

enum err key_cache_new(struct key_cache **ret_known_keys) {
  struct key_cache *k = calloc(1, sizeof(*k));
  if (!k) return ERR_NOMEM;
  enum err e = secret_random(&k->seed, sizeof(k->seed));
  if (e != OK) {
    free(k);
    return e;
  }
  *ret_known_keys = k;
  return OK;
}

struct key_cache *key_cache_free(struct key_cache *k) {
  if (k) key_cache_forget(k);
  free(k);
  return NULL;
}

static size_t place_of(const struct key_cache *k, struct str text) {
  return str_hash(text, k->seed) % PLACES;
}

const struct access_key *key_cache_find(const struct key_cache *k, struct str authorization) {
  if (authorization.n > TEXT_MAX) return NULL;
  const struct place *p = &k->places[place_of(k, authorization)];
  return p->key && secret_equal(authorization, str_of(p->text, p->n)) ? p->key : NULL;
}

void key_cache_put(struct key_cache *k, struct str authorization, const struct access_key *key) {
  if (authorization.n == 0 || authorization.n > TEXT_MAX) return;
  struct place *p = &k->places[place_of(k, authorization)];
  k->used = true;
  p->key = key;
  p->n = authorization.n;
  memcpy(p->text, authorization.p, authorization.n);
}

void key_cache_forget(struct key_cache *k) {
  if (k->used) secret_wipe(k->places, sizeof(k->places));
  k->used = false;
}
