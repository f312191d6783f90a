/* loop.c - one loop thread: its events, posts, deadlines and timers.
 *
 * A turn: epoll_wait -> events of connections -> posts -> deadlines -> timers -> ready connections -> heavy connections,
 * 1 MiB of them -> reuse closed connections.
 *
 * Invariants
 *  (1) A connection belongs to one loop for its life; all but functions marked (any thread) runs on that loop.
 *  (2) Each list of deadlines has one delay, so appending keeps it in order: setting and expiring are O(1).
 *  (3) A closed connection is not reused before the turn's end: a later event of the same batch finds it closed.
 *  (4) The lock covers the chain of posts and `closing`; no callback runs under it. Posts run in order.
 *  (5) timers has room for every living exchange: setting a timer can't fail.
 *  (6) Answers with much of a file left are sent from `heavy`, in turns and 1 MiB per turn of the loop: a small answer waits
 *      for at most one of them, however many there are. */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metric.h"
#include "http/internal.h"

void link_init(struct link *list) {
  list->prev = list->next = list;
}

void link_append(struct link *list, struct link *item) {
  item->prev = list->prev;
  item->next = list;
  list->prev->next = item;
  list->prev = item;
}

void link_remove(struct link *item) {
  item->prev->next = item->next;
  item->next->prev = item->prev;
  item->prev = item->next = item;
}

bool loop_is_here(const struct loop *l) {
  return pthread_equal(l->thread, pthread_self());
}

/* ---- posts ---- */

void loop_wake(struct loop *l) {
  (void)!write(l->event, &(uint64_t){1},
               sizeof(uint64_t)); /* fails only if the counter is full: then a wake-up is pending */
}

static bool chain_post(struct loop *l, struct post *p) {
  bool first;
  {
    LOCKED(&l->lock);
    if (l->closing) return false;
    first = !l->posts;
    p->next = NULL;
    *l->posts_end = p;
    l->posts_end = &p->next;
  }
  if (first) loop_wake(l);
  return true;
}

enum err loop_post(struct loop *l, void (*fn)(void *arg), void *arg) {
  struct post *p = malloc(sizeof(*p));
  if (!p) return ERR_NOMEM;
  *p = (struct post){.u.loop_fn = fn, .arg = arg};
  if (chain_post(l, p)) return OK;
  free(p);
  return ERR_CLOSED;
}

bool loop_post_node(struct loop *l, struct post *p) {
  return chain_post(l, p);
}

static void run_post(struct post *p) {
  struct post copy = *p;
  if (p->busy)
    atomic_store_explicit(p->busy, false, memory_order_release);
  else
    free(p);
  if (copy.x)
    copy.u.fn(copy.x, copy.arg);
  else
    copy.u.loop_fn(copy.arg);
}

void loop_run_posts(struct loop *l) {
  struct post *p;
  {
    LOCKED(&l->lock);
    p = l->posts;
    l->posts = NULL;
    l->posts_end = &l->posts;
  }
  while (p) {
    struct post *next = p->next; /* read before it runs: its memory may belong to an exchange that ends */
    run_post(p);
    p = next;
  }
}

/* ---- deadlines and timers ---- */

static int64_t delay_ms(const struct loop *l, enum deadline d) {
  const struct http_config *config = &l->server->config;
  const int64_t delays_ms[DEADLINES] = {
      [DEADLINE_IDLE] = config->idle_ms, [DEADLINE_HEAD] = config->head_ms, [DEADLINE_BODY] = config->body_ms,
      [DEADLINE_PACE] = config->pace_ms, [DEADLINE_LINGER] = LINGER_MS,     [DEADLINE_FILE] = FILE_WAIT_MS,
  };
  return delays_ms[d];
}

int64_t loop_waited_ms(const struct conn *c) {
  return c->loop->now_ms - (c->deadline_ms - delay_ms(c->loop, c->deadline));
}

void loop_set_deadline(struct conn *c, enum deadline d) {
  struct loop *l = c->loop;
  if (d == DEADLINE_NONE && c->deadline == DEADLINE_NONE) return;
  link_remove(&c->in_deadline);
  link_append(&l->deadlines[d], &c->in_deadline);
  c->deadline = d;
  c->deadline_ms = l->now_ms + delay_ms(l, d);
}

