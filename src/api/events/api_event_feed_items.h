/* api_event_feed_items.h - the objects that changed between two reads of an event feed: each once, in the order of its
 * last change.
 *
 *   struct event_feed_items *items = calloc(1, sizeof(*items));  event_feed_items_init(items, changes_final(db));
 *   TRY(event_feed_items_add(items, change));                    for each change, oldest first
 *   for (const struct event_feed_item *item = items->oldest; item; item = item->newer)
 *     if (!item->is_later) use(&item->change);
 *
 * Thread rule: one thread at a time. */
#pragma once

#include "ledger/changes.h"
#include "ledger/notes.h"

enum { EVENT_FEED_ID_SIZE = NOTE_CHANGE_SIZE };
enum { EVENT_FEED_ITEMS_MAX = 512 }; /* objects that may change between two reads; if more do, their changes are lost */

/* An object that changed. */
struct event_feed_change {
  enum change_kind kind;       /* CHANGE_RECORDING, CHANGE_CALL, CHANGE_NOTE or CHANGE_TRANSCRIPT */
  bool is_progress;            /* of a recording: only its number of received bytes changed */
  int64_t seq;                 /* of its newest change */
  char id[EVENT_FEED_ID_SIZE]; /* the SID of the recording or call; of a note see notes.h */
};

enum { EVENT_FEED_BUCKETS = 1024 };

struct event_feed_item {
  struct event_feed_change change;
  bool is_later;                               /* it shows a change that the next read covers: leave it to that one */
  struct event_feed_item *next;                /* in the bucket */
  struct event_feed_item *newer, **from_older; /* from_older: the pointer that points here */
};

struct event_feed_items {
  int64_t final_seq; /* later changes are left to the next read, because some of them may be missing now */
  size_t count;
  struct event_feed_item each[EVENT_FEED_ITEMS_MAX];
  struct event_feed_item *oldest, **end;
  struct event_feed_item *buckets[EVENT_FEED_BUCKETS];
};

/* items must be zeroed. final_seq: see changes_final. */
void event_feed_items_init(struct event_feed_items *items, int64_t final_seq);
/* Skips changes of which no event is made. ERR_TOO_BIG: more than EVENT_FEED_ITEMS_MAX objects. */
CHECKED enum err event_feed_items_add(struct event_feed_items *items, const struct change *change);
