/* listen.c - many listeners that come one after the other: when each had its first byte, and what it got.
 *
 *   listen [-n] < plan      a line a listener: AT_MS <tab> PORT <tab> TARGET [<tab> HEADER]…, on 127.0.0.1
 *
 * Prints a line of JSON a listener, in the plan's order: its status, when its head, its body's first byte and its end came
 * (microseconds from its connect, -1 never), the body's bytes and hash, whether it is whole (by its length or last chunk).
 * -n: no hash, which takes the time of many megabytes. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
  LISTENERS_MAX = 20000,
  LINE_MAX_ = 4096,
  HEAD_MAX = 8192,
  TAKE = 256 * 1024,
  EVENTS = 256,
  LATEST_MS = 180 * 1000
};

enum chunk_at { CHUNK_SIZE, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER };

struct listener {
  long long at_us, began_us, head_us, first_us, end_us;
  int port, fd, status;
  bool connected, over, whole, chunked;
  long long length, left; /* length: -1 not announced; left: of it, or of the chunk */
  enum chunk_at chunk_at;
  long long size; /* of the chunk, while it is read; -1: past its digits */
  unsigned line_n;
  uint64_t hash;
  long long bytes;
  size_t head_n;
  char request[LINE_MAX_];
  char head[HEAD_MAX];
};

static struct listener *listeners;
static int count, over;
static bool hashes = true;
static int epoll;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static long long now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void finish(struct listener *l, bool whole) {
  if (l->over) return;
  l->over = true;
  l->whole = whole;
  l->end_us = now_us() - l->began_us;
  close(l->fd);
  over++;
}

/* ---- the body ---- */

static void take_bytes(struct listener *l, const char *p, size_t n) {
  if (n == 0) return;
  if (l->first_us < 0) l->first_us = now_us() - l->began_us;
  for (size_t i = 0; hashes && i < n; i++) l->hash = (l->hash ^ (unsigned char)p[i]) * UINT64_C(0x100000001b3);
  l->bytes += (long long)n;
}

static int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One character outside of a chunk's data. */
static void take_frame(struct listener *l, char c) {
  switch (l->chunk_at) {
    case CHUNK_DATA_END:
      if (c == '\n') l->chunk_at = CHUNK_SIZE, l->size = 0, l->line_n = 0;
      return;
    case CHUNK_SIZE:
      if (c == '\n') {
        l->left = l->size;
        l->chunk_at = l->size > 0 ? CHUNK_DATA : CHUNK_TRAILER;
        l->line_n = 0;
      } else if (digit_of(c) >= 0 && l->line_n != 99) {
        l->size = l->size * 16 + digit_of(c);
      } else {
        l->line_n = 99; /* an extension, or the CR */
      }
      return;
    case CHUNK_TRAILER:
      if (c == '\n' && l->line_n == 0) finish(l, true);
      l->line_n = c == '\n' ? 0 : c == '\r' ? l->line_n : l->line_n + 1;
      return;
    case CHUNK_DATA:
      return;
  }
}

static void take_chunked(struct listener *l, const char *p, size_t n) {
  while (n > 0 && !l->over) {
    if (l->chunk_at != CHUNK_DATA) {
      take_frame(l, *p);
      p++, n--;
      continue;
    }
    size_t part = (long long)n < l->left ? n : (size_t)l->left;
    take_bytes(l, p, part);
    p += part, n -= part;
    l->left -= (long long)part;
    if (l->left == 0) l->chunk_at = CHUNK_DATA_END;
  }
}

static void take_body(struct listener *l, const char *p, size_t n) {
  if (l->chunked) {
    take_chunked(l, p, n);
    return;
  }
  take_bytes(l, p, n);
  if (l->length >= 0 && l->bytes >= l->length) finish(l, l->bytes == l->length);
}

/* ---- the head ---- */

static void read_head(struct listener *l, const char *end) {
  l->status = (int)strtol(l->head + 9, NULL, 10);
  l->length = -1;
  for (const char *line = l->head; line < end; line = (const char *)memchr(line, '\n', (size_t)(end + 2 - line)) + 1) {
    if (strncasecmp(line, "content-length:", 15) == 0) l->length = atoll(line + 15);
    if (strncasecmp(line, "transfer-encoding:", 18) == 0) l->chunked = true;
  }
}