void loop_make_ready(struct conn *c) {
  if (c->ready) return;
  c->ready = true;
  link_append(&c->loop->ready, &c->in_ready);
}

void loop_make_heavy(struct conn *c) {
  if (c->ready) return;
  c->ready = true;
  link_append(&c->loop->heavy, &c->in_ready);
}

static void timer_put(struct loop *l, size_t i, struct http_exchange *x) {
  l->timers[i] = x;
  x->timer_at = i + 1;
}

static void timer_up(struct loop *l, size_t i, struct http_exchange *x) {
  for (; i > 0 && l->timers[(i - 1) / 2]->timer_ms > x->timer_ms; i = (i - 1) / 2)
    timer_put(l, i, l->timers[(i - 1) / 2]);
  timer_put(l, i, x);
}

static void timer_down(struct loop *l, size_t i, struct http_exchange *x) {
  for (size_t child; (child = 2 * i + 1) < l->timer_count; i = child) {
    if (child + 1 < l->timer_count && l->timers[child + 1]->timer_ms < l->timers[child]->timer_ms) child++;
    if (l->timers[child]->timer_ms >= x->timer_ms) break;
    timer_put(l, i, l->timers[child]);
  }
  timer_put(l, i, x);
}

void loop_clear_timer(struct http_exchange *x) {
  struct loop *l = x->loop;
  if (x->timer_at == 0) return;
  size_t i = x->timer_at - 1;
  x->timer_at = 0;
  struct http_exchange *last = l->timers[--l->timer_count];
  if (last == x) return;
  if (i > 0 && l->timers[(i - 1) / 2]->timer_ms > last->timer_ms)
    timer_up(l, i, last);
  else
    timer_down(l, i, last);
}

void loop_set_timer(struct http_exchange *x, int64_t at_ms) {
  struct loop *l = x->loop;
  loop_clear_timer(x);
  assert(l->timer_count < l->timer_cap); /* (5) */
  x->timer_ms = at_ms;
  timer_up(l, l->timer_count++, x);
}

static void run_timers(struct loop *l) {
  while (l->timer_count > 0 && l->timers[0]->timer_ms <= l->now_ms) {
    struct http_exchange *x = http_ref(l->timers[0]);
    loop_clear_timer(x);
    x->timer_fn(x, x->timer_arg);
    http_unref(x);
  }
}

static void run_deadlines(struct loop *l) {
  for (enum deadline d = DEADLINE_IDLE; d < DEADLINES; d++) {
    while (!link_empty(&l->deadlines[d])) {
      struct conn *c = LINK_OWNER(l->deadlines[d].next, struct conn, in_deadline);
      if (c->deadline_ms > l->now_ms) break;
      conn_timeout(c);
    }
  }
}

static int64_t next_wake_ms(const struct loop *l) {
  int64_t next = INT64_MAX;
  for (enum deadline d = DEADLINE_IDLE; d < DEADLINES; d++) {
    if (link_empty(&l->deadlines[d])) continue;
    int64_t at = LINK_OWNER(l->deadlines[d].next, struct conn, in_deadline)->deadline_ms;
    if (at < next) next = at;
  }
  if (l->timer_count > 0 && l->timers[0]->timer_ms < next) next = l->timers[0]->timer_ms;
  if (l->accept_again_ms > 0 && l->accept_again_ms < next) next = l->accept_again_ms;
  return next;
}

static int wait_ms(const struct loop *l) {
  if (!link_empty(&l->ready) || !link_empty(&l->heavy)) return 0;
  int64_t next = next_wake_ms(l), most = INT32_MAX;
#ifdef CALLREEL_TEST_HOOKS
  most = 50; /* tests move the clock */
#endif
  int64_t left = next == INT64_MAX ? INT64_MAX : next - clock_mono_ms();
  if (left == INT64_MAX && most == INT32_MAX) return -1;
  return (int)(left < 0 ? 0 : left > most ? most : left);
}

/* ---- the turn ---- */

