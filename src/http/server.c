/* server.c - listening, accepting, limits of connections and memory, draining.
 *
 *   new --start--> OPEN --drain--> DRAINING --all ended or time is up--> CUT --free--> gone
 *
 * Invariants
 *  (1) Every loop watches the one listening socket with EPOLLEXCLUSIVE: a second server on the port is refused, and a new
 *      connection wakes one loop.
 *  (2) A connection is given to the loop with the fewest connections, and stays there for its life.
 *  (3) conns exceeds the limit only while a newcomer's place is being found. At the limit one connection gives way: one
 *      that lingers after its answer, else the one that has waited longest for a request or the rest of its head, else for
 *      the rest of a body; each only if it has waited for GIVE_WAY_MS. If none has, the one that has waited longest for
 *      any of its request gives way, whatever part is missing. So in a flood of slow requests a fresh connection is the
 *      last to be closed, and not the first because its head is still on its way.
 *  (4) If no connection can give way, a newcomer becomes an extra connection: it may send one request, so that the app can
 *      answer what must always be answered and refuse the rest. Each loop has a few extra connections; the oldest is closed
 *      for the next one. So clients never use RESERVED_DESCRIPTORS.
 *  (5) If descriptors run out, a newcomer is answered 503 by means of the spare descriptor, or accepting pauses.
 *  (6) Incomplete requests hold at most held_max bytes beyond BUFFER_SIZE each. Above that, the connection that holds memory
 *      and has waited longest for its head, else for its body, is closed; else the one that needs more memory. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/metric.h"
#include "http/internal.h"

enum {
  GIVE_WAY_LOOKS = 16,
  ACCEPT_A_TURN = 64,
  ACCEPT_PAUSE_MS = 100,
  LOOPS_MAX = 256,
  READERS = 8,
  READERS_QUEUE = 1024
};

/* ---- taking connections ---- */

void server_listen(struct loop *l) {
  struct epoll_event e = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = l->server};
  l->accept_again_ms = 0;
  if (l->listening || l->phase != PHASE_OPEN) return;
  if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->server->listener, &e) == 0) {
    l->listening = true;
  } else {
    l->accept_again_ms = l->now_ms + ACCEPT_PAUSE_MS;
  }
}

static void stop_watching(struct loop *l) {
  if (!l->listening) return;
  l->listening = false;
  (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, l->server->listener, NULL); /* it is there */
}

static void wake_drain(struct http_server *s) {
  if (atomic_load(&s->phase) == PHASE_OPEN) return;
  LOCKED(&s->lock);
  lock_cond_broadcast(&s->quiet);
}

void server_stop_listening(struct loop *l) {
  stop_watching(l);
  l->accept_again_ms = 0;
  atomic_fetch_sub(&l->server->listening, 1);
  wake_drain(l->server);
}

void server_conn_gone(struct conn *c) {
  struct loop *l = c->loop;
  struct http_server *s = l->server;
  if (c->extra) {
    link_remove(&c->in_extra);
    l->extra_count--;
    return;
  }
  atomic_fetch_sub(&l->conns, 1);
  atomic_fetch_sub(&s->conns, 1);
  wake_drain(s);
}

static void send_busy(struct loop *l, int fd) {
  char text[REFUSAL_MAX];
  size_t n = response_refusal(l, NULL, 503, "too many connections", text, sizeof(text));
  (void)!send(fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT); /* best effort */
  (void)shutdown(fd, SHUT_WR);
}

/* ---- at the limit: which connection gives way ---- */

