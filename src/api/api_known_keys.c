/* api_known_keys.c - keys in memory, by the text that they came with.
 *
 * Invariants
 *  (1) A place is found by a hash under a key of this process, so nobody can steer one text towards another's place; the
 *      whole text is compared in constant time.
 *  (2) A text that is not needed any more is wiped. */
#include "api/api_known_keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

enum { PLACES = 256, TEXT_MAX = 64 };

struct place {
  const struct access_key *key; /* NULL: empty */
  size_t n;
  char text[TEXT_MAX];
};

struct known_keys {
  uint64_t seed;
  bool used;
  struct place places[PLACES];
};

enum err known_keys_new(struct known_keys **ret_known_keys) {
  struct known_keys *k = calloc(1, sizeof(*k));
  if (!k) return ERR_NOMEM;
  enum err e = secret_random(&k->seed, sizeof(k->seed));
  if (e != OK) {
    free(k);
    return e;
  }
  *ret_known_keys = k;
  return OK;
}

struct known_keys *known_keys_free(struct known_keys *k) {
  if (k) known_keys_forget(k);
  free(k);
  return NULL;
}

static size_t place_of(const struct known_keys *k, struct str text) {
  return str_hash(text, k->seed) % PLACES;
}

const struct access_key *known_keys_find(const struct known_keys *k, struct str authorization) {
  if (authorization.n > TEXT_MAX) return NULL;
  const struct place *p = &k->places[place_of(k, authorization)];
  return p->key && secret_equal(authorization, str_of(p->text, p->n)) ? p->key : NULL;
}

void known_keys_put(struct known_keys *k, struct str authorization, const struct access_key *key) {
  if (authorization.n == 0 || authorization.n > TEXT_MAX) return;
  struct place *p = &k->places[place_of(k, authorization)];
  k->used = true;
  p->key = key;
  p->n = authorization.n;
  memcpy(p->text, authorization.p, authorization.n);
}

void known_keys_forget(struct known_keys *k) {
  if (k->used) secret_wipe(k->places, sizeof(k->places));
  k->used = false;
}