/* Runs the connections that are ready now; those that become ready meanwhile run in the next turn. */
static void run_ready(struct loop *l) {
  struct link now;
  if (link_empty(&l->ready)) return;
  now = l->ready;
  now.next->prev = now.prev->next = &now;
  link_init(&l->ready);
  while (!link_empty(&now)) {
    struct conn *c = LINK_OWNER(now.next, struct conn, in_ready);
    link_remove(&c->in_ready);
    c->ready = false;
    conn_run(c);
  }
}

/* (6) */
static void run_heavy(struct loop *l) {
  l->heavy_sent = 0;
  l->in_heavy = true;
  while (!link_empty(&l->heavy) && l->heavy_sent < HEAVY_A_TURN) {
    struct conn *c = LINK_OWNER(l->heavy.next, struct conn, in_ready);
    link_remove(&c->in_ready);
    c->ready = false;
    l->heavy_sent += HEAVY_COST_MIN;
    conn_run(c);
  }
  l->in_heavy = false;
}

static void free_dead(struct loop *l) {
  while (!link_empty(&l->dead)) {
    struct conn *c = LINK_OWNER(l->dead.next, struct conn, in_ready);
    link_remove(&c->in_ready);
    c->in_ready.next = l->free_conns ? &l->free_conns->in_ready : NULL;
    l->free_conns = c;
  }
}

/* Resets all connections. */
static void cut_all(struct loop *l) {
  for (enum deadline d = 0; d < DEADLINES; d++)
    while (!link_empty(&l->deadlines[d])) conn_close(LINK_OWNER(l->deadlines[d].next, struct conn, in_deadline), true);
}

/* Closes idle connections unless the kernel already has bytes of a request. */
static void close_idle(struct loop *l) {
  struct link idle;
  if (link_empty(&l->deadlines[DEADLINE_IDLE])) return;
  idle = l->deadlines[DEADLINE_IDLE];
  idle.next->prev = idle.prev->next = &idle;
  link_init(&l->deadlines[DEADLINE_IDLE]);
  while (!link_empty(&idle)) {
    struct conn *c = LINK_OWNER(idle.next, struct conn, in_deadline);
    link_remove(&c->in_deadline);
    link_append(&l->deadlines[DEADLINE_IDLE], &c->in_deadline);
    c->readable = true;
    conn_run(c);
  }
}

static void follow_phase(struct loop *l) {
  enum server_phase phase = (enum server_phase)atomic_load(&l->server->phase);
  if (phase == l->phase) return;
  bool first = l->phase == PHASE_OPEN;
  l->phase = phase;
  if (first) {
    server_accept(l); /* connections that the kernel has accepted are still answered */
    server_stop_listening(l);
    close_idle(l);
  }
  if (phase == PHASE_CUT) cut_all(l);
}

static void loop_turn(struct loop *l) {
  struct epoll_event events[256];
  int n = epoll_wait(l->epoll, events, COUNT_OF(events), wait_ms(l));
  int64_t began_us = clock_mono_us();
  l->now_ms = clock_mono_ms();
  l->date_fresh = false;
  for (int i = 0; i < n; i++) {
    void *whose = events[i].data.ptr;
    if (whose == &l->event)
      (void)!read(l->event, &(uint64_t){0}, sizeof(uint64_t));
    else if (whose == l->server)
      server_accept(l);
    else
      conn_event(whose, events[i].events);
  }
  loop_run_posts(l);
  follow_phase(l);
  run_deadlines(l);
  run_timers(l);
  if (l->accept_again_ms > 0 && l->accept_again_ms <= l->now_ms) server_listen(l);
  run_ready(l);
  run_heavy(l);
  free_dead(l);
  metric_observe(METRIC_LOOP_TURN_SECONDS, clock_mono_us() - began_us);
}

static void *loop_main(void *arg) {
  struct loop *l = arg;
  l->thread = pthread_self();
  (void)pthread_setname_np(l->thread, "http loop");
  while (!atomic_load(&l->stop)) loop_turn(l);
  return NULL;
}

/* ---- birth and end ---- */

static enum err watch_wakeups(struct loop *l) {
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = &l->event};
  return epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->event, &e) == 0 ? OK : ERR_IO;
}