static bool has_bytes(const struct conn *c) {
  char byte;
  return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

/* The connection that has been longest in list d, or NULL if none may be closed. A connection that sent something which
 * this loop has not read yet is passed over, GIVE_WAY_LOOKS of them at most: it may be the rest of its request. If all of
 * these have sent something, one that waits for the rest of a request is closed nevertheless, an idle one never. */
static struct conn *find_longest_waiting(struct loop *l, enum deadline d) {
  const struct link *list = &l->deadlines[d];
  const struct link *each = list->next;
  struct conn *first = NULL;
  for (int looks = 0; looks < GIVE_WAY_LOOKS && each != list; each = each->next) {
    struct conn *c = LINK_OWNER(each, struct conn, in_deadline);
    if (c->extra || c->running) continue;
    if (d == DEADLINE_LINGER || !has_bytes(c)) return c;
    if (!first) first = c;
    looks++;
  }
  return d == DEADLINE_IDLE ? NULL : first;
}

static struct conn *longer_waiting(struct conn *a, struct conn *b) {
  if (!a || !b) return a ? a : b;
  return loop_waited_ms(b) > loop_waited_ms(a) ? b : a;
}

/* (3) */
static struct conn *find_who_gives_way(struct loop *l) {
  struct conn *linger = find_longest_waiting(l, DEADLINE_LINGER), *body = find_longest_waiting(l, DEADLINE_BODY);
  struct conn *headless =
      longer_waiting(find_longest_waiting(l, DEADLINE_IDLE), find_longest_waiting(l, DEADLINE_HEAD));
  struct conn *in_order[] = {linger, headless, body};
  for (size_t i = 0; i < COUNT_OF(in_order); i++)
    if (in_order[i] && loop_waited_ms(in_order[i]) >= GIVE_WAY_MS) return in_order[i];
  struct conn *incomplete = longer_waiting(body, headless);
  return incomplete ? incomplete : linger;
}

static bool close_to_make_room(struct loop *l) {
  struct conn *c = find_who_gives_way(l);
  if (!c) return false;
  if (c->state == CONN_HEAD || c->state == CONN_BODY) {
    metric_add(METRIC_HTTP_LIMITED, METRIC_LIMIT_CONNECTIONS, 1);
    send_busy(l, c->fd);
  }
  conn_close(c, false);
  return true;
}

static bool holds_memory(const struct conn *c) {
  return c->x && (c->x->body_held > 0 || (c->in && c->in->cap > BUFFER_SIZE));
}

/* The connection that has been longest in list d, of those that hold memory. */
static struct conn *oldest_holder(struct loop *l, enum deadline d) {
  const struct link *list = &l->deadlines[d];
  const struct link *each = list->next;
  for (int looks = 0; looks < HELD_LOOKS && each != list; looks++, each = each->next) {
    struct conn *c = LINK_OWNER(each, struct conn, in_deadline);
    if (!c->running && holds_memory(c)) return c;
  }
  return NULL;
}

/* (6) */
bool server_hold(struct loop *l, size_t more) {
  while (l->held_bytes + more > l->server->config.held_max / l->server->loop_count) {
    struct conn *c = oldest_holder(l, DEADLINE_HEAD);
    if (!c) c = oldest_holder(l, DEADLINE_BODY);
    if (!c) return false;
    size_t before = l->held_bytes;
    metric_add(METRIC_HTTP_LIMITED, METRIC_LIMIT_CONNECTIONS, 1);
    send_busy(l, c->fd);
    conn_close(c, false);
    if (l->held_bytes == before) return false; /* the app holds a ref, and with it the memory */
  }
  return true;
}

/* Counts one more connection if there is room or another gives way. */
static bool claim_place(struct loop *l) {
  struct http_server *s = l->server;
  if (atomic_fetch_add(&s->conns, 1) < s->config.connections || close_to_make_room(l)) return true;
  atomic_fetch_sub(&s->conns, 1);
  return false;
}

/* ---- extra connections ---- */

static unsigned extra_max(const struct http_config *c) {
  return EXTRA_MAX / c->loops > EXTRA_LOOP_MIN ? EXTRA_MAX / c->loops : EXTRA_LOOP_MIN;
}

/* (4): the oldest extra connection is closed, after a request that it has sent was answered. */
static bool make_extra_room(struct loop *l) {
  while (l->extra_count >= extra_max(&l->server->config)) {
    struct conn *c = LINK_OWNER(l->extras.next, struct conn, in_extra);
    if (c->running) return false;
    if (has_bytes(c)) {
      c->readable = true;
      conn_run(c);
    }
    if (c->state != CONN_CLOSED && c->extra) conn_close(c, false);
  }
  return true;
}

static void accept_extra(struct loop *l, int fd, const struct sockaddr_storage *peer) {
  if (!make_extra_room(l)) {
    send_busy(l, fd);
    (void)close(fd);
    return;
  }
  l->extra_count++;
  (void)conn_new(l, fd, peer, true); /* closes it on failure */
}

void server_admit_extra(struct conn *c) {
  struct loop *l = c->loop;
  if (!claim_place(l)) return;
  link_remove(&c->in_extra);
  l->extra_count--;
  c->extra = false;
  atomic_fetch_add(&l->conns, 1);
}

/* ---- from the listener to a loop ---- */

struct newcomer {
  struct loop *loop;
  int fd;
  bool has_place;       /* it is counted already */
  unsigned loops_tried; /* loops without a connection that could give way */
  struct sockaddr_storage peer;
};

static void find_place_for(struct loop *l, int fd, const struct sockaddr_storage *peer, unsigned loops_tried);

static void take_newcomer(void *arg) {
  struct newcomer n = *(struct newcomer *)arg;
  free(arg);
  if (n.has_place)
    (void)conn_new(n.loop, n.fd, &n.peer, false); /* closes it on failure */
  else
    find_place_for(n.loop, n.fd, &n.peer, n.loops_tried);
}

static bool post_newcomer(struct newcomer newcomer) {
  struct newcomer *n = malloc(sizeof(*n));
  if (!n) return false;
  *n = newcomer;
  if (loop_post(n->loop, take_newcomer, n) == OK) return true;
  free(n);
  return false;
}

/* (2): a loop keeps a connection that it accepted unless it has clearly more than another loop. */
static struct loop *least_busy(struct loop *own) {
  struct http_server *s = own->server;
  struct loop *least = own;
  for (unsigned i = 0; i < s->loop_count; i++)
    if (atomic_load_explicit(&s->loops[i].conns, memory_order_relaxed) <
        atomic_load_explicit(&least->conns, memory_order_relaxed))
      least = &s->loops[i];
  unsigned fewest = atomic_load(&least->conns);
  return atomic_load(&own->conns) <= fewest + 1 + fewest / 16 ? own : least;
}

static void place_connection(struct loop *l, int fd, const struct sockaddr_storage *peer) {
  struct loop *to = least_busy(l);
  atomic_fetch_add(&to->conns, 1);
  if (to != l) {
    if (post_newcomer((struct newcomer){.loop = to, .fd = fd, .has_place = true, .peer = *peer})) return;
    atomic_fetch_sub(&to->conns, 1);
    atomic_fetch_add(&l->conns, 1);
  }
  (void)conn_new(l, fd, peer, false); /* closes it on failure */
}

/* Tries each loop, the accepting one first, for a connection that gives way; if there is none, the newcomer is an extra one. */
static void find_place_for(struct loop *l, int fd, const struct sockaddr_storage *peer, unsigned loops_tried) {
  struct http_server *s = l->server;
  if (claim_place(l)) {
    place_connection(l, fd, peer);
    return;
  }
  struct loop *next = &s->loops[(l->index + 1) % s->loop_count];
  if (++loops_tried < s->loop_count &&
      post_newcomer((struct newcomer){.loop = next, .fd = fd, .loops_tried = loops_tried, .peer = *peer}))
    return;
  accept_extra(l, fd, peer);
}

/* (5) */
static void out_of_descriptors(struct loop *l) {
  if (l->spare >= 0) {
    (void)close(l->spare);
    int fd = accept4(l->server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      send_busy(l, fd);
      (void)close(fd);
    }
  }
  if ((l->spare = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) return;
  stop_watching(l);
  l->accept_again_ms = l->now_ms + ACCEPT_PAUSE_MS;
}

void server_accept(struct loop *l) {
  for (int i = 0; i < ACCEPT_A_TURN; i++) {
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof(peer);
    int fd = accept4(l->server->listener, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      find_place_for(l, fd, &peer, 0);
      continue;
    }
    switch (errno) {
      case EAGAIN:
        return;
      case EMFILE:
      case ENFILE:
        out_of_descriptors(l);
        return;
      case ENOBUFS:
      case ENOMEM:
        stop_watching(l);
        l->accept_again_ms = l->now_ms + ACCEPT_PAUSE_MS;
        return;
      default:
        continue; /* that connection was closed already */
    }
  }
}

/* ---- birth ---- */

static const char *split_listen(const char *listen_at, char *ret_host, size_t size, const char **ret_port) {
  const char *colon = strrchr(listen_at, ':');
  struct str host = str_of(listen_at, colon ? (size_t)(colon - listen_at) : 0);
  if (!colon || colon[1] == '\0' || host.n == 0) return "the listening address is not HOST:PORT";
  if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
    host = str_of(host.p + 1, host.n - 2);
  else if (str_index(host, ':', 0) < host.n)
    return "an IPv6 listening address needs brackets: [::1]:8080";
  if (str_copy(ret_host, size, host) != OK) return "the listening address is too long";
  *ret_port = colon + 1;
  return NULL;
}

static const char *open_listener(const struct addrinfo *at, int *ret_fd) {
  const int one = 1;
  int fd CLEANUP(fs_close_) = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return "no socket can be created for the listening address";
  /* Connections inherit TCP_NODELAY: without it a head sent with MSG_MORE can be delayed by 40 ms. */
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0)
    return "the listening socket can't be set up";
  if (bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, 4096) != 0) {
    if (errno == EADDRINUSE) return "the listening address is in use";
    if (errno == EACCES) return "the listening port needs privileges";
    return "the listening address can't be bound";
  }
  *ret_fd = fd;
  fd = -1;
  return NULL;
}

