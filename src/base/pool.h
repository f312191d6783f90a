/* pool.h - a few threads that do what would block a loop.
 *
 *   pool_new("reads", 4, 1000, &pool);   pool_run(pool, work, arg);
 *
 * Thread rule: pool_run from any thread; new and free by the owner. */
#pragma once

#include "base/err.h"

#include <stddef.h>

struct pool;
typedef void pool_fn(void *arg, unsigned worker); /* worker: 0 … threads-1, who runs it: index of per-thread things */

CHECKED enum err pool_new(const char *name, unsigned threads, size_t queue_max, struct pool **ret_pool);
/* ERR_BUSY when queue_max wait already, ERR_CLOSED after pool_free began. */
CHECKED enum err pool_run(struct pool *p, pool_fn *fn, void *arg);
/* Runs what is queued, then ends the threads. NULL is fine. Always returns NULL. */
struct pool *pool_free(struct pool *p);
