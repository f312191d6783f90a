/* conn.c - the states of a connection.
 *
 *   IDLE --a byte--> HEAD --whole--> BODY --whole--> HELD --answered--> ANSWER --all sent--> IDLE   [next request]
 *                     |               |               (by the app)        |--body unread, small--> DISCARD --> IDLE
 *                     |-- malformed --|                                   |
 *                     |-- too slow  --|--> ANSWER (our own, closes)       |--"Connection: close"--> LINGER --> CLOSED
 *   (can_keep in response.c decides if an unread body is small enough to discard)
 *   any --reset, cut, time is up--> CLOSED
 *
 * Invariants
 *  (1) The descriptor is registered once, edge-triggered. `readable` is set by an event, and wherever bytes may be there
 *      without one (conn_new, start_linger). EAGAIN clears it; so does a short read, unless a FIN was received. The
 *      connection reads only what its state can process: that is the back-pressure.
 *  (2) `in` exists only while it holds bytes of a request or a request's views point into it, and it does not move while they
 *      do. A request that outlives its connection, or needs a buffer to itself, takes `in` over.
 *  (3) conn_run is never nested for one connection: answers are built in the app's callbacks and sent by conn_run.
 *  (4) A connection is in exactly one list of deadlines; while the app has the request it is in DEADLINE_NONE.
 *  (5) A closed connection is only in the loop's list of dead ones and its exchange has ended; the struct is reused after the
 *      turn.
 *  (6) A peer that is waited for during pace_ms and acknowledges less than least_pace bytes a second is cut. Bytes in our
 *      kernel's buffer do not count as acknowledged. Time without anything to send does not count either. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/metric.h"
#include "http/internal.h"

enum received {
  RECEIVED_SOME, /* bytes; or the request was refused, and c->state says what follows */
  RECEIVED_NONE, /* nothing yet */
  RECEIVED_END,  /* close: the peer has shut its side, an error, out of memory, or over the limit of held bytes */
};
enum { CHUNK_ROOM_MIN = 1024, BODY_STEP = 16 * 1024 };

/* ---- birth and end ---- */

static struct conn *alloc_conn(struct loop *l) {
  struct conn *c = l->free_conns;
  if (!c) return malloc(sizeof(*c));
  l->free_conns = c->in_ready.next ? LINK_OWNER(c->in_ready.next, struct conn, in_ready) : NULL;
  return c;
}

bool conn_new(struct loop *l, int fd, const struct sockaddr_storage *peer, bool extra) {
  struct conn *c = alloc_conn(l);
  if (!c) {
    struct conn lost = {.loop = l, .extra = extra};
    (void)close(fd);
    link_init(&lost.in_extra);
    server_conn_gone(&lost);
    return false;
  }
  *c = (struct conn){.loop = l, .fd = fd, .extra = extra, .state = CONN_IDLE};
  memcpy(&c->peer, peer, sizeof(c->peer));
  link_init(&c->in_deadline);
  link_init(&c->in_ready);
  link_init(&c->in_extra);
  if (extra) link_append(&l->extras, &c->in_extra);
  loop_set_deadline(c, DEADLINE_IDLE);
  struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
  if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) != 0) {
    conn_close(c, true);
    return false;
  }
  if (l->phase != PHASE_OPEN) { /* accepted just before draining: closes unless a request was received already */
    c->readable = true;
    loop_make_ready(c);
  }
  return true;
}

static void release_buffer(struct conn *c) {
  loop_give_bytes(c->loop, TAKE(c->in));
  c->from = c->to = 0;
}

void conn_close(struct conn *c, bool reset) {
  if (c->state == CONN_CLOSED) return;
  c->state = CONN_CLOSED;
  link_remove(&c->in_deadline);
  link_remove(&c->in_ready);
  c->ready = true; /* so that loop_make_ready does not add it to a list again */
  if (reset) {
    const struct linger none = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)); /* if this fails, it is a plain close */
  }
  (void)close(c->fd);
  struct http_exchange *x = TAKE(c->x);
  if (x) {
    if (x->refs > 1 && !x->in) x->in = TAKE(c->in);
    exchange_end(x, false);
  }
  release_buffer(c);
  link_append(&c->loop->dead, &c->in_ready);
  server_conn_gone(c);
}

