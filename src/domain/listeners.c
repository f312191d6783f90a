/* listeners.c - see listeners.h.
 *
 * Invariants
 *  (1) state is the number of listeners, plus 2^32 for each reference. The thread that brings it to 0 frees the
 *      struct. So listeners keep it alive, and need no reference.
 *  (2) A signed URL is in the table while it has listeners. The entry removed last is kept for the next URL, so
 *      that one range request after the other allocates nothing. */
#include "domain/listeners.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/lock.h"

enum { BUCKETS = 64 };
#define REFERENCE (UINT64_C(1) << 32)

struct listener_place {
  struct listeners *of;
};

struct url_place {
  struct listener_place place; /* first */
  struct url_place *next;
  uint64_t url;
  int64_t count;
};

struct listeners {
  atomic_uint_least64_t state; /* (1) */
  struct listener_place plain; /* shared by all listeners without a URL */
  struct lock lock;            /* rank DOMAIN: covers the members below */
  int64_t by_url;
  struct url_place **buckets; /* (2) BUCKETS of them; NULL before the first URL */
  struct url_place *spare;    /* (2) not in a bucket; NULL: none */
};

enum err listeners_new(struct listeners **ret_listeners) {
  struct listeners *l = calloc(1, sizeof(*l));
  if (!l) return ERR_NOMEM;
  atomic_init(&l->state, REFERENCE);
  l->plain.of = l;
  lock_init(&l->lock, "listeners", LOCK_RANK_DOMAIN);
  *ret_listeners = l;
  return OK;
}

/* (1) */
static void state_subtract(struct listeners *l, uint64_t what) {
  if (atomic_fetch_sub_explicit(&l->state, what, memory_order_acq_rel) != what) return;
  assert(l->by_url == 0);
  lock_done(&l->lock);
  free(l->spare);
  free(l->buckets);
  free(l);
}

struct listeners *listeners_ref(struct listeners *l) {
  atomic_fetch_add_explicit(&l->state, REFERENCE, memory_order_relaxed);
  return l;
}

void listeners_unref(struct listeners *l) {
  if (l) state_subtract(l, REFERENCE);
}

/* ---- by signed URLs ---- */

static struct url_place **find_url_place(struct listeners *l, uint64_t url) {
  struct url_place **at = &l->buckets[(url ^ (url >> 32)) % BUCKETS];
  while (*at && (*at)->url != url) at = &(*at)->next;
  return at;
}

static enum err enter_by_url(struct listeners *l, const struct listener_limits *limits, uint64_t url,
                             struct listener_place **ret_place) {
  LOCKED(&l->lock);
  if (!l->buckets) l->buckets = calloc(BUCKETS, sizeof(l->buckets[0]));
  if (!l->buckets) return ERR_NOMEM;
  struct url_place **at = find_url_place(l, url);
  if (l->by_url >= limits->by_url || (*at && (*at)->count >= limits->by_one_url)) return ERR_BUSY;
  if (!*at) {
    struct url_place *place = l->spare ? TAKE(l->spare) : malloc(sizeof(*place));
    if (!place) return ERR_NOMEM;
    *place = (struct url_place){.place = {l}, .url = url};
    *at = place;
  }
  (*at)->count++;
  l->by_url++;
  *ret_place = &(*at)->place;
  return OK;
}

static void leave_by_url(struct listeners *l, struct url_place *place) {
  LOCKED(&l->lock);
  l->by_url--;
  if (--place->count > 0) return;
  struct url_place **at = find_url_place(l, place->url);
  *at = place->next;
  free(l->spare);
  l->spare = place;
}

/* ---- all ---- */

enum err listeners_enter(struct listeners *l, const struct listener_limits *limits, uint64_t url,
                         struct listener_place **ret_place) {
  struct listener_place *place = &l->plain;
  uint64_t before = atomic_fetch_add_explicit(&l->state, 1, memory_order_relaxed);
  enum err e = (int64_t)(before % REFERENCE) < limits->all ? OK : ERR_BUSY;
  if (e == OK && url) e = enter_by_url(l, limits, url, &place);
  if (e == OK)
    *ret_place = place;
  else
    state_subtract(l, 1);
  return e;
}

void listeners_leave(struct listener_place *place) {
  struct listeners *l = place->of;
  if (place != &l->plain) leave_by_url(l, (struct url_place *)(void *)place);
  state_subtract(l, 1);
}
