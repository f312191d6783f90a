/* api_hits.c - a table of sets behind one lock. The lock is taken once a playback, not once a request. */
#include "api/media/api_hits.h"

#include <stdlib.h>

#include "base/lock.h"

enum { WAYS = 8, SETS = HITS_BUSINESSES_MAX / WAYS };

struct place {
  int64_t business_id; /* 0: empty */
  int64_t hits, all;
  uint64_t turn; /* the value of hits.turn when it was counted last */
};

struct hits {
  struct lock lock; /* rank API: covers all below; no other is taken under it */
  uint64_t turn;
  struct place places[SETS][WAYS];
};

enum err hits_new(struct hits **ret_hits) {
  struct hits *h = calloc(1, sizeof(*h));
  if (!h) return ERR_NOMEM;
  lock_init(&h->lock, "hits", LOCK_RANK_API);
  *ret_hits = h;
  return OK;
}

struct hits *hits_free(struct hits *h) {
  if (!h) return NULL;
  lock_done(&h->lock);
  free(h);
  return NULL;
}

/* The business's place; if it has none, the place to take: an empty one, or the one counted longest ago. */
static struct place *find_place(struct hits *h, int64_t business_id) {
  struct place *set = h->places[(uint64_t)business_id % SETS], *oldest = &set[0];
  for (size_t i = 0; i < WAYS; i++) {
    if (set[i].business_id == business_id) return &set[i];
    if (set[i].turn < oldest->turn) oldest = &set[i];
  }
  return oldest;
}

void hits_count(struct hits *h, int64_t business_id, bool is_hit) {
  LOCKED(&h->lock);
  struct place *p = find_place(h, business_id);
  if (p->business_id != business_id) *p = (struct place){.business_id = business_id};
  p->turn = ++h->turn;
  p->hits += is_hit;
  p->all++;
}

void hits_of(struct hits *h, int64_t business_id, int64_t *ret_hits, int64_t *ret_all) {
  LOCKED(&h->lock);
  const struct place *p = find_place(h, business_id);
  bool is_known = p->business_id == business_id;
  *ret_hits = is_known ? p->hits : 0;
  *ret_all = is_known ? p->all : 0;
}
