/* fetch.c - the fetch thread: a loop around curl_multi_poll.
 *
 * A turn: posts -> tick -> begin waiting transfers -> curl_multi_perform -> ended hops -> time limits -> free ended transfers
 * -> curl_multi_poll.
 *
 * Invariants
 *  (1) The thread owns the transfers, in one list in the order of their start. Only free_ended, at the end of a turn, removes
 *      and frees them, so every callback may start and cancel any transfer.
 *  (2) At most max_connections transfers are ACTIVE. The others wait in this list, not in curl, so that connect_ms begins when
 *      they begin to connect.
 *  (3) The lock covers the posts and `closing`; no callback runs under it.
 *  (4) A post that was accepted runs: posts that are left when the thread ends run after the last on_end.
 *  (5) There is one connection pool; each transfer checks whether it may use a connection (fetch_transfer.c). */
#include "fetch/fetch.h"

#include <assert.h>
#include <curl/curl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/lock.h"
#include "fetch/fetch_transfer.h"

enum {
  DEFAULT_CONNECTIONS = 64,
  CONNECTIONS_MAX = 4096,
  TRANSFERS_MAX = 4096,
  POSTS_MAX = 65536,
  SLEEP_MAX_MS = 60000
};

struct fetch {
  struct fetch_config config;
  char *user_agent;
  char *name;
  pthread_t thread;
  CURLM *multi;

  struct lock lock; /* (3) */
  struct fetch_task *posts, **posts_end;
  size_t post_count;
  bool closing;

  atomic_bool woken;

  /* used by the fetch thread only */
  struct fetch_transfer *transfers;
  size_t transfer_count;
  unsigned active;
  bool stopping;
  bool tick_due;
  int64_t tick_at_ms;
};

static _Thread_local struct fetch *current; /* the fetch whose thread this is */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void curl_begin(void) {
  curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* To be called under the lock. */
static void append_task(struct fetch *f, struct fetch_task *task) {
  task->next = NULL;
  *f->posts_end = task;
  f->posts_end = &task->next;
  f->post_count++;
}

enum err fetch_post(struct fetch *f, void (*fn)(void *arg), void *arg) {
  struct fetch_task *task = malloc(sizeof(*task));
  if (!task) return ERR_NOMEM;
  *task = (struct fetch_task){.fn = fn, .arg = arg, .is_owned = true};
  enum err e = OK;
  {
    LOCKED(&f->lock);
    if (f->closing) {
      e = ERR_CLOSED;
    } else if (f->post_count >= POSTS_MAX) {
      e = ERR_BUSY;
    } else {
      append_task(f, task);
    }
  }
  if (e != OK) {
    free(task);
    return e;
  }
  fetch_wake(f);
  return OK;
}

void fetch_post_task(struct fetch *f, struct fetch_task *task) {
  task->is_owned = false;
  {
    LOCKED(&f->lock);
    assert(!f->closing);
    append_task(f, task);
  }
  fetch_wake(f);
}

void fetch_wake(struct fetch *f) {
  atomic_store(&f->woken, true);
  (void)curl_multi_wakeup(f->multi); /* fails only when a wake-up is pending already */
}

enum err fetch_start(struct fetch *f, const struct fetch_request *request, struct fetch_transfer **ret_transfer) {
  assert(current == f);
  if (f->stopping) return ERR_CLOSED;
  if (f->transfer_count >= TRANSFERS_MAX) return ERR_BUSY;
  struct fetch_transfer *t;
  TRY(transfer_new(request, clock_mono_ms(), &t));
  t->fetch = f;
  DL_APPEND(f->transfers, t);
  f->transfer_count++;
  *ret_transfer = t;
  return OK;
}

void fetch_cancel(struct fetch_transfer *t) {
  assert(current == t->fetch);
  transfer_end(t, FETCH_STOPPED, "cancelled");
}

static void run_posts(struct fetch *f) {
  struct fetch_task *list;
  {
    LOCKED(&f->lock);
    list = f->posts;
    f->posts = NULL;
    f->posts_end = &f->posts;
    f->post_count = 0;
  }
  while (list) {
    struct fetch_task *task = list;
    list = task->next;
    bool is_owned = task->is_owned; /* fn may free a task that is not owned */
    task->fn(task->arg);
    if (is_owned) free(task);
    f->tick_due = true;
  }
}

/* The wait counts from before the tick: if the clock moves while it runs, the next tick is due at once. */
static void run_tick(struct fetch *f) {
  if (atomic_exchange(&f->woken, false)) f->tick_due = true;
  int64_t now = clock_mono_ms();
  if (!f->config.tick || (!f->tick_due && now < f->tick_at_ms)) return;
  f->tick_due = false;
  int64_t wait = f->config.tick(f->config.arg);
  f->tick_at_ms = now + (wait < 0 ? 0 : wait > SLEEP_MAX_MS ? SLEEP_MAX_MS : wait);
}

static void begin_waiting(struct fetch *f) {
  int64_t now = clock_mono_ms();
  struct fetch_transfer *t;
  DL_FOREACH (f->transfers, t) {
    if (f->active >= f->config.max_connections) return; /* (2) */
    if (t->state != TRANSFER_WAITING) continue;
    transfer_begin(t, f->multi, f->user_agent, now);
    if (t->in_multi) f->active++;
  }
}

/* After a hop: frees the place of a transfer that curl does not run any more. */
static void count_hop(struct fetch *f, const struct fetch_transfer *t, bool was_in_multi) {
  if (was_in_multi && !t->in_multi) f->active--;
}

static void handle_ended_hops(struct fetch *f) {
  int left;
  for (CURLMsg *m = curl_multi_info_read(f->multi, &left); m; m = curl_multi_info_read(f->multi, &left)) {
    char *owner = NULL;
    if (m->msg != CURLMSG_DONE) continue;
    CURLcode code = m->data.result; /* m is freed with the handle */
    if (curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &owner) != CURLE_OK || !owner) continue;
    struct fetch_transfer *t = (void *)owner;
    transfer_hop_over(t, f->multi, code);
    count_hop(f, t, true);
  }
}