/* Gives the request's buffer to the exchange and moves the unparsed bytes into a new one. False: no memory. */
static bool give_buffer_to_exchange(struct conn *c, struct http_exchange *x) {
  struct bytes *next = NULL;
  uint32_t left = c->to - c->from;
  if (left > 0) {
    next = left <= BUFFER_SIZE - sizeof(*next) ? loop_take_bytes(c->loop) : loop_take_large_bytes(c->loop, left);
    if (!next) return false;
    memcpy(next->p, c->in->p + c->from, left);
  }
  assert(!x->in);
  x->in = c->in;
  c->in = next;
  c->from = 0;
  c->to = left;
  return true;
}

/* ---- reading ---- */

/* Receives up to room bytes to `at`; at NULL: drops them. */
static enum received receive(struct conn *c, char *at, size_t room, size_t *ret_n) {
  if (!c->readable) return c->eof ? RECEIVED_END : RECEIVED_NONE;
  ssize_t n;
  do n = recv(c->fd, at, room, !at ? MSG_TRUNC : 0);
  while (n < 0 && errno == EINTR);
  if (n > 0) {
    if ((size_t)n < room && !c->peer_shut) c->readable = false;
    *ret_n = (size_t)n;
    return RECEIVED_SOME;
  }
  c->readable = false;
  if (n < 0 && errno == EAGAIN) return RECEIVED_NONE;
  c->eof = true;
  return RECEIVED_END;
}

/* Receives to the end of `in`. */
static enum received receive_into_buffer(struct conn *c) {
  if (!c->in) {
    if (!c->readable) return c->eof ? RECEIVED_END : RECEIVED_NONE;
    if (!(c->in = loop_take_bytes(c->loop))) return RECEIVED_END;
    c->from = c->to = 0;
  }
  size_t n = 0;
  enum received f = receive(c, c->in->p + c->to, c->in->cap - c->to, &n);
  c->to += (uint32_t)n;
  return f;
}

/* Makes room for more of a partial head: moves it to the front or into a larger buffer, and starts parsing again. */
static bool make_head_room(struct conn *c) {
  struct http_exchange *x = c->x;
  if (c->to < c->in->cap) return true;
  uint32_t n = c->to - c->from;
  if (c->from > 0) {
    memmove(c->in->p, c->in->p + c->from, n);
  } else {
    size_t cap = c->in->cap * 2;
    struct bytes *larger = server_hold(c->loop, cap) ? loop_take_large_bytes(c->loop, cap) : NULL;
    if (!larger) return false;
    memcpy(larger->p, c->in->p, n);
    loop_give_bytes(c->loop, c->in);
    c->in = larger;
  }
  c->from = 0;
  c->to = n;
  http_parse_init(&x->parse, c->loop->server->config.head_max, x->headers, HTTP_HEADERS_MAX);
  return true;
}

/* ---- the request ---- */

void conn_refuse(struct conn *c, int status, const char *reason) {
  struct http_exchange *x = c->x;
  char text[REFUSAL_MAX];
  x->answered = true;
  x->keep = false;
  size_t n = response_refusal(c->loop, x, status, reason, text, sizeof(text));
  if (n == 0 || buf_add(&x->out, str_of(text, n)) != OK) {
    conn_close(c, false);
    return;
  }
  c->state = CONN_ANSWER;
  if (!c->running) loop_make_ready(c);
}

static bool deliver_request(struct conn *c) {
  struct http_exchange *x = c->x;
  const struct http_app *app = &c->loop->server->app;
  x->body_state = BODY_NONE;
  x->seen = true;
  c->state = CONN_HELD;
  app->request(app->arg, x);
  if (!x->answered && x->refs == 1 && x->timer_at == 0 && !c->doomed)
    http_respond(x, 500, NULL, NULL); /* the app forgot it */
  if (c->state == CONN_HELD) loop_set_deadline(c, DEADLINE_NONE);
  return c->state != CONN_HELD;
}

static void send_continue(struct conn *c) {
  const struct str text = STR("HTTP/1.1 100 Continue\r\n\r\n");
  ssize_t n = send(c->fd, text.p, text.n, MSG_NOSIGNAL);
  if (n < 0) n = 0;
  if ((size_t)n < text.n && buf_add(&c->x->out, str_skip(text, (size_t)n)) != OK) c->doomed = true;
}

