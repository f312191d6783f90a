/* api_status_cache.c - status objects as text, in sets of WAYS places by a hash of (business, id). */
#include "api/handlers/api_status_cache.h"

#include <stdlib.h>
#include <string.h>

enum { SETS = 1024, WAYS = 2, TEXT_MAX = 896 };

struct kept {
  int64_t business_id; /* 0: an empty place */
  struct cache_mark mark;
  size_t text_n;
  char id[SID_SIZE];
  char recording_sid[SID_SIZE];
  char text[TEXT_MAX];
};

struct status_cache {
  uint8_t older[SETS]; /* whose turn it is to go */
  struct kept places[SETS][WAYS];
};

enum err status_cache_new(struct status_cache **ret_statuses) {
  struct status_cache *t = calloc(1, sizeof(*t)); /* pages that nobody asks for are never touched */
  if (!t) return ERR_NOMEM;
  *ret_statuses = t;
  return OK;
}

struct status_cache *status_cache_free(struct status_cache *t) {
  free(t);
  return NULL;
}

static size_t set_of(int64_t business_id, struct str id) {
  return (size_t)str_hash(id, (uint64_t)business_id) % SETS;
}

static bool is_of(const struct kept *k, int64_t business_id, struct str id) {
  return k->business_id == business_id && str_eq(str_from(k->id), id);
}

bool status_cache_find(struct status_cache *t, int64_t business_id, struct str id, struct status_text *ret_status) {
  size_t set = set_of(business_id, id);
  for (size_t i = 0; i < WAYS; i++) {
    const struct kept *k = &t->places[set][i];
    if (!is_of(k, business_id, id) || !cache_mark_holds(&k->mark)) continue;
    t->older[set] = (uint8_t)(1 - i);
    *ret_status = (struct status_text){str_of(k->text, k->text_n), k->recording_sid};
    return true;
  }
  return false;
}

void status_cache_put(struct status_cache *t, int64_t business_id, struct str id, struct cache_mark mark,
                      const char *recording_sid, struct str text) {
  size_t set = set_of(business_id, id), way = t->older[set];
  if (text.n > TEXT_MAX) return;
  for (size_t i = 0; i < WAYS; i++)
    if (is_of(&t->places[set][i], business_id, id)) way = i;
  struct kept *k = &t->places[set][way];
  if (str_copy(k->id, sizeof(k->id), id) != OK ||
      str_copy(k->recording_sid, sizeof(k->recording_sid), str_from(recording_sid)) != OK) {
    k->business_id = 0;
    return;
  }
  k->business_id = business_id;
  k->mark = mark;
  k->text_n = text.n;
  memcpy(k->text, text.p, text.n);
  t->older[set] = (uint8_t)(1 - way);
}
