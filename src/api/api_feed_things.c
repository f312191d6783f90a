/* api_feed_things.c - things by their kind and id in a hash table, and in a list from the one that changed longest ago.
 *
 * Invariants
 *  (1) A change costs the same however many things and changes there are.
 *  (2) A thing's change is mere progress only if all its changes were. */
#include "api/api_feed_things.h"

#include <string.h>

void feed_things_init(struct feed_things *t) {
  t->end = &t->oldest;
}

static struct feed_thing **bucket_of(struct feed_things *t, const struct feed_change *change) {
  uint32_t hash = UINT32_C(2166136261) ^ (uint32_t)change->kind; /* FNV-1a */
  for (const char *c = change->id; *c; c++) hash = (hash ^ (uint8_t)*c) * UINT32_C(16777619);
  return &t->buckets[hash % FEED_THINGS_BUCKETS];
}

static void leave_list(struct feed_things *t, struct feed_thing *one) {
  *one->from_older = one->newer;
  *(one->newer ? &one->newer->from_older : &t->end) = one->from_older;
}

static void join_list(struct feed_things *t, struct feed_thing *one) {
  one->newer = NULL;
  one->from_older = t->end;
  *t->end = one;
  t->end = &one->newer;
}

enum err feed_things_add(struct feed_things *t, const struct change *change) {
  bool is_call = change->kind == CHANGE_CALL, is_progress = change->kind == CHANGE_PROGRESS;
  struct feed_change now = {
      .kind = is_call ? CHANGE_CALL : CHANGE_RECORDING, .is_progress = is_progress, .seq = change->seq};
  if (!is_call && !is_progress && change->kind != CHANGE_RECORDING) return OK;
  if (str_copy(now.id, sizeof(now.id), change->id) != OK) return OK; /* no id of ours */
  struct feed_thing **bucket = bucket_of(t, &now), *one = *bucket;
  while (one && (one->change.kind != now.kind || strcmp(one->change.id, now.id) != 0)) one = one->next;
  if (one) {
    now.is_progress = is_progress && one->change.is_progress; /* (2) */
    leave_list(t, one);
  } else {
    if (t->count == FEED_THINGS_MAX) return ERR_TOO_BIG;
    one = &t->each[t->count++];
    one->next = *bucket;
    *bucket = one;
  }
  one->change = now;
  join_list(t, one);
  return OK;
}
