/* api_feed.h - what changes in businesses, for the event streams of this process: looked up once, given to all.
 *
 *   changes thread --feed_change--> its business has news --a reader--> one batch --a post a loop--> feed_parts.deliver
 *
 *   on a loop:  TRY(feed_join(feed, business, loop, most, &seq));   … deliver(arg, loop, batch) …
 *               feed_leave(feed, business, loop);
 *
 * Who joined at seq is told of every change behind it, by its event or by a batch that says it is lost. An event is of one
 * moment of the database: what a thing was then, under the number of the newest change that had made it so. Batches and
 * events are shared: whoever keeps one holds a reference, and no byte of them changes.
 * Thread rule: any thread, but where a function says otherwise. */
#pragma once

#include <stdatomic.h>

#include "db/db_readers.h"
#include "ledger/changes.h"
#include "ledger/recordings.h"

struct feed;

struct feed_event {
  atomic_int refs;
  atomic_llong *held; /* counts the bytes of all */
  int64_t seq;
  size_t n;
  char text[]; /* as a stream sends it */
};
struct feed_event *feed_event_ref(struct feed_event *e);
void feed_event_unref(struct feed_event *e); /* NULL is fine */

struct feed_batch {
  atomic_int refs;
  int64_t business_id; /* 0: of all businesses; only with lost */
  bool lost;           /* what changed up to seq can't be told: whoever listens must look at everything again */
  int64_t seq;         /* the newest that it tells of; 0: not known */
  size_t count;
  struct feed_event **events; /* owned; in order of seq */
};
void feed_batch_unref(struct feed_batch *b); /* NULL is fine */

enum { FEED_THINGS_MAX = 512 }; /* that can have changed between two looks; past that they are lost */

/* A thing that changed. */
struct feed_change {
  enum change_kind kind; /* RECORDING, CALL */
  bool is_progress;      /* of a recording: nothing changed but how much of it is here */
  int64_t seq;
  char id[SID_SIZE];
};

struct feed_parts {
  struct db_readers *readers;
  unsigned loops;
  int64_t seq; /* the last change before those that feed_change will tell of */
  /* Hands a batch to that loop, which unrefs it. False: it can't now. */
  bool (*deliver)(void *arg, unsigned loop, struct feed_batch *batch);
  /* (a reader's thread) The object that a thing is to its business, as JSON. ERR_NOT_FOUND: it is no more. */
  enum err (*write)(void *arg, struct db *db, int64_t business_id, const struct feed_change *change, struct buf *b);
  void *arg;
};

CHECKED enum err feed_new(const struct feed_parts *parts, struct feed **ret_feed);
/* After readers and changes have ended, and all batches and events were let go. NULL is fine; always NULL. */
struct feed *feed_free(struct feed *f);
/* *ret_seq: 0: not known. ERR_BUSY: that business has `most` streams already. */
CHECKED enum err feed_join(struct feed *f, int64_t business_id, unsigned loop, int64_t most, int64_t *ret_seq);
void feed_leave(struct feed *f, int64_t business_id, unsigned loop);
bool feed_is_heard(const struct feed *f); /* somebody joined */
bool feed_is_heard_on(struct feed *f, int64_t business_id, unsigned loop);
/* The changes thread's. */
void feed_change(struct feed *f, const struct change *change);
void feed_tick(struct feed *f);
void feed_lost(struct feed *f); /* changes were missed, or the database is another */
/* (a reader's thread) What changed in a business behind seq `after`, as it is now; the batch is the caller's.
 * ERR_NOT_FOUND: that is not remembered; ERR_TOO_BIG: it is too much. */
CHECKED enum err feed_look(struct feed *f, struct db *db, int64_t business_id, int64_t after,
                           struct feed_batch **ret_batch);
