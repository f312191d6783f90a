/* api_event_feed_items.c - a hash table of objects by kind and id, and a list of them, the one changed longest ago
 * first.
 *
 * Invariants
 *  (1) Adding a change takes the same time however many objects and changes there are.
 *  (2) An object's change is progress only if all its changes were progress.
 *  (3) An object that shows more than its number says is left out: its number would differ between processes. */
#include "api/events/api_event_feed_items.h"

#include <string.h>

void event_feed_items_init(struct event_feed_items *items, int64_t final_seq) {
  items->final_seq = final_seq;
  items->end = &items->oldest;
}

static struct event_feed_item **bucket_of(struct event_feed_items *items, const struct event_feed_change *change) {
  uint32_t hash = UINT32_C(2166136261) ^ (uint32_t)change->kind; /* FNV-1a */
  for (const char *c = change->id; *c; c++) hash = (hash ^ (uint8_t)*c) * UINT32_C(16777619);
  return &items->buckets[hash % EVENT_FEED_BUCKETS];
}

static void unlink_item(struct event_feed_items *items, struct event_feed_item *item) {
  *item->from_older = item->newer;
  *(item->newer ? &item->newer->from_older : &items->end) = item->from_older;
}

static void link_newest(struct event_feed_items *items, struct event_feed_item *item) {
  item->newer = NULL;
  item->from_older = items->end;
  *items->end = item;
  items->end = &item->newer;
}

enum err event_feed_items_add(struct event_feed_items *items, const struct change *change) {
  bool is_own = change->kind == CHANGE_CALL || change->kind == CHANGE_NOTE || change->kind == CHANGE_TRANSCRIPT;
  bool is_progress = change->kind == CHANGE_PROGRESS;
  struct event_feed_change now = {
      .kind = is_own ? change->kind : CHANGE_RECORDING, .is_progress = is_progress, .seq = change->seq};
  if (!is_own && !is_progress && change->kind != CHANGE_RECORDING) return OK;
  if (change->kind != CHANGE_NOTE && change->id.n >= SID_SIZE) return OK; /* not a SID: no object has it */
  if (str_copy(now.id, sizeof(now.id), change->id) != OK) return OK;
  struct event_feed_item **bucket = bucket_of(items, &now), *item = *bucket;
  while (item && (item->change.kind != now.kind || strcmp(item->change.id, now.id) != 0)) item = item->next;
  if (now.seq > items->final_seq) { /* (3) */
    if (item && !is_progress) item->is_later = true;
    return OK;
  }
  if (item) {
    now.is_progress = is_progress && item->change.is_progress; /* (2) */
    unlink_item(items, item);
  } else {
    if (items->count == EVENT_FEED_ITEMS_MAX) return ERR_TOO_BIG;
    item = &items->each[items->count++];
    item->next = *bucket;
    *bucket = item;
  }
  item->change = now;
  link_newest(items, item);
  return OK;
}
