/* api_event_feed.h - tells the event streams of this process what changed in their businesses. A business's changes are
 * read once, however many streams it has.
 *
 *   on a loop:   TRY(event_feed_join(feed, business_id, loop, max_streams, &seq));
 *                … event_feed_parts.deliver(arg, loop, batch) is called for each batch, from a reader's thread …
 *                event_feed_leave(feed, business_id, loop);
 *
 *   changes thread --event_feed_change--> the business is due --a reader--> one batch --deliver--> each loop's streams
 *
 * A stream that joined at seq gets every later change: as an event, or in a batch that is marked lost. An event shows
 * one moment of the database: what the object was at the change whose number the event has. Batches and events are
 * shared and never modified; a user that keeps one holds a reference.
 * Thread rule: any thread, unless a function says otherwise. */
#pragma once

#include <stdatomic.h>

#include "api/events/api_event_feed_items.h"
#include "db/db_readers.h"
#include "ledger/changes.h"

struct event_feed;

struct event_feed_event {
  atomic_int refs;
  atomic_llong *held; /* the feed's sum of n over all its events */
  int64_t seq;
  size_t n;
  char text[]; /* n bytes, as a stream sends them */
};
struct event_feed_event *event_feed_event_ref(struct event_feed_event *e);
void event_feed_event_unref(struct event_feed_event *e); /* NULL is fine */

struct event_feed_batch {
  atomic_int refs;
  int64_t business_id; /* 0: all businesses; only if lost */
  bool lost;           /* changes up to seq can't be sent as events: clients must load everything again */
  int64_t seq;         /* of the newest change that the batch covers; 0: not known */
  size_t count;
  struct event_feed_event **events; /* references, in order of seq */
};
void event_feed_batch_unref(struct event_feed_batch *b); /* NULL is fine */

struct event_feed_parts {
  struct db_readers *readers;
  unsigned loops; /* how many the server has */
  int64_t seq;    /* of the last change that event_feed_change will not be called with */
  /* Hands a batch to the loop, which unrefs it. False: it failed, and the batch stays the caller's. */
  bool (*deliver)(void *arg, unsigned loop, struct event_feed_batch *batch);
  /* (a reader's thread) Appends the changed object as JSON, as its business sees it. ERR_NOT_FOUND: it was deleted. */
  enum err (*write)(void *arg, struct db *db, int64_t business_id, const struct event_feed_change *change,
                    struct buf *b);
  void *arg; /* of both */
};

/* Copies parts. */
CHECKED enum err event_feed_new(const struct event_feed_parts *parts, struct event_feed **ret_feed);
/* Call it after the readers and the changes thread have ended and all batches and events were unref'd. NULL is fine;
 * always NULL. */
struct event_feed *event_feed_free(struct event_feed *f);
/* *ret_seq: of the last change that the stream will not get; 0: not known. ERR_BUSY: the business has max_streams
 * streams already. */
CHECKED enum err event_feed_join(struct event_feed *f, int64_t business_id, unsigned loop, int64_t max_streams,
                                 int64_t *ret_seq);
void event_feed_leave(struct event_feed *f, int64_t business_id, unsigned loop);
/* The number of a change that every later read of the database sees, together with all changes before it; 0: not known. */
int64_t event_feed_newest(struct event_feed *f);
bool event_feed_has_streams(const struct event_feed *f); /* any at all */
bool event_feed_has_streams_on(struct event_feed *f, int64_t business_id, unsigned loop);
/* (the changes thread) A change was committed, by any process. */
void event_feed_change(struct event_feed *f, const struct change *change);
/* (the changes thread) Begins reads that were put off. Call it every few milliseconds. */
void event_feed_tick(struct event_feed *f);
/* (the changes thread) Changes were missed, or the database is another: every stream gets a lost batch. */
void event_feed_lost(struct event_feed *f);
/* (any thread) What queued recordings of the business (0: of all) wait for has changed, though no row has: its streams get a lost
 * batch. Positions stay. */
void event_feed_reset(struct event_feed *f, int64_t business_id);
/* (a reader's thread) What changed in a business after seq `after`, each object as it is now. The batch is the
 * caller's. ERR_NOT_FOUND: changes after `after` are not kept any more, or `after` was never assigned; ERR_TOO_BIG:
 * more than EVENT_FEED_ITEMS_MAX objects changed. */
CHECKED enum err event_feed_read(struct event_feed *f, struct db *db, int64_t business_id, int64_t after,
                                 struct event_feed_batch **ret_batch);
