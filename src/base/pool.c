/* pool.c - threads that take jobs from one bounded queue.
 *
 *   OPEN --pool_free--> CLOSING --queue empty--> threads end --joined--> freed
 *
 * Invariants
 *  (1) The lock (rank BASE) covers first, waiting and closing; no work runs under it.
 *  (2) Work that pool_run took is run exactly once, in the order it was taken, also while closing.
 *  (3) The ring is allocated at birth: taking work needs no memory. */
#include "base/pool.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/lock.h"

struct job {
  pool_fn *fn;
  void *arg;
};

struct pool_thread {
  struct pool *pool;
  unsigned number;
  pthread_t thread;
};

struct pool {
  struct lock lock;
  struct lock_cond work; /* a job waits, or closing */
  bool closing;
  size_t first, waiting, queue_max; /* the ring: waiting jobs from ring[first] on */
  struct job *ring;
  unsigned started; /* threads that run */
  struct pool_thread threads[];
};

static bool pool_take(struct pool *p, struct job *ret_job) {
  LOCKED(&p->lock);
  while (p->waiting == 0 && !p->closing) lock_cond_wait(&p->work, &p->lock);
  if (p->waiting == 0) return false;
  *ret_job = p->ring[p->first];
  p->first = (p->first + 1) % p->queue_max;
  p->waiting--;
  return true;
}

static void *pool_thread_main(void *arg) {
  const struct pool_thread *self = arg;
  struct job job;
  while (pool_take(self->pool, &job)) job.fn(job.arg, self->number);
  return NULL;
}

/* With all signals blocked: they are the main thread's. */
static enum err pool_start(struct pool *p, const char *name, unsigned threads) {
  sigset_t all, before;
  sigfillset(&all);
  if (pthread_sigmask(SIG_BLOCK, &all, &before) != 0) return ERR_IO;
  int number = 0;
  while (number == 0 && p->started < threads) {
    struct pool_thread *t = &p->threads[p->started];
    *t = (struct pool_thread){.pool = p, .number = p->started};
    number = pthread_create(&t->thread, NULL, pool_thread_main, t);
    if (number != 0) break;
    char title[16]; /* the kernel's limit */
    (void)snprintf(title, sizeof(title), "%.11s-%u", name, t->number % 1000);
    (void)pthread_setname_np(t->thread, title); /* for debuggers only */
    p->started++;
  }
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL); /* can't fail: the mask is one it returned */
  return number ? err_from_errno(number) : OK;
}

enum err pool_new(const char *name, unsigned threads, size_t queue_max, struct pool **ret_pool) {
  assert(threads > 0 && queue_max > 0);
  struct pool *p = calloc(1, sizeof(*p) + threads * sizeof(p->threads[0]));
  if (!p) return ERR_NOMEM;
  lock_init(&p->lock, name, LOCK_RANK_BASE);
  lock_cond_init(&p->work);
  p->queue_max = queue_max;
  p->ring = calloc(queue_max, sizeof(p->ring[0]));
  enum err e = p->ring ? pool_start(p, name, threads) : ERR_NOMEM;
  if (e != OK) {
    pool_free(p);
    return e;
  }
  *ret_pool = p;
  return OK;
}

enum err pool_run(struct pool *p, pool_fn *fn, void *arg) {
  LOCKED(&p->lock);
  if (p->closing) return ERR_CLOSED;
  if (p->waiting == p->queue_max) return ERR_BUSY;
  p->ring[(p->first + p->waiting) % p->queue_max] = (struct job){fn, arg};
  p->waiting++;
  lock_cond_signal(&p->work);
  return OK;
}

static void pool_close(struct pool *p) {
  LOCKED(&p->lock);
  p->closing = true;
  lock_cond_broadcast(&p->work);
}

struct pool *pool_free(struct pool *p) {
  if (!p) return NULL;
  pool_close(p);
  for (unsigned i = 0; i < p->started; i++) (void)pthread_join(p->threads[i].thread, NULL); /* joinable, not self */
  lock_cond_done(&p->work);
  lock_done(&p->lock);
  free(p->ring);
  free(p);
  return NULL;
}
