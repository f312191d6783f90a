/* exchange.c - a request and its answer, as the app sees them.
 *
 * Invariants
 *  (1) refs counts one for the server until the end, and the app's. The memory of the request's views lives as long.
 *  (2) When an exchange ends, conn is set to NULL, the source closed, the timer removed and the app's end function called,
 *      each once.
 *  (3) A pending wake keeps the memory of an exchange that has no refs any more.
 *  (4) Posts of an exchange run in order; the first of each kind in flight needs no allocation. */
#include <assert.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "http/internal.h"

/* (5) of loop.c: makes room for one timer per exchange. */
static bool reserve_timer(struct loop *l) {
  if (l->exchanges < l->timer_cap) return true;
  size_t cap = l->timer_cap ? l->timer_cap * 2 : 64;
  struct http_exchange **timers = realloc(l->timers, cap * sizeof(*timers));
  if (!timers) return false;
  l->timers = timers;
  l->timer_cap = cap;
  return true;
}

struct http_exchange *exchange_new(struct conn *c) {
  struct loop *l = c->loop;
  if (!reserve_timer(l)) return NULL;
  struct http_exchange *x = l->free_exchanges;
  if (x) {
    l->free_exchanges = x->next_free;
    l->free_exchange_count--;
  } else {
    x = malloc(sizeof(*x));
    if (!x) return NULL;
    buf_init(&x->out, OUT_MAX);
  }
  struct buf out = x->out;
  memset(x, 0, offsetof(struct http_exchange, headers));
  x->out = out;
  buf_clear(&x->out);
  x->loop = l;
  x->conn = c;
  atomic_init(&x->peer_state, c->peer_shut ? HTTP_PEER_SHUT : HTTP_PEER_THERE);
  x->refs = 1;
  memcpy(&x->peer, &c->peer, sizeof(c->peer));
  http_parse_init(&x->parse, l->server->config.head_max, x->headers, HTTP_HEADERS_MAX);
  l->exchanges++;
  return x;
}

static void exchange_free(struct http_exchange *x) {
  struct loop *l = x->loop;
  l->exchanges--;
  loop_give_bytes(l, TAKE(x->in));
  l->held_bytes -= x->body_held;
  if (x->body.p) buf_done(&x->body);
  if (x->out.cap > OUT_KEEP_MAX) buf_done(&x->out);
  if (l->free_exchange_count == FREE_MAX) {
    buf_done(&x->out);
    free(x);
    return;
  }
  x->next_free = l->free_exchanges;
  l->free_exchanges = x;
  l->free_exchange_count++;
}

void exchange_free_pooled(struct loop *l) {
  while (l->free_exchanges) {
    struct http_exchange *x = l->free_exchanges;
    l->free_exchanges = x->next_free;
    buf_done(&x->out);
    free(x);
  }
}

void exchange_end(struct http_exchange *x, bool complete) {
  assert(!x->ended); /* (2) */
  x->ended = true;
  x->conn = NULL;
  atomic_store_explicit(&x->peer_state, HTTP_PEER_GONE, memory_order_relaxed);
  loop_clear_timer(x);
  answer_drop(x);
  if (x->on_end) x->on_end(x, x->on_end_arg, complete, x->sent);
  http_unref(x);
}

const struct http_request *http_request(const struct http_exchange *x) {
  return &x->request;
}

void *http_app_arg(const struct http_exchange *x) {
  return x->loop->server->app.arg;
}

unsigned http_loop_index(const struct http_exchange *x) {
  return x->loop->index;
}

int64_t http_now_ms(const struct http_exchange *x) {
  return x->loop->now_ms;
}

const struct sockaddr_storage *http_peer(const struct http_exchange *x) {
  return &x->peer;
}

bool http_crowded(const struct http_exchange *x) {
  const struct http_server *s = x->loop->server;
  return (uint64_t)atomic_load_explicit(&s->conns, memory_order_relaxed) * 10 > (uint64_t)s->config.connections * 9;
}

bool http_over_limit(const struct http_exchange *x) {
  return x->conn && x->conn->extra;
}

void http_drop_body(struct http_exchange *x) {
  x->drops_body = true;
}

int64_t http_body_length(const struct http_exchange *x) {
  return x->parse.chunked ? -1 : x->parse.content_length > 0 ? x->parse.content_length : 0;
}

void http_set_data(struct http_exchange *x, void *data) {
  x->app_pointer = data;
}

void *http_data(const struct http_exchange *x) {
  return x->app_pointer;
}

struct http_exchange *http_ref(struct http_exchange *x) {
  x->refs++;
  return x;
}