/* The head was received: calls the app's head function and prepares for the body. */
static bool start_request(struct conn *c) {
  struct http_exchange *x = c->x;
  const struct http_app *app = &c->loop->server->app;
  c->from += (uint32_t)x->parse.head_n;
  c->state = CONN_BODY;
  x->request.body = STR("");
  x->body_left = x->parse.content_length;
  x->body_state = x->parse.chunked ? BODY_CHUNKED : x->body_left > 0 ? BODY_LENGTH : BODY_NONE;
  x->body_max = 64 * 1024;
  if (c->extra) server_admit_extra(c);
  if (app->head) {
    x->body_max = 0;
    x->seen = true;
    app->head(app->arg, x, &x->body_max);
    if (c->doomed || x->answered) return !c->doomed;
  }
  if (x->body_state == BODY_NONE) return deliver_request(c);
  if (x->body_max > INT32_MAX) x->body_max = INT32_MAX;
  if (x->body_state == BODY_LENGTH && x->body_left > (int64_t)x->body_max) {
    conn_refuse(c, 413, "body too large");
    return c->state != CONN_CLOSED;
  }
  if (x->body_state == BODY_CHUNKED && c->in->cap - c->from < CHUNK_ROOM_MIN && !give_buffer_to_exchange(c, x)) {
    conn_close(c, true);
    return false;
  }
  http_chunked_init(&x->chunked, (int64_t)x->body_max);
  x->raw_at = c->from;
  x->body.max = x->body_max;
  if (x->parse.expects_continue && c->from == c->to) send_continue(c);
  loop_set_deadline(c, DEADLINE_BODY);
  return true;
}

static bool run_head(struct conn *c) {
  for (;;) {
    if (c->from < c->to) {
      if (!c->x && !(c->x = exchange_new(c))) break;
      enum http_parse_result r = http_parse_head(&c->x->parse, c->in->p + c->from, c->to - c->from, &c->x->request);
      if (r == HTTP_PARSE_DONE) return start_request(c);
      if (r == HTTP_PARSE_BAD) {
        conn_refuse(c, c->x->parse.status, c->x->parse.reason);
        return c->state != CONN_CLOSED;
      }
      if (c->state == CONN_IDLE) loop_set_deadline(c, DEADLINE_HEAD);
      c->state = CONN_HEAD;
      if (!make_head_room(c)) break;
    }
    enum received f = receive_into_buffer(c);
    if (f == RECEIVED_SOME) continue;
    if (f == RECEIVED_END || (c->state == CONN_IDLE && c->loop->phase != PHASE_OPEN)) break;
    if (c->state == CONN_IDLE) release_buffer(c);
    return false;
  }
  conn_close(c, false);
  return false;
}

/* ---- the body ---- */

/* Makes room for more of the body, which counts in the loop's held_bytes. */
static bool hold_body(struct http_exchange *x, size_t more) {
  if (x->body.cap - x->body.n >= more) return true;
  if (!server_hold(x->loop, more) || buf_reserve(&x->body, more) != OK) return false;
  x->loop->held_bytes += x->body.cap - x->body_held;
  x->body_held = x->body.cap;
  return true;
}

/* Receives a body that the app does not need, and keeps nothing. */
static enum received receive_and_drop_body(struct conn *c, bool *ret_whole) {
  struct http_exchange *x = c->x;
  while (x->body_left > 0) {
    size_t n = c->to - c->from;
    if (n == 0) {
      enum received f = receive(c, NULL, (size_t)x->body_left, &n);
      if (f != RECEIVED_SOME) return f;
    } else {
      if ((int64_t)n > x->body_left) n = (size_t)x->body_left;
      c->from += (uint32_t)n;
    }
    x->body_left -= (int64_t)n;
  }
  *ret_whole = true;
  return RECEIVED_SOME;
}

/* Receives a body into `in` if it fits there, else into x->body, which grows with what was received. */
static enum received receive_body_of_length(struct conn *c, bool *ret_whole) {
  struct http_exchange *x = c->x;
  if (x->drops_body) return receive_and_drop_body(c, ret_whole);
  bool in_place = x->body.n == 0 && c->in && (int64_t)(c->in->cap - c->from) >= x->body_left;
  if (in_place) {
    while (c->to - c->from < x->body_left) {
      enum received f = receive_into_buffer(c);
      if (f != RECEIVED_SOME) return f;
    }
    x->request.body = str_of(c->in->p + c->from, (size_t)x->body_left);
    c->from += (uint32_t)x->body_left;
  } else {
    size_t have = c->to - c->from;
    if (have > 0 && (!hold_body(x, have) || buf_add(&x->body, str_of(c->in->p + c->from, have)) != OK))
      return RECEIVED_END;
    c->from = c->to;
    x->body_left -= (int64_t)have;
    while (x->body_left > 0) {
      size_t n = 0, step = x->body_left < BODY_STEP ? (size_t)x->body_left : BODY_STEP;
      if (!hold_body(x, step)) return RECEIVED_END;
      enum received f = receive(c, x->body.p + x->body.n, step, &n);
      if (f != RECEIVED_SOME) return f;
      x->body.n += n;
      x->body_left -= (int64_t)n;
    }
    x->request.body = buf_str(&x->body);
  }
  *ret_whole = true;
  return RECEIVED_SOME;
}

