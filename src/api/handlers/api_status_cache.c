/* api_status_cache.c - status objects that a loop remembers, as text. */
#include "api/handlers/api_status_cache.h"

#include <string.h>

#include "base/set_cache.h"

enum { TEXT_MAX = 896 };

struct cached_text {
  struct cache_mark mark;
  size_t text_n;
  char recording_sid[SID_SIZE];
  char text[TEXT_MAX];
};

struct status_key {
  int64_t business_id, days;
  char id[SID_SIZE]; /* padded with zeros */
};

/* struct status_cache is a set_cache of texts. */
static const struct set_cache_sizes sizes = {
    .sets = 1024, .ways = 2, .key_max = sizeof(struct status_key), .value_size = sizeof(struct cached_text)};

static struct set_cache *cache_of(struct status_cache *c) {
  return (struct set_cache *)(void *)c;
}

enum err status_cache_new(struct status_cache **ret_cache) {
  struct set_cache *c;
  TRY(set_cache_new(&sizes, &c));
  *ret_cache = (struct status_cache *)(void *)c;
  return OK;
}

struct status_cache *status_cache_free(struct status_cache *c) {
  set_cache_free(cache_of(c));
  return NULL;
}

/* The view is of *key. Empty if id is no SID: the cache keeps nothing under it. */
static struct str status_key_make(int64_t business_id, int64_t days, struct str id, struct status_key *key) {
  _Static_assert(sizeof(*key) == 2 * sizeof(int64_t) + SID_SIZE, "no padding is compared");
  if (id.n >= sizeof(key->id)) return STR_NONE;
  memset(key, 0, sizeof(*key));
  key->business_id = business_id;
  key->days = days;
  memcpy(key->id, id.p, id.n);
  return str_of((const char *)key, sizeof(*key));
}

bool status_cache_find(struct status_cache *c, int64_t business_id, int64_t days, struct str id,
                       struct cached_status *ret_status) {
  struct status_key key;
  const struct cached_text *t = set_cache_find(cache_of(c), status_key_make(business_id, days, id, &key));
  if (!t || !cache_mark_holds(&t->mark)) return false;
  *ret_status = (struct cached_status){str_of(t->text, t->text_n), t->recording_sid};
  return true;
}

void status_cache_put(struct status_cache *c, int64_t business_id, int64_t days, struct str id, struct cache_mark mark,
                      const char *recording_sid, struct str text) {
  struct status_key key;
  if (text.n > TEXT_MAX || strlen(recording_sid) >= SID_SIZE) return;
  struct cached_text *t = set_cache_put(cache_of(c), status_key_make(business_id, days, id, &key));
  if (!t) return;
  t->mark = mark;
  t->text_n = text.n;
  memcpy(t->recording_sid, recording_sid, strlen(recording_sid) + 1);
  memcpy(t->text, text.p, text.n);
}
