/* api_event_feed.h - what changes in businesses, for the event streams of this process: looked up once, given to all.
 *
 *   changes thread --event_feed_change--> its business has news --a reader--> one batch --a post a loop--> event_feed_parts.deliver
 *
 *   on a loop:  TRY(event_feed_join(event_feed, business, loop, most, &seq));   … deliver(arg, loop, batch) …
 *               event_feed_leave(event_feed, business, loop);
 *
 * Who joined at seq is told of every change behind it, by its event or by a batch that says it is lost. An event is of one
 * moment of the database: what a thing was then, under the number of the newest change that had made it so. Batches and
 * events are shared: whoever keeps one holds a reference, and no byte of them changes.
 * Thread rule: any thread, but where a function says otherwise. */
#pragma once

#include <stdatomic.h>

#include "api/events/api_event_feed_items.h"
#include "db/db_readers.h"
#include "ledger/changes.h"
#include "ledger/recordings.h"

struct event_feed;

struct event_feed_event {
  atomic_int refs;
  atomic_llong *held; /* counts the bytes of all */
  int64_t seq;
  size_t n;
  char text[]; /* as a stream sends it */
};
struct event_feed_event *event_feed_event_ref(struct event_feed_event *e);
void event_feed_event_unref(struct event_feed_event *e); /* NULL is fine */

struct event_feed_batch {
  atomic_int refs;
  int64_t business_id; /* 0: of all businesses; only with lost */
  bool lost;           /* what changed up to seq can't be told: whoever listens must look at everything again */
  int64_t seq;         /* the newest that it tells of; 0: not known */
  size_t count;
  struct event_feed_event **events; /* owned; in order of seq */
};
void event_feed_batch_unref(struct event_feed_batch *b); /* NULL is fine */

struct event_feed_parts {
  struct db_readers *readers;
  unsigned loops;
  int64_t seq; /* the last change before those that event_feed_change will tell of */
  /* Hands a batch to that loop, which unrefs it. False: it can't now. */
  bool (*deliver)(void *arg, unsigned loop, struct event_feed_batch *batch);
  /* (a reader's thread) The object that a thing is to its business, as JSON. ERR_NOT_FOUND: it is no more. */
  enum err (*write)(void *arg, struct db *db, int64_t business_id, const struct event_feed_change *change,
                    struct buf *b);
  void *arg;
};

CHECKED enum err event_feed_new(const struct event_feed_parts *parts, struct event_feed **ret_feed);
/* After readers and changes have ended, and all batches and events were let go. NULL is fine; always NULL. */
struct event_feed *event_feed_free(struct event_feed *f);
/* *ret_seq: 0: not known. ERR_BUSY: that business has `most` streams already. */
CHECKED enum err event_feed_join(struct event_feed *f, int64_t business_id, unsigned loop, int64_t most,
                                 int64_t *ret_seq);
void event_feed_leave(struct event_feed *f, int64_t business_id, unsigned loop);
bool event_feed_is_heard(const struct event_feed *f); /* somebody joined */
bool event_feed_is_heard_on(struct event_feed *f, int64_t business_id, unsigned loop);
/* The changes thread's. */
void event_feed_change(struct event_feed *f, const struct change *change);
void event_feed_tick(struct event_feed *f);
void event_feed_lost(struct event_feed *f); /* changes were missed, or the database is another */
/* (a reader's thread) What changed in a business behind seq `after`, as it is now; the batch is the caller's.
 * ERR_NOT_FOUND: that is not remembered; ERR_TOO_BIG: it is too much. */
CHECKED enum err event_feed_read(struct event_feed *f, struct db *db, int64_t business_id, int64_t after,
                                 struct event_feed_batch **ret_batch);