static int port_of(int fd) {
  struct sockaddr_storage a = {0};
  socklen_t size = sizeof(a);
  if (getsockname(fd, (struct sockaddr *)&a, &size) != 0) return 0;
  return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port : ((struct sockaddr_in *)&a)->sin_port);
}

static const char *bind_listener(struct http_server *s) {
  char host[256];
  const char *port = NULL, *problem = split_listen(s->config.listen, host, sizeof(host), &port);
  if (problem) return problem;
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found = NULL;
  if (getaddrinfo(host, port, &hints, &found) != 0) return "the listening address can't be resolved";
  problem = open_listener(found, &s->listener);
  freeaddrinfo(found);
  if (!problem) s->port = port_of(s->listener);
  return problem;
}

/* Leaves a quarter of the descriptors, at most RESERVED_DESCRIPTORS, for the rest of the process: files, databases, fills. */
static void limit_by_files(struct http_config *c) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  rlim_t reserved = files.rlim_cur / 4 < RESERVED_DESCRIPTORS ? files.rlim_cur / 4 : RESERVED_DESCRIPTORS;
  reserved += (rlim_t)extra_max(c) * c->loops;
  rlim_t most = files.rlim_cur > reserved + 16 ? files.rlim_cur - reserved : 16;
  if (most < c->connections) c->connections = (unsigned)most;
}

