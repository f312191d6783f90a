/* lock.c - mutexes with a rank, and conditions on the monotonic clock.
 *
 * Invariants
 *  (1) A thread takes locks in strictly growing rank, and never holds two of one rank. So threads can't deadlock.
 *  (2) A thread that waits on a condition still counts as the holder of its lock.
 *  (3) Breaking (1) is a programming error: the process names both locks and aborts. Builds with NDEBUG don't check. */
#include "base/lock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* Mutex calls fail only if they are misused: abort. */
static void lock_must(int number, const char *what) {
  if (number == 0) return;
  dprintf(STDERR_FILENO, "lock: %s: %s\n", what, strerror(number));
  abort();
}

#ifndef NDEBUG

enum { HELD_MAX = 8 }; /* more than there are ranks */
static _Thread_local const struct lock *lock_held[HELD_MAX];
static _Thread_local unsigned lock_held_count;

static void lock_held_push(const struct lock *l) {
  if (lock_held_count > 0 && lock_held[lock_held_count - 1]->rank >= l->rank) {
    const struct lock *top = lock_held[lock_held_count - 1];
    dprintf(STDERR_FILENO, "lock: \"%s\" (rank %d) taken while \"%s\" (rank %d) is held\n", l->name, (int)l->rank,
            top->name, (int)top->rank);
    abort(); /* (3) */
  }
  if (lock_held_count == HELD_MAX) lock_must(EAGAIN, l->name);
  lock_held[lock_held_count++] = l;
}

static void lock_held_remove(const struct lock *l) {
  for (unsigned i = lock_held_count; i-- > 0;) {
    if (lock_held[i] != l) continue;
    memmove(&lock_held[i], &lock_held[i + 1], (lock_held_count - i - 1) * sizeof(lock_held[0]));
    lock_held_count--;
    return;
  }
  lock_must(EPERM, l->name);
}

#else

static void lock_held_push(const struct lock *l) {
  (void)l;
}
static void lock_held_remove(const struct lock *l) {
  (void)l;
}

#endif

void lock_init(struct lock *l, const char *name, enum lock_rank rank) {
  lock_must(pthread_mutex_init(&l->mutex, NULL), name);
  l->name = name;
  l->rank = rank;
}

void lock_done(struct lock *l) {
  lock_must(pthread_mutex_destroy(&l->mutex), l->name);
}

void lock_take(struct lock *l) {
  lock_held_push(l); /* before the lock is taken, so that a wrong order is reported instead of deadlocking */
  lock_must(pthread_mutex_lock(&l->mutex), l->name);
}

void lock_release(struct lock *l) {
  lock_held_remove(l);
  lock_must(pthread_mutex_unlock(&l->mutex), l->name);
}

void lock_release_(struct lock **l) {
  lock_release(*l);
}

void lock_cond_init(struct lock_cond *c) {
  pthread_condattr_t monotonic;
  lock_must(pthread_condattr_init(&monotonic), "condattr_init");
  lock_must(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC), "condattr_setclock");
  lock_must(pthread_cond_init(&c->cond, &monotonic), "cond_init");
  lock_must(pthread_condattr_destroy(&monotonic), "condattr_destroy");
}

void lock_cond_done(struct lock_cond *c) {
  lock_must(pthread_cond_destroy(&c->cond), "cond_destroy");
}

void lock_cond_wait(struct lock_cond *c, struct lock *l) {
  lock_must(pthread_cond_wait(&c->cond, &l->mutex), l->name);
}

void lock_cond_wait_ms(struct lock_cond *c, struct lock *l, int64_t timeout_ms) {
  const int64_t day_ms = 24 * 3600 * 1000; /* keeps the sum in range */
  timeout_ms = clock_sleep_ms(timeout_ms < 0 ? 0 : timeout_ms);
  if (timeout_ms > day_ms) timeout_ms = day_ms;
  struct timespec until; /* the kernel's clock, as the condition's: clock_sleep_ms lets tests move time */
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += (time_t)(timeout_ms / 1000);
  until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec++;
    until.tv_nsec -= 1000000000;
  }
  int number = pthread_cond_timedwait(&c->cond, &l->mutex, &until);
  if (number != ETIMEDOUT) lock_must(number, l->name);
}

void lock_cond_signal(struct lock_cond *c) {
  lock_must(pthread_cond_signal(&c->cond), "cond_signal");
}

void lock_cond_broadcast(struct lock_cond *c) {
  lock_must(pthread_cond_broadcast(&c->cond), "cond_broadcast");
}