static void take(struct listener *l, const char *p, size_t n) {
  if (l->head_us >= 0) {
    take_body(l, p, n);
    return;
  }
  size_t part = n < HEAD_MAX - l->head_n ? n : HEAD_MAX - l->head_n;
  size_t before = l->head_n;
  memcpy(l->head + l->head_n, p, part);
  l->head_n += part;
  const char *end = memmem(l->head, l->head_n, "\r\n\r\n", 4);
  if (!end) {
    if (l->head_n == HEAD_MAX) finish(l, false);
    return;
  }
  l->head_us = now_us() - l->began_us;
  read_head(l, end);
  if (l->length == 0) finish(l, true);
  size_t used = (size_t)(end + 4 - l->head) - before;
  if (!l->over) take_body(l, p + used, n - used);
}

/* ---- the connection ---- */

static void begin(struct listener *l) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)l->port)};
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  l->began_us = now_us();
  l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = l};
  if (l->fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, l->fd, &e) != 0) die("socket");
  if (connect(l->fd, (struct sockaddr *)&a, sizeof(a)) != 0 && errno != EINPROGRESS) finish(l, false);
}

static void run(struct listener *l, uint32_t events) {
  static char bytes[TAKE];
  if (l->over) return;
  if (!l->connected && (events & EPOLLOUT)) {
    size_t n = strlen(l->request);
    l->connected = true;
    if (send(l->fd, l->request, n, MSG_NOSIGNAL) != (ssize_t)n) {
      finish(l, false);
      return;
    }
  }
  while (!l->over) {
    ssize_t n = recv(l->fd, bytes, sizeof(bytes), 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n > 0)
      take(l, bytes, (size_t)n);
    else /* a body without a length ends with the connection */
      finish(l, n == 0 && l->head_us >= 0 && l->length < 0 && !l->chunked);
  }
}

/* ---- the plan ---- */

static void read_plan(void) {
  char line[LINE_MAX_ / 2];
  while (fgets(line, sizeof(line), stdin)) {
    if (count == LISTENERS_MAX) die("too many listeners");
    struct listener *l = &listeners[count++];
    char *rest = line;
    line[strcspn(line, "\n")] = '\0';
    *l = (struct listener){.head_us = -1, .first_us = -1, .end_us = -1, .hash = UINT64_C(0xcbf29ce484222325)};
    const char *at = strsep(&rest, "\t"), *port = strsep(&rest, "\t"), *target = strsep(&rest, "\t");
    if (!at || !port || !target) die("plan");
    l->at_us = (long long)(atof(at) * 1000);
    l->port = (int)strtol(port, NULL, 10);
    int n = snprintf(l->request, LINE_MAX_, "GET %s HTTP/1.1\r\nHost: bench\r\n", target);
    for (const char *header; (header = strsep(&rest, "\t"));)
      n += snprintf(l->request + n, (size_t)(LINE_MAX_ - n), "%s\r\n", header);
    snprintf(l->request + n, (size_t)(LINE_MAX_ - n), "\r\n");
  }
}

static int by_time(const void *a, const void *b) {
  const struct listener *const *x = a, *const *y = b;
  return ((*x)->at_us > (*y)->at_us) - ((*x)->at_us < (*y)->at_us);
}

static void run_all(struct listener **order) {
  struct epoll_event events[EVENTS];
  long long start_us = now_us();
  for (int next = 0; over < count && now_us() - start_us < LATEST_MS * 1000LL;) {
    while (next < count && order[next]->at_us <= now_us() - start_us) begin(order[next++]);
    long long wait_us = next < count ? order[next]->at_us - (now_us() - start_us) : 100 * 1000;
    struct timespec wait = {.tv_nsec = (wait_us < 0 ? 0 : wait_us > 100 * 1000 ? 100 * 1000 : wait_us) * 1000};
    int n = epoll_pwait2(epoll, events, EVENTS, &wait, NULL);
    for (int i = 0; i < n; i++) run(events[i].data.ptr, events[i].events);
  }
}

int main(int argc, char **argv) {
  hashes = argc < 2 || strcmp(argv[1], "-n") != 0;
  listeners = calloc(LISTENERS_MAX, sizeof(*listeners));
  struct listener **order = calloc(LISTENERS_MAX, sizeof(struct listener *));
  if (!listeners || !order || (epoll = epoll_create1(0)) < 0) die("listen");
  read_plan();
  for (int i = 0; i < count; i++) order[i] = &listeners[i];
  qsort(order, (size_t)count, sizeof(struct listener *), by_time);
  run_all(order);
  for (int i = 0; i < count; i++) {
    const struct listener *l = &listeners[i];
    printf(
        "{\"status\":%d,\"head_us\":%lld,\"first_us\":%lld,\"end_us\":%lld,\"bytes\":%lld,\"hash\":\"%016llx\","
        "\"whole\":%s}\n",
        l->status, l->head_us, l->first_us, l->end_us, l->bytes, (unsigned long long)l->hash,
        l->whole ? "true" : "false");
  }
  free(order);
  free(listeners);
  return 0;
}