static enum received receive_chunked_body(struct conn *c, bool *ret_whole) {
  struct http_exchange *x = c->x;
  for (;;) {
    while (c->from < c->to) {
      size_t used = 0;
      struct str part = STR_NONE;
      enum http_parse_result r = http_chunked_next(&x->chunked, c->in->p + c->from, c->to - c->from, &used, &part);
      c->from += (uint32_t)used;
      if (r == HTTP_PARSE_DATA && !x->drops_body && (!hold_body(x, part.n) || buf_add(&x->body, part) != OK))
        return RECEIVED_END;
      if (r == HTTP_PARSE_BAD) {
        conn_refuse(c, x->chunked.status, x->chunked.reason);
        return RECEIVED_SOME;
      }
      if (r != HTTP_PARSE_DONE) continue;
      x->request.body = x->body.n > 0 ? buf_str(&x->body) : STR("");
      *ret_whole = true;
      return RECEIVED_SOME;
    }
    c->from = c->to = x->raw_at;
    enum received f = receive_into_buffer(c);
    if (f != RECEIVED_SOME) return f;
  }
}

static bool run_body(struct conn *c) {
  bool whole = false;
  enum received f =
      c->x->body_state == BODY_CHUNKED ? receive_chunked_body(c, &whole) : receive_body_of_length(c, &whole);
  if (whole) return deliver_request(c);
  if (f == RECEIVED_NONE) return false;
  if (f == RECEIVED_END) conn_close(c, false);
  return c->state != CONN_CLOSED;
}

/* ---- the answer, and what follows it ---- */

static bool start_linger(struct conn *c) {
  release_buffer(c);
  if (c->eof || shutdown(c->fd, SHUT_WR) != 0) {
    conn_close(c, false);
    return false;
  }
  c->state = CONN_LINGER;
  c->discard = LINGER_BYTES;
  c->readable = true;
  loop_set_deadline(c, DEADLINE_LINGER);
  return true;
}

static bool start_next_request(struct conn *c) {
  c->state = CONN_IDLE;
  if (c->from == c->to) release_buffer(c);
  loop_set_deadline(c, DEADLINE_IDLE);
  return true;
}

static bool finish_answer(struct conn *c) {
  struct http_exchange *x = TAKE(c->x);
  bool keep = x->keep && !x->close_after;
  c->discard = x->body_state == BODY_LENGTH ? x->body_left : 0;
  if (x->refs > 1 && !x->in && !give_buffer_to_exchange(c, x)) {
    keep = false;
    x->in = TAKE(c->in);
  }
  exchange_end(x, true);
  if (c->state == CONN_CLOSED) return false;
  if (!keep) return start_linger(c);
  if (c->discard == 0) return start_next_request(c);
  c->state = CONN_DISCARD;
  loop_set_deadline(c, DEADLINE_BODY);
  return true;
}

/* ---- the peer's pace (6) ---- */

/* The bytes that the peer has acknowledged. *ret_left: the bytes that our kernel's buffer holds. */
static int64_t count_acknowledged(const struct conn *c, int *ret_left) {
  *ret_left = 0;
  (void)ioctl(c->fd, SIOCOUTQ, ret_left); /* can't fail on a TCP socket */
  return c->pushed - *ret_left;
}

/* More is to be sent, and the connection waits for its turn, not for the peer. */
static void wait_for_turn(struct conn *c) {
  if (c->deadline == DEADLINE_PACE) return;
  c->acknowledged = -1;
  loop_set_deadline(c, DEADLINE_PACE);
}

/* The connection waits for the peer, whose pace counts from now until nothing is left to send. */
static void wait_for_peer(struct conn *c) {
  int left;
  if (c->deadline == DEADLINE_PACE && c->acknowledged >= 0) return;
  c->acknowledged = count_acknowledged(c, &left);
  loop_set_deadline(c, DEADLINE_PACE);
}

/* Cuts a slow peer. A peer that was not waited for, or has acknowledged all that was sent, is not slow. */
static void check_pace(struct conn *c) {
  const struct http_config *config = &c->loop->server->config;
  int left;
  int64_t acknowledged = count_acknowledged(c, &left);
  if (c->acknowledged >= 0 && left > 0 &&
      acknowledged - c->acknowledged < config->least_pace * config->pace_ms / 1000) {
    metric_add(METRIC_HTTP_SLOW_PEERS, 0, 1);
    conn_close(c, true);
    return;
  }
  if (c->acknowledged >= 0) c->acknowledged = acknowledged;
  loop_set_deadline(c, DEADLINE_PACE);
}

