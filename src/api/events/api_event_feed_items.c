/* api_event_feed_items.c - things by their kind and id in a hash table, and in a list from the one that changed longest ago.
 *
 * Invariants
 *  (1) A change costs the same however many things and changes there are.
 *  (2) A thing's change is mere progress only if all its changes were. */
#include "api/events/api_event_feed_items.h"

#include <string.h>

void event_feed_items_init(struct event_feed_items *t) {
  t->end = &t->oldest;
}

static struct event_feed_item **bucket_of(struct event_feed_items *t, const struct event_feed_change *change) {
  uint32_t hash = UINT32_C(2166136261) ^ (uint32_t)change->kind; /* FNV-1a */
  for (const char *c = change->id; *c; c++) hash = (hash ^ (uint8_t)*c) * UINT32_C(16777619);
  return &t->buckets[hash % EVENT_FEED_BUCKETS];
}

static void leave_list(struct event_feed_items *t, struct event_feed_item *one) {
  *one->from_older = one->newer;
  *(one->newer ? &one->newer->from_older : &t->end) = one->from_older;
}

static void join_list(struct event_feed_items *t, struct event_feed_item *one) {
  one->newer = NULL;
  one->from_older = t->end;
  *t->end = one;
  t->end = &one->newer;
}

enum err event_feed_items_add(struct event_feed_items *t, const struct change *change) {
  bool is_call = change->kind == CHANGE_CALL, is_progress = change->kind == CHANGE_PROGRESS;
  struct event_feed_change now = {
      .kind = is_call ? CHANGE_CALL : CHANGE_RECORDING, .is_progress = is_progress, .seq = change->seq};
  if (!is_call && !is_progress && change->kind != CHANGE_RECORDING) return OK;
  if (str_copy(now.id, sizeof(now.id), change->id) != OK) return OK; /* no id of ours */
  struct event_feed_item **bucket = bucket_of(t, &now), *one = *bucket;
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
