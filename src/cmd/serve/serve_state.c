/* serve_state.c - the state of a serving process and of the others: workers, the volume, refused credentials.
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

/* How many of the list are business_id or below. */
static size_t count_to(const struct business_ids *list, int64_t business_id) {
  size_t from = 0, to = list->count;
  while (from < to) {
    size_t middle = from + (to - from) / 2;
    if (list->ids[middle] <= business_id)
      from = middle + 1;
    else
      to = middle;
  }
  return from;
}

static enum err lists_make_room(struct business_ids *list, size_t count) {
  if (count <= list->room) return OK;
  size_t room = list->room * 2 > count ? list->room * 2 : count;
  int64_t *grown = realloc(list->ids, room * sizeof(grown[0]));
  if (!grown) return ERR_NOMEM;
  list->ids = grown;
  list->room = room;
  return OK;
}

static void note_restated(struct serve *s, int64_t business_id) {
  if (s->restated.count < SERVE_RESTATED_MAX)
    s->restated.ids[s->restated.count++] = business_id;
  else
    atomic_store(&s->wait_reason_changed, true);
}

/* Notes the businesses that are in one of the two sorted lists only. */
static void note_difference(struct serve *s, const int64_t *a, size_t a_count, const int64_t *b, size_t b_count) {
  while (a_count || b_count) {
    bool takes_a = a_count && (!b_count || *a <= *b), takes_b = b_count && (!a_count || *b <= *a);
    if (takes_a != takes_b) note_restated(s, takes_a ? *a : *b);
    a += takes_a, a_count -= takes_a;
    b += takes_b, b_count -= takes_b;
  }
}

void serve_take_restated(struct serve *s, struct restated *ret_restated) {
  LOCKED(&s->lock);
  *ret_restated = s->restated;
  s->restated.count = 0;
}

enum err serve_set_stopped(struct serve *s, int64_t after, int64_t last, const struct business_ids *list) {
  LOCKED(&s->lock);
  struct business_ids *all = &s->stopped;
  size_t from = count_to(all, after), to = count_to(all, last), behind = all->count - to;
  bool is_same = to - from == list->count &&
                 (list->count == 0 || memcmp(all->ids + from, list->ids, list->count * sizeof(list->ids[0])) == 0);
  if (is_same) return OK;
  TRY(lists_make_room(all, from + list->count + behind));
  note_difference(s, all->ids + from, to - from, list->ids, list->count);
  if (behind) memmove(all->ids + from + list->count, all->ids + to, behind * sizeof(all->ids[0]));
  if (list->count) memcpy(all->ids + from, list->ids, list->count * sizeof(list->ids[0]));
  all->count = from + list->count + behind;
  return OK;
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
  bool writes = db_writer_healthy(s->writer) && (!s->webhook_writer || db_writer_healthy(s->webhook_writer));
  *ret_degraded = changes_healthy(s->changes) && writes ? NULL : "database";
  if (atomic_load(&s->draining)) return "The process is shutting down.";
  struct volume_seen seen;
  volume_seen(s->volume, &seen);
  if (!seen.answers) return "The recordings' volume does not answer.";
  return serve_volume_problem(s);
}