enum err loop_open(struct loop *l, struct http_server *s, unsigned index) {
  *l = (struct loop){.server = s, .index = index, .thread = pthread_self()};
  lock_init(&l->lock, "http posts", LOCK_RANK_ENGINE);
  l->posts_end = &l->posts;
  for (enum deadline d = 0; d < DEADLINES; d++) link_init(&l->deadlines[d]);
  link_init(&l->extras);
  link_init(&l->ready);
  link_init(&l->heavy);
  link_init(&l->dead);
  l->now_ms = clock_mono_ms();
  l->date_s = -1;
  l->epoll = epoll_create1(EPOLL_CLOEXEC);
  l->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  l->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (l->epoll < 0 || l->event < 0 || l->spare < 0) return err_from_errno(errno);
  return watch_wakeups(l);
}

enum err loop_start(struct loop *l) {
  sigset_t all, before;
  server_listen(l);
  sigfillset(&all); /* SIGPIPE in particular: sendfile has no MSG_NOSIGNAL */
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failed = pthread_create(&l->joinable, NULL, loop_main, l);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (failed) return err_from_errno(failed);
  l->started = true;
  return OK;
}

void loop_stop(struct loop *l) {
  atomic_store(&l->stop, true);
  if (!l->started) return;
  loop_wake(l);
  (void)pthread_join(l->joinable, NULL);
  l->started = false;
}

static void run_last_posts(struct loop *l) {
  l->thread = pthread_self();
  cut_all(l);
  loop_run_posts(l);
  {
    LOCKED(&l->lock);
    l->closing = true;
  }
  loop_run_posts(l);
  free_dead(l);
}

void loop_close(struct loop *l) {
  if (!l->posts_end) return; /* was never opened */
  run_last_posts(l);
  for (struct conn *c = l->free_conns, *next; c; c = next) {
    struct link *following = c->in_ready.next;
    next = following ? LINK_OWNER(following, struct conn, in_ready) : NULL;
    free(c);
  }
  exchange_free_pooled(l);
  for (struct bytes *b = l->free_bytes, *next; b; b = next) {
    next = b->next;
    free(b);
  }
  free(l->timers);
  if (l->epoll >= 0) (void)close(l->epoll);
  if (l->event >= 0) (void)close(l->event);
  if (l->spare >= 0) (void)close(l->spare);
  lock_done(&l->lock);
}

/* ---- the date, and pooled buffers ---- */

struct str loop_date(struct loop *l) {
  if (!l->date_fresh) {
    int64_t s = clock_now_ms() / 1000;
    l->date_fresh = true;
    if (s != l->date_s) {
      char text[DATE_TEXT_SIZE];
      date_format_http(s * 1000, text);
      l->date_s = s;
      size_t n = strlen(text);
      memcpy(l->date, "Date: ", 6);
      memcpy(l->date + 6, text, n);
      memcpy(l->date + 6 + n, "\r\n", 2);
      l->date_n = n + 8;
    }
  }
  return str_of(l->date, l->date_n);
}

struct bytes *loop_take_bytes(struct loop *l) {
  struct bytes *b = l->free_bytes;
  if (b) {
    l->free_bytes = b->next;
    l->free_bytes_count--;
    return b;
  }
  b = malloc(BUFFER_SIZE);
  if (b) b->cap = BUFFER_SIZE - sizeof(*b);
  return b;
}

struct bytes *loop_take_large_bytes(struct loop *l, size_t cap) {
  struct bytes *b = malloc(sizeof(*b) + cap);
  if (!b) return NULL;
  b->cap = cap;
  l->held_bytes += cap;
  return b;
}

void loop_give_bytes(struct loop *l, struct bytes *b) {
  if (!b) return;
  if (b->cap != BUFFER_SIZE - sizeof(*b)) l->held_bytes -= b->cap;
  if (b->cap != BUFFER_SIZE - sizeof(*b) || l->free_bytes_count == FREE_MAX) {
    free(b);
    return;
  }
  b->next = l->free_bytes;
  l->free_bytes = b;
  l->free_bytes_count++;
}