void http_unref(struct http_exchange *x) {
  assert(x->refs > 0);
  if (--x->refs == 0 && !atomic_load_explicit(&x->own_wake_busy, memory_order_acquire)) exchange_free(x); /* (3) */
}

bool http_gone(const struct http_exchange *x) {
  return !x->conn;
}

enum http_presence http_presence(const struct http_exchange *x) {
  return (enum http_presence)atomic_load_explicit(&x->peer_state, memory_order_relaxed);
}

bool http_answered(const struct http_exchange *x) {
  return x->answered;
}

int http_status(const struct http_exchange *x) {
  return x->status;
}

void http_on_end(struct http_exchange *x, void (*fn)(struct http_exchange *x, void *arg, bool complete, int64_t sent),
                 void *arg) {
  x->on_end = fn;
  x->on_end_arg = arg;
}

void http_timer(struct http_exchange *x, int64_t delay_ms, void (*fn)(struct http_exchange *x, void *arg), void *arg) {
  assert(loop_is_here(x->loop));
  if (x->ended) return;
  if (delay_ms < 0) {
    loop_clear_timer(x);
    return;
  }
  x->timer_fn = fn;
  x->timer_arg = arg;
  loop_set_timer(x, clock_mono_ms() + delay_ms);
}

void http_post(struct http_exchange *x, void (*fn)(struct http_exchange *x, void *arg), void *arg) {
  struct post *p = NULL;
  while (!p) {
    if (!atomic_exchange_explicit(&x->own_post_busy, true, memory_order_acq_rel)) {
      p = &x->own_post;
      p->busy = &x->own_post_busy;
    } else if ((p = malloc(sizeof(*p)))) {
      p->busy = NULL;
    } else if (loop_is_here(x->loop)) {
      loop_run_posts(x->loop); /* no memory: running the posts before it frees own_post */
    } else {
      (void)sched_yield(); /* no memory: the loop will free own_post */
    }
  }
  p->x = x;
  p->u.fn = fn;
  p->arg = arg;
  if (!loop_post_node(x->loop, p) && !p->busy) free(p); /* only after http_server_free began: see http.h */
}

static void wake_here(struct http_exchange *x, void *arg) {
  (void)arg;
  if (x->refs == 0)
    exchange_free(x); /* (3) */
  else
    http_wake(x);
}

void http_wake(struct http_exchange *x) {
  struct conn *c = x->conn;
  assert(loop_is_here(x->loop));
  x->woken = true;
  if (c && c->state == CONN_ANSWER) loop_make_ready(c);
}

void http_wake_from_elsewhere(struct http_exchange *x) {
  /* A wake is pending already: it serves for this one too. */
  if (atomic_exchange_explicit(&x->own_wake_busy, true, memory_order_acq_rel)) return;
  x->own_wake = (struct post){.x = x, .u.fn = wake_here, .busy = &x->own_wake_busy};
  if (!loop_post_node(x->loop, &x->own_wake)) atomic_store(&x->own_wake_busy, false);
}

void http_abort(struct http_exchange *x) {
  struct conn *c = x->conn;
  assert(loop_is_here(x->loop));
  if (!c) return;
  if (c->running)
    c->doomed = true; /* closed as soon as its callback returns */
  else
    conn_close(c, true);
}

void http_close_after(struct http_exchange *x) {
  x->close_after = true;
}

void http_set_tags(struct http_exchange *x, const uint64_t tags[HTTP_TAGS]) {
  memcpy(x->tags, tags, sizeof(x->tags));
}

static int compare_tags(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static bool has_one_of(const struct http_exchange *x, const uint64_t *tags, size_t count) {
  for (size_t i = 0; i < COUNT_OF(x->tags); i++)
    if (x->tags[i] && bsearch(&x->tags[i], tags, count, sizeof(*tags), compare_tags)) return true;
  return false;
}

/* An answer under way waits for its peer, its turn or its file; one that waits for its source is its source's to end. */
void http_cut_tagged(struct http_server *s, unsigned i, const uint64_t *tags, size_t count) {
  static const enum deadline lists[] = {DEADLINE_PACE, DEADLINE_FILE};
  struct loop *l = &s->loops[i];
  assert(loop_is_here(l));
  for (size_t d = 0; d < COUNT_OF(lists); d++) {
    struct link *list = &l->deadlines[lists[d]], *next;
    for (struct link *item = list->next; item != list; item = next) {
      struct conn *c = LINK_OWNER(item, struct conn, in_deadline);
      next = item->next;
      if (c->x && has_one_of(c->x, tags, count)) http_abort(c->x);
    }
  }
}

void http_end_with_peer(struct http_exchange *x) {
  x->ends_with_peer = true;
}