static bool run_answer(struct conn *c, unsigned *requests) {
  const struct loop *l = c->loop;
  if (answer_is_heavy(c->x) && (!l->in_heavy || l->heavy_sent >= HEAVY_A_TURN)) { /* (6) of loop.c */
    wait_for_turn(c);
    loop_make_heavy(c);
    return false;
  }
  switch (answer_send(c->x)) {
    case ANSWER_DONE:
      if (!finish_answer(c)) return false;
      if (++*requests < REQUESTS_A_TURN) return true;
      loop_make_ready(c);
      return false;
    case ANSWER_BLOCKED:
      wait_for_peer(c);
      return false;
    case ANSWER_WAITS:
      loop_set_deadline(c, c->x->reading_in ? DEADLINE_FILE : DEADLINE_NONE);
      return false;
    case ANSWER_YIELDS:
      wait_for_turn(c);
      if (answer_is_heavy(c->x))
        loop_make_heavy(c);
      else
        loop_make_ready(c);
      return false;
    case ANSWER_BROKEN:
      break;
  }
  conn_close(c, true);
  return false;
}

static bool run_discard(struct conn *c) {
  while (c->discard > 0) {
    size_t n = c->to - c->from;
    if (n == 0) {
      enum received f = receive(c, NULL, (size_t)c->discard, &n);
      if (f == RECEIVED_NONE) return false;
      if (f == RECEIVED_END) {
        conn_close(c, false);
        return false;
      }
    } else {
      if ((int64_t)n > c->discard) n = (size_t)c->discard;
      c->from += (uint32_t)n;
    }
    c->discard -= (int64_t)n;
  }
  return start_next_request(c);
}

static bool run_linger(struct conn *c) {
  while (c->discard > 0) {
    size_t n = 0;
    enum received f = receive(c, NULL, (size_t)c->discard, &n);
    if (f == RECEIVED_NONE) return false;
    if (f == RECEIVED_END) break;
    c->discard -= (int64_t)n;
  }
  conn_close(c, false);
  return false;
}

/* ---- the turn ---- */

static bool run_state(struct conn *c, unsigned *requests) {
  switch (c->state) {
    case CONN_IDLE:
    case CONN_HEAD:
      return run_head(c);
    case CONN_BODY:
      return run_body(c);
    case CONN_ANSWER:
      return run_answer(c, requests);
    case CONN_DISCARD:
      return run_discard(c);
    case CONN_LINGER:
      return run_linger(c);
    case CONN_HELD:
    case CONN_CLOSED:
      break;
  }
  return false;
}

void conn_run(struct conn *c) {
  unsigned requests = 0;
  assert(!c->running); /* (3) */
  c->running = true;
  while (!c->doomed && run_state(c, &requests)) continue;
  c->running = false;
  if (c->doomed) conn_close(c, true);
}

void conn_event(struct conn *c, uint32_t events) {
  if (c->state == CONN_CLOSED) return;
  if (events & EPOLLRDHUP) c->peer_shut = true;
  if (c->peer_shut && c->x) atomic_store_explicit(&c->x->peer_state, HTTP_PEER_SHUT, memory_order_relaxed);
  if (events & (EPOLLIN | EPOLLRDHUP)) c->readable = true;
  /* EPOLLHUP: both sides are shut. That is the normal end of CONN_LINGER; in other states the peer has reset. */
  bool leaves = c->peer_shut && c->x && c->x->ends_with_peer;
  if (leaves || events & EPOLLERR || (events & EPOLLHUP && c->state != CONN_LINGER))
    conn_close(c, false);
  else
    conn_run(c);
}

void conn_timeout(struct conn *c) {
  switch (c->deadline) {
    case DEADLINE_HEAD:
    case DEADLINE_BODY:
      if (!c->x) break;
      wait_for_turn(c); /* only sets the deadline of the refusal */
      conn_refuse(c, 408, "request not received in time");
      return;
    case DEADLINE_PACE:
      check_pace(c);
      return;
    case DEADLINE_FILE: /* the volume of the file does not answer */
      if (!answer_withdraw(c->x)) break;
      wait_for_turn(c); /* only sets the deadline of the refusal */
      conn_refuse(c, 503, "the file can't be read at the moment");
      return;
    default:
      break;
  }
  conn_close(c, false);
}
