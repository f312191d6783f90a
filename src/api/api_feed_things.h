/* api_feed_things.h - what changed between two looks of a feed: each thing once, in the order of its last change.
 *
 *   struct feed_things *t = calloc(1, sizeof(*t));  feed_things_init(t);
 *   TRY(feed_things_add(t, change));   … for each change, from older to newer …
 *   for (const struct feed_thing *one = t->oldest; one; one = one->newer) use(&one->change);
 *
 * Thread rule: one user at a time. */
#pragma once

#include "api/api_feed.h"
#include "ledger/changes.h"

enum { FEED_THINGS_BUCKETS = 1024 };

struct feed_thing {
  struct feed_change change;
  struct feed_thing *next;                /* of the bucket */
  struct feed_thing *newer, **from_older; /* from_older: the pointer that leads here */
};

struct feed_things {
  size_t count;
  struct feed_thing each[FEED_THINGS_MAX];
  struct feed_thing *oldest, **end;
  struct feed_thing *buckets[FEED_THINGS_BUCKETS];
};

/* t is zeroed. */
void feed_things_init(struct feed_things *t);
/* Changes that no stream is told of are passed over. ERR_TOO_BIG: there are more than FEED_THINGS_MAX things. */
CHECKED enum err feed_things_add(struct feed_things *t, const struct change *change);
