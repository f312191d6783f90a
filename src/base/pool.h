/* pool.h - a few threads that run jobs which would block an event loop.
 *
 *   pool_new("reads", 4, 1000, &pool);   pool_run(pool, work, arg);
 *
 * Thread rule: pool_run from any thread; new and free by the owner. */
#pragma once

#include "base/err.h"

#include <stddef.h>

struct pool;
typedef void pool_fn(void *arg, unsigned worker); /* worker: number of the thread that runs it, 0 … threads-1 */

CHECKED enum err pool_new(const char *name, unsigned threads, size_t queue_max, struct pool **ret_pool);
/* Queues fn(arg). ERR_BUSY if queue_max jobs wait already, ERR_CLOSED after pool_free began: fn is not called then. */
CHECKED enum err pool_run(struct pool *p, pool_fn *fn, void *arg);
/* Runs the queued jobs, then ends the threads. Blocks until they are joined. NULL is fine. Always returns NULL. */
struct pool *pool_free(struct pool *p);
