/* api_loop.c - how loops learn what happened on other threads.
 *
 * Invariants
 *  (1) A loop's state is its own. Other threads post to it, and set bits of `pending`; a bit stays set until the loop reacted,
 *      also when the post failed for lack of memory.
 *  (2) A loop caches what a reader read with the mark that was taken before the read, and uses it while the mark holds. So a
 * change
 *      of a row costs one atomic addition, however many loops and caches there are. */
#include "api/request/api_loop.h"

void loop_apply_pending(struct api_loop *l) {
  if (atomic_load_explicit(&l->pending, memory_order_acquire) == 0) return;
  unsigned pending = atomic_exchange(&l->pending, 0);
  for (const struct loop_reaction *r = l->api->reactions; r->bits; r++)
    if (pending & r->bits) r->react(l);
}

static void loop_on_post(void *arg) {
  loop_apply_pending(arg);
}

void loop_set_pending(struct api_loop *l, enum loop_pending what) {
  struct api *a = l->api;
  atomic_fetch_or(&l->pending, what);
  if (a->server) IGNORE(http_loop_post(a->server, l->index, loop_on_post, l)); /* else with its next request (1) */
}

/* All bits are set before any loop is woken: a client that learned of the change on one loop finds it applied on the next. */
void loops_set_pending(struct api *a, enum loop_pending what) {
  for (unsigned i = 0; i < a->loop_count; i++) atomic_fetch_or(&a->loops[i].pending, what);
  for (unsigned i = 0; a->server && i < a->loop_count; i++)
    IGNORE(http_loop_post(a->server, i, loop_on_post, &a->loops[i])); /* else with its next request (1) */
}

struct access_snapshot *api_newest_access(struct api *a) {
  LOCKED(&a->lock);
  return access_ref(a->newest);
}

struct cache_mark rows_mark(const struct api *a, int64_t business_id, struct str id) {
  if (a->provider->is_recording_sid(id)) return cache_mark(a->versions, CACHE_RECORDING, business_id, id);
  return cache_mark(a->versions, CACHE_CALL, business_id, STR_NONE);
}

void rows_changed(struct api *a, int64_t business_id, struct str id) {
  if (id.n) cache_changed(a->versions, CACHE_RECORDING, business_id, id);
  cache_changed(a->versions, CACHE_CALL, business_id, STR_NONE);
  if (!atomic_load_explicit(&a->must_sweep, memory_order_relaxed)) atomic_store(&a->must_sweep, true);
}
