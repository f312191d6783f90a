/* serve_state.c - what a serving process knows about itself and the others: its workers, its volume, refused credentials.
 *
 * The upkeep writes it (serve_upkeep.c); loops, the worker and /metrics read it. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/serve/serve_parts.h"

static int business_compare(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* Sorts outside of the lock, since loops wait for it. */
void serve_set_stopped(struct serve *s, struct business_ids *list) {
  if (list->count) qsort(list->ids, list->count, sizeof(list->ids[0]), business_compare);
  LOCKED(&s->lock);
  struct business_ids before = s->stopped;
  bool is_same = before.count == list->count &&
                 (before.count == 0 || memcmp(before.ids, list->ids, before.count * sizeof(before.ids[0])) == 0);
  if (!is_same) atomic_store(&s->wait_reason_changed, true);
  s->stopped = *list;
  *list = before;
}

bool serve_worker_alive(void *serve) {
  struct serve *s = serve;
  if (s->worker && atomic_load(&s->volume_fault) == VOLUME_RIGHT) return true;
  int64_t seen = atomic_load(&s->worker_seen_ms);
  return seen != 0 && clock_mono_ms() - seen < SERVE_WORKER_LIVES_MS;
}

bool serve_account_stopped(void *serve, int64_t business_id) {
  struct serve *s = serve;
  LOCKED(&s->lock);
  return s->stopped.count &&
         bsearch(&business_id, s->stopped.ids, s->stopped.count, sizeof(business_id), business_compare);
}

size_t serve_stopped_count(struct serve *s) {
  LOCKED(&s->lock);
  return s->stopped.count;
}

bool serve_storage_full(void *serve) {
  struct serve *s = serve;
  return atomic_load(&s->storage_full);
}

const char *serve_not_ready(void *serve, const char **ret_degraded) {
  struct serve *s = serve;
  *ret_degraded = changes_healthy(s->changes) && db_writer_healthy(s->writer) ? NULL : "database";
  if (atomic_load(&s->draining)) return "The process is shutting down.";
  struct volume_seen seen;
  volume_seen(s->volume, &seen);
  if (!seen.answers) return "The recordings' volume does not answer.";
  return serve_volume_problem(s);
}
