/* delay.c - a proxy that hands on what it reads a fixed time later, as a network between two machines would.
 *
 *   delay PORT TARGET_PORT DELAY_US      on 127.0.0.1; runs until it is killed
 *
 * Each read is kept with the time at which it must be written. One thread; epoll with a timer. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"

enum { READ_MAX = 256 * 1024, EVENTS = 64 };

struct piece {
  struct piece *next;
  int64_t due_us;
  size_t n, written;
  char bytes[];
};

/* One direction of a connection. */
struct way {
  struct way *next; /* of all */
  int from, to;
  struct piece *first, **end;
  bool is_over;
};

static struct way *ways;
static int64_t delay_us;
static int target_port, epoll;

static _Noreturn void die(const char *what) {
  perror(what);
  exit(1);
}

static void watch(int fd, void *what) {
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = what};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) != 0) die("epoll_ctl");
}

static struct way *way_new(int from, int to) {
  struct way *w = calloc(1, sizeof(*w));
  int one = 1;
  if (!w) die("calloc");
  *w = (struct way){.next = ways, .from = from, .to = to};
  w->end = &w->first;
  ways = w;
  (void)setsockopt(from, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  watch(from, w);
  return w;
}

static void accept_one(int listener) {
  struct sockaddr_in a = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)target_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC), server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (client < 0 || server < 0) die("accept");
  if (connect(server, (struct sockaddr *)&a, sizeof(a)) != 0) die("connect");
  (void)way_new(client, server);
  (void)way_new(server, client);
}

static void take(struct way *w) {
  struct piece *p = malloc(sizeof(*p) + READ_MAX);
  if (!p) die("malloc");
  ssize_t n = recv(w->from, p->bytes, READ_MAX, 0);
  if (n <= 0) {
    w->is_over = true;
    (void)epoll_ctl(epoll, EPOLL_CTL_DEL, w->from, NULL);
    free(p);
    return;
  }
  struct piece *kept = realloc(p, sizeof(*p) + (size_t)n);
  if (!kept) die("realloc");
  kept->next = NULL;
  kept->due_us = clock_mono_us() + delay_us;
  kept->n = (size_t)n;
  kept->written = 0;
  *w->end = kept;
  w->end = &kept->next;
}

/* Writes what is due. Blocks where the other side does not read. */
static void hand_on(struct way *w, int64_t now) {
  struct piece *p;
  while ((p = w->first) && p->due_us <= now) {
    ssize_t n = send(w->to, p->bytes + p->written, p->n - p->written, MSG_NOSIGNAL);
    if (n > 0) p->written += (size_t)n;
    if (n >= 0 && p->written < p->n) continue;
    w->first = p->next;
    if (!w->first) w->end = &w->first;
    free(p);
  }
  if (w->is_over && !w->first) (void)shutdown(w->to, SHUT_WR);
}

static int64_t hand_on_all(void) {
  int64_t next = 0, now = clock_mono_us();
  for (struct way *w = ways; w; w = w->next) {
    hand_on(w, now);
    if (w->first && (next == 0 || w->first->due_us < next)) next = w->first->due_us;
  }
  return next;
}

static void set_timer(int timer, int64_t due_us) {
  int64_t left = due_us - clock_mono_us();
  if (left < 1) left = 1;
  struct itimerspec t = {.it_value = {.tv_sec = left / 1000000, .tv_nsec = left % 1000000 * 1000}};
  if (timerfd_settime(timer, 0, &t, NULL) != 0) die("timerfd_settime");
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "delay PORT TARGET_PORT DELAY_US\n");
    return 2;
  }
  target_port = (int)strtol(argv[2], NULL, 10);
  delay_us = strtol(argv[3], NULL, 10);
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_port = htons((uint16_t)strtol(argv[1], NULL, 10)),
                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  if (listener < 0 || timer < 0 || epoll < 0) die("start");
  (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (bind(listener, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(listener, 64) != 0) die("listen");
  watch(listener, &listener);
  watch(timer, &timer);
  for (;;) {
    struct epoll_event events[EVENTS];
    int n = epoll_wait(epoll, events, EVENTS, -1);
    if (n < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < n; i++) {
      uint64_t expired;
      if (events[i].data.ptr == &listener)
        accept_one(listener);
      else if (events[i].data.ptr == &timer)
        (void)!read(timer, &expired, sizeof(expired));
      else
        take(events[i].data.ptr);
    }
    int64_t next = hand_on_all();
    if (next) set_timer(timer, next);
  }
}