static void set_defaults(struct http_config *c) {
  if (c->loops == 0) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    c->loops = cores > 0 ? (unsigned)cores : 1;
  }
  if (c->loops > LOOPS_MAX) c->loops = LOOPS_MAX;
  if (c->connections == 0) c->connections = 16384;
  limit_by_files(c);
  if (c->head_ms == 0) c->head_ms = 10 * 1000;
  if (c->body_ms == 0) c->body_ms = 30 * 1000;
  if (c->idle_ms == 0) c->idle_ms = 75 * 1000;
  if (c->pace_ms == 0) c->pace_ms = 60 * 1000;
  if (c->least_pace == 0) c->least_pace = 500;
  if (c->held_max == 0) c->held_max = 128 * 1024 * 1024;
  if (c->head_max == 0) c->head_max = 32 * 1024;
}

enum err http_server_new(const struct http_config *config, const struct http_app *app,
                         struct http_server **ret_server) {
  const char *problem = "out of memory";
  struct http_server *s = calloc(1, sizeof(*s));
  enum err e = ERR_NOMEM;
  if (!s) goto failed;
  *s = (struct http_server){.app = *app, .config = *config, .listener = -1};
  lock_init(&s->lock, "http server", LOCK_RANK_ENGINE);
  lock_cond_init(&s->quiet);
  set_defaults(&s->config);
  s->loops = calloc(s->config.loops, sizeof(*s->loops));
  if (!s->loops) goto failed;
  problem = "the header lines of every answer are too long";
  e = ERR_TOO_BIG;
  if (str_from(s->config.lines).n > HTTP_LINES_MAX) goto failed;
  problem = bind_listener(s);
  e = ERR_IO;
  if (problem) goto failed;
  problem = "the server has too few descriptors or too little memory to start its loops";
  for (unsigned i = 0; i < s->config.loops; i++) {
    s->loop_count++;
    if ((e = loop_open(&s->loops[i], s, i)) != OK) goto failed;
  }
  if ((e = pool_new("http reads", READERS, s->config.connections + READERS_QUEUE, &s->readers)) != OK) goto failed;
  *ret_server = s;
  return OK;
failed:
  if (config->ret_problem) *config->ret_problem = problem;
  http_server_free(s);
  return e;
}

