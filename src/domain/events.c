/* events.c - watches in a table by (business, recording).
 *
 *   new --events_watch--> WATCHING --events_notify: on_change--> WATCHING --events_unwatch--> freed
 *
 * Invariants
 *  (1) The lock (rank DOMAIN) covers the table. on_change runs under it. So once events_unwatch has the lock,
 *      on_change is not running and will not be called.
 *  (2) on_change takes locks of higher rank only, and never calls into events. */
#include "domain/events.h"

#include <stdlib.h>
#include <string.h>

#include "base/lock.h"
#include "ledger/recordings.h"

enum { EVENTS_BUCKETS = 4096 }; /* far more than recordings that are watched at a time */

struct events_watch {
  struct events *events;
  struct events_watch *next, **link; /* link: the pointer that points here */
  void (*on_change)(void *arg);
  void *arg;
  int64_t business_id;
  char recording_sid[SID_SIZE];
};

struct events {
  struct lock lock;
  struct events_watch *buckets[EVENTS_BUCKETS];
};

static struct events_watch **events_bucket_of(struct events *e, int64_t business_id, struct str sid) {
  return &e->buckets[str_hash(sid, (uint64_t)business_id) % EVENTS_BUCKETS];
}

enum err events_new(struct events **ret_events) {
  struct events *e = calloc(1, sizeof(*e));
  if (!e) return ERR_NOMEM;
  lock_init(&e->lock, "events", LOCK_RANK_DOMAIN);
  *ret_events = e;
  return OK;
}

struct events *events_free(struct events *e) {
  if (!e) return NULL;
  for (size_t i = 0; i < EVENTS_BUCKETS; i++)
    while (e->buckets[i]) events_unwatch(e->buckets[i]);
  lock_done(&e->lock);
  free(e);
  return NULL;
}

enum err events_watch(struct events *e, int64_t business_id, struct str recording_sid, void (*on_change)(void *arg),
                      void *arg, struct events_watch **ret_watch) {
  struct events_watch *w = calloc(1, sizeof(*w));
  if (!w) return ERR_NOMEM;
  enum err failed = str_copy(w->recording_sid, sizeof(w->recording_sid), recording_sid);
  if (failed != OK) {
    free(w);
    return failed;
  }
  w->events = e;
  w->on_change = on_change;
  w->arg = arg;
  w->business_id = business_id;
  LOCKED(&e->lock);
  w->link = events_bucket_of(e, business_id, recording_sid);
  w->next = *w->link;
  if (w->next) w->next->link = &w->next;
  *w->link = w;
  *ret_watch = w;
  return OK;
}

void events_unwatch(struct events_watch *w) {
  if (!w) return;
  lock_take(&w->events->lock);
  *w->link = w->next;
  if (w->next) w->next->link = w->link;
  lock_release(&w->events->lock);
  free(w);
}

void events_notify(struct events *e, int64_t business_id, struct str recording_sid) {
  LOCKED(&e->lock);
  for (struct events_watch *w = *events_bucket_of(e, business_id, recording_sid); w; w = w->next)
    if (w->business_id == business_id && str_eq(str_from(w->recording_sid), recording_sid)) w->on_change(w->arg);
}

void events_notify_all(struct events *e) {
  LOCKED(&e->lock);
  for (size_t i = 0; i < EVENTS_BUCKETS; i++)
    for (struct events_watch *w = e->buckets[i]; w; w = w->next) w->on_change(w->arg);
}
