/* lock.c - mutexes with a rank, and conditions on the monotonic clock.
 *
 * Invariants
 *  (1) The locks that a thread holds have strictly growing ranks in the order they were taken: two of one rank are
 * never held together. So no cycle of waiting can arise. (2) A thread that waits on a condition still counts as the
 * holder of its lock: it does nothing else meanwhile. (3) Whoever breaks (1) is a programmer's error: the process ends
 * and names both locks. Not with NDEBUG. */
#include "base/lock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* Mutex calls fail only when they are misused. */
static void must(int number, const char *what) {
  if (number == 0) return;
  dprintf(STDERR_FILENO, "lock: %s: %s\n", what, strerror(number));
  abort();
}

#ifndef NDEBUG

enum { HELD_MAX = 8 }; /* more than there are ranks */
static _Thread_local const struct lock *held[HELD_MAX];
static _Thread_local unsigned held_count;

static void held_add(const struct lock *l) {
  if (held_count > 0 && held[held_count - 1]->rank >= l->rank) {
    const struct lock *top = held[held_count - 1];
    dprintf(STDERR_FILENO, "lock: \"%s\" (rank %d) taken while \"%s\" (rank %d) is held\n", l->name, (int)l->rank,
            top->name, (int)top->rank);
    abort(); /* (3) */
  }
  if (held_count == HELD_MAX) must(EAGAIN, l->name);
  held[held_count++] = l;
}

static void held_drop(const struct lock *l) {
  for (unsigned i = held_count; i-- > 0;) {
    if (held[i] != l) continue;
    memmove(&held[i], &held[i + 1], (held_count - i - 1) * sizeof(held[0]));
    held_count--;
    return;
  }
  must(EPERM, l->name);
}

#else

static void held_add(const struct lock *l) {
  (void)l;
}
static void held_drop(const struct lock *l) {
  (void)l;
}

#endif

void lock_init(struct lock *l, const char *name, enum lock_rank rank) {
  must(pthread_mutex_init(&l->mutex, NULL), name);
  l->name = name;
  l->rank = rank;
}

void lock_done(struct lock *l) {
  must(pthread_mutex_destroy(&l->mutex), l->name);
}

void lock_take(struct lock *l) {
  held_add(l); /* before: a wrong order is said, not deadlocked upon */
  must(pthread_mutex_lock(&l->mutex), l->name);
}

void lock_release(struct lock *l) {
  held_drop(l);
  must(pthread_mutex_unlock(&l->mutex), l->name);
}

void lock_release_(struct lock **l) {
  lock_release(*l);
}

void lock_cond_init(struct lock_cond *c) {
  pthread_condattr_t monotonic;
  must(pthread_condattr_init(&monotonic), "condattr_init");
  must(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC), "condattr_setclock");
  must(pthread_cond_init(&c->cond, &monotonic), "cond_init");
  must(pthread_condattr_destroy(&monotonic), "condattr_destroy");
}

void lock_cond_done(struct lock_cond *c) {
  must(pthread_cond_destroy(&c->cond), "cond_destroy");
}

void lock_cond_wait(struct lock_cond *c, struct lock *l) {
  must(pthread_cond_wait(&c->cond, &l->mutex), l->name);
}

void lock_cond_wait_ms(struct lock_cond *c, struct lock *l, int64_t timeout_ms) {
  const int64_t day_ms = 24 * 3600 * 1000; /* keeps the sum in range */
  timeout_ms = clock_sleep_ms(timeout_ms < 0 ? 0 : timeout_ms);
  if (timeout_ms > day_ms) timeout_ms = day_ms;
  struct timespec until; /* the real clock, as the condition's own: tests move time by clock_sleep_ms */
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += (time_t)(timeout_ms / 1000);
  until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec++;
    until.tv_nsec -= 1000000000;
  }
  int number = pthread_cond_timedwait(&c->cond, &l->mutex, &until);
  if (number != ETIMEDOUT) must(number, l->name);
}

void lock_cond_signal(struct lock_cond *c) {
  must(pthread_cond_signal(&c->cond), "cond_signal");
}

void lock_cond_broadcast(struct lock_cond *c) {
  must(pthread_cond_broadcast(&c->cond), "cond_broadcast");
}