enum err http_server_start(struct http_server *s) {
  s->started = true;
  atomic_store(&s->listening, s->loop_count);
  for (unsigned i = 0; i < s->loop_count; i++) TRY(loop_start(&s->loops[i]));
  return OK;
}

int http_server_port(const struct http_server *s) {
  return s->port;
}

unsigned http_server_loops(const struct http_server *s) {
  return s->loop_count;
}

void http_server_distrust_files(struct http_server *s, bool distrusts) {
  atomic_store_explicit(&s->distrusts_files, distrusts, memory_order_relaxed);
}

size_t http_server_connections(const struct http_server *s) {
  return atomic_load(&s->conns);
}

unsigned http_server_connections_max(const struct http_server *s) {
  return s->config.connections;
}

enum err http_loop_post(struct http_server *s, unsigned i, void (*fn)(void *arg), void *arg) {
  return i < s->loop_count ? loop_post(&s->loops[i], fn, arg) : ERR_INVALID;
}

/* ---- end ---- */

static void enter_phase(struct http_server *s, enum server_phase phase) {
  atomic_store(&s->phase, phase);
  for (unsigned i = 0; i < s->loop_count; i++) loop_wake(&s->loops[i]);
}

/* Waits until *what is 0 or until_ms has passed. */
static void wait_for_none(struct http_server *s, atomic_uint *what, int64_t until_ms) {
  LOCKED(&s->lock);
  for (int64_t left; atomic_load(what) > 0 && (left = until_ms - clock_mono_ms()) > 0;) {
#ifdef CALLREEL_TEST_HOOKS
    if (left > 50) left = 50; /* a test may have moved the clock */
#endif
    lock_cond_wait_ms(&s->quiet, &s->lock, left);
  }
}

void http_server_drain(struct http_server *s, int64_t timeout_ms) {
  int64_t until_ms = clock_mono_ms() + timeout_ms;
  if (!s->started) return;
  enter_phase(s, PHASE_DRAINING);
  wait_for_none(s, &s->listening, until_ms);
  if (atomic_load(&s->listening) == 0) {
    (void)close(s->listener); /* from here on connecting is refused */
    s->listener = -1;
  }
  wait_for_none(s, &s->conns, until_ms);
  enter_phase(s, PHASE_CUT);
  wait_for_none(s, &s->conns, clock_mono_ms() + 1000); /* a loop never blocks, so this takes no time */
}

struct http_server *http_server_free(struct http_server *s) {
  if (!s) return NULL;
  for (unsigned i = 0; i < s->loop_count; i++) loop_stop(&s->loops[i]);
  s->readers = pool_free(s->readers);
  for (unsigned i = 0; i < s->loop_count; i++) loop_close(&s->loops[i]);
  if (s->listener >= 0) (void)close(s->listener);
  free(s->loops);
  lock_cond_done(&s->quiet);
  lock_done(&s->lock);
  free(s);
  return NULL;
}
