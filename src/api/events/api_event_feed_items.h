/* api_event_feed_items.h - what changed between two looks of a event_feed: each thing once, in the order of its last change.
 *
 *   struct event_feed_items *t = calloc(1, sizeof(*t));  event_feed_items_init(t);
 *   TRY(event_feed_items_add(t, change));   … for each change, from older to newer …
 *   for (const struct event_feed_item *one = t->oldest; one; one = one->newer) use(&one->change);
 *
 * Thread rule: one user at a time. */
#pragma once

#include "ledger/changes.h"
#include "ledger/recordings.h"

enum { FEED_THINGS_MAX = 512 }; /* that can have changed between two looks; past that they are lost */

/* A thing that changed. */
struct event_feed_change {
  enum change_kind kind; /* RECORDING, CALL */
  bool is_progress;      /* of a recording: nothing changed but how much of it is here */
  int64_t seq;
  char id[SID_SIZE];
};

enum { EVENT_FEED_BUCKETS = 1024 };

struct event_feed_item {
  struct event_feed_change change;
  struct event_feed_item *next;                /* of the bucket */
  struct event_feed_item *newer, **from_older; /* from_older: the pointer that leads here */
};

struct event_feed_items {
  size_t count;
  struct event_feed_item each[FEED_THINGS_MAX];
  struct event_feed_item *oldest, **end;
  struct event_feed_item *buckets[EVENT_FEED_BUCKETS];
};

/* t is zeroed. */
void event_feed_items_init(struct event_feed_items *t);
/* Changes that no stream is told of are passed over. ERR_TOO_BIG: there are more than FEED_THINGS_MAX things. */
CHECKED enum err event_feed_items_add(struct event_feed_items *t, const struct change *change);