static void expire_transfers(struct fetch *f, int64_t now_ms) {
  struct fetch_transfer *t;
  DL_FOREACH (f->transfers, t) {
    bool was_in_multi = t->in_multi;
    transfer_expire(t, f->multi, now_ms);
    count_hop(f, t, was_in_multi);
  }
}

static void free_ended(struct fetch *f) {
  struct fetch_transfer *t, *next;
  DL_FOREACH_SAFE(f->transfers, t, next) {
    if (t->state != TRANSFER_ENDED) continue;
    DL_DELETE(f->transfers, t);
    f->transfer_count--;
    if (t->in_multi) f->active--;
    transfer_free(t, f->multi);
    f->tick_due = true;
  }
}

/* The ms until something is due. */
static int64_t ms_until_due(struct fetch *f) {
  int64_t now = clock_mono_ms();
  int64_t until = now + SLEEP_MAX_MS;
  if (f->config.tick) {
    if (f->tick_due) return 0;
    if (f->tick_at_ms < until) until = f->tick_at_ms;
  }
  struct fetch_transfer *t;
  DL_FOREACH (f->transfers, t) {
    if (t->state == TRANSFER_WAITING && f->active < f->config.max_connections) return 0;
    int64_t deadline = transfer_deadline_ms(t);
    if (deadline < until) until = deadline;
  }
  return until > now ? until - now : 0;
}

static void run_turn(struct fetch *f) {
  int running;
  run_posts(f);
  run_tick(f);
  begin_waiting(f);
  int64_t now = clock_mono_ms();                /* (4) of fetch_transfer.c: read before curl_multi_perform */
  (void)curl_multi_perform(f->multi, &running); /* errors of transfers are reported by curl_multi_info_read */
  handle_ended_hops(f);
  expire_transfers(f, now);
  free_ended(f);
  int wait = (int)clock_sleep_ms(ms_until_due(f));
  /* If curl has no memory to poll, wait a little so that the loop does not spin. */
  if (curl_multi_poll(f->multi, NULL, 0, wait, NULL) != CURLM_OK) (void)poll(NULL, 0, wait < 10 ? wait : 10);
}

static bool is_closing(struct fetch *f) {
  LOCKED(&f->lock);
  return f->closing;
}

static void *fetch_main(void *arg) {
  struct fetch *f = arg;
  current = f;
  while (!is_closing(f)) run_turn(f);
  f->stopping = true;
  struct fetch_transfer *t;
  DL_FOREACH (f->transfers, t) {
    transfer_end(t, FETCH_STOPPED, "shutting down");
  }
  run_posts(f); /* (4) */
  free_ended(f);
  return NULL;
}

static enum err make_multi(struct fetch *f) {
  (void)pthread_once(&curl_once, curl_begin);
  if (curl_ready != CURLE_OK) return ERR_UNSUPPORTED;
  f->multi = curl_multi_init();
  if (!f->multi) return ERR_NOMEM;
  long most = (long)f->config.max_connections;
  bool set = curl_multi_setopt(f->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, most) == CURLM_OK &&
             curl_multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, most) == CURLM_OK &&
             curl_multi_setopt(f->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) == CURLM_OK;
  return set ? OK : ERR_UNSUPPORTED;
}

/* Blocks all signals in the thread: a peer that closes is then an error of the write, not SIGPIPE. */
static enum err start_thread(struct fetch *f) {
  sigset_t all, before;
  (void)sigfillset(&all);
  if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) return ERR_IO;
  int failed = pthread_create(&f->thread, NULL, fetch_main, f);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (failed) return ERR_NOMEM;
  (void)pthread_setname_np(f->thread, f->name); /* fails only for a longer name */
  return OK;
}

static void free_fetch(struct fetch *f) {
  if (f->multi) (void)curl_multi_cleanup(f->multi);
  lock_done(&f->lock);
  free(f->user_agent);
  free(f->name);
  free(f);
}

enum err fetch_new(const struct fetch_config *config, struct fetch **ret_fetch) {
  struct fetch *f = calloc(1, sizeof(*f));
  if (!f) return ERR_NOMEM;
  lock_init(&f->lock, "fetch", LOCK_RANK_ENGINE);
  f->config = *config;
  if (f->config.max_connections == 0) f->config.max_connections = DEFAULT_CONNECTIONS;
  if (f->config.max_connections > CONNECTIONS_MAX) f->config.max_connections = CONNECTIONS_MAX;
  f->posts_end = &f->posts;
  f->tick_due = true;
  f->name = str_dup(str_from(config->name ? config->name : "fetch"));
  f->user_agent = str_dup(str_from(config->user_agent ? config->user_agent : "callreel/" CALLREEL_VERSION));
  enum err e = f->name && f->user_agent ? make_multi(f) : ERR_NOMEM;
  if (e == OK) e = start_thread(f);
  if (e != OK) {
    free_fetch(f);
    return e;
  }
  *ret_fetch = f;
  return OK;
}

struct fetch *fetch_free(struct fetch *f) {
  if (!f) return NULL;
  assert(current != f);
  {
    LOCKED(&f->lock);
    f->closing = true;
  }
  fetch_wake(f);
  (void)pthread_join(f->thread, NULL); /* fails for programmer errors only */
  free_fetch(f);
  return NULL;
}
