/* lock.h - mutexes that have a name and a rank.
 *
 * A thread takes locks in growing rank only. Builds without NDEBUG check this: a wrong order aborts and names both locks.
 *
 *   lock_init(&t->lock, "tapes", LOCK_RANK_DOMAIN);   { LOCKED(&t->lock); … }   lock_done(&t->lock);
 *
 * Thread rule: any thread. */
#pragma once

#include <pthread.h>
#include <stdint.h>

enum lock_rank {
  LOCK_RANK_API = 10,
  LOCK_RANK_WORK = 20,
  LOCK_RANK_DOMAIN = 30,
  LOCK_RANK_LEDGER = 40,
  LOCK_RANK_BLOB = 50,
  LOCK_RANK_ENGINE = 60, /* db, http, fetch */
  LOCK_RANK_BASE = 70,   /* pool, closer: no other lock is taken while one of these is held */
};

struct lock {
  pthread_mutex_t mutex;
  const char *name; /* static */
  enum lock_rank rank;
};

struct lock_cond {
  pthread_cond_t cond; /* on the monotonic clock */
};

void lock_init(struct lock *l, const char *name, enum lock_rank rank);
void lock_done(struct lock *l);
void lock_take(struct lock *l);
void lock_release(struct lock *l);
void lock_release_(struct lock **l); /* for LOCKED */

/* Takes l and releases it at the end of the block. */
#define LOCKED(l)                                                             \
  struct lock *locked_ __attribute__((cleanup(lock_release_), unused)) = (l); \
  lock_take(locked_)

void lock_cond_init(struct lock_cond *c);
void lock_cond_done(struct lock_cond *c);
void lock_cond_wait(struct lock_cond *c, struct lock *l);
/* Returns after timeout_ms at the latest. May return earlier without a signal: check the condition again. */
void lock_cond_wait_ms(struct lock_cond *c, struct lock *l, int64_t timeout_ms);
void lock_cond_signal(struct lock_cond *c);
void lock_cond_broadcast(struct lock_cond *c);
