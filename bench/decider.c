/* decider.c - the smallest service that checks credentials: 204 for one Authorization, 401 for any other.
 *
 *   decider AUTHORIZATION      prints the port it chose on 127.0.0.1
 *
 * For nginx's auth_request. One thread, connections kept alive, requests without a body, one in hand on each connection. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_MAX = 8192, EVENTS = 256 };

struct connection {
  int fd;
  size_t n;
  char head[HEAD_MAX];
};

static const char *wanted;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static bool is_wanted(const char *head, const char *end) {
  static const char name[] = "Authorization: ";
  size_t n = strlen(wanted);
  for (const char *line = head; line < end; line = (const char *)memchr(line, '\n', (size_t)(end + 2 - line)) + 1)
    if (strncasecmp(line, name, sizeof(name) - 1) == 0)
      return strncmp(line + sizeof(name) - 1, wanted, n) == 0 && line[sizeof(name) - 1 + n] == '\r';
  return false;
}

/* False: the connection is over. */
static bool answer(struct connection *c) {
  static const char yes[] = "HTTP/1.1 204 No Content\r\n\r\n",
                    no[] = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
  ssize_t got = recv(c->fd, c->head + c->n, HEAD_MAX - c->n, 0);
  if (got < 0 && errno == EAGAIN) return true;
  if (got <= 0) return false;
  c->n += (size_t)got;
  const char *end = memmem(c->head, c->n, "\r\n\r\n", 4);
  if (!end) return c->n < HEAD_MAX;
  bool may = is_wanted(c->head, end);
  c->n = 0;
  size_t n = may ? sizeof(yes) - 1 : sizeof(no) - 1;
  return send(c->fd, may ? yes : no, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static void take(int listener, int epoll) {
  const int one = 1;
  int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (fd < 0) return;
  struct connection *c = calloc(1, sizeof(*c));
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
  if (!c || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0 ||
      epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) != 0)
    die("connection");
  c->fd = fd;
}

static int listen_anywhere(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(a);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 4096) != 0 ||
      getsockname(fd, (struct sockaddr *)&a, &size) != 0)
    die("listen");
  printf("port=%d\n", ntohs(a.sin_port));
  fflush(stdout);
  return fd;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: decider AUTHORIZATION\n");
    return 2;
  }
  wanted = argv[1];
  int epoll = epoll_create1(0), listener = listen_anywhere();
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
  if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e) != 0) die("epoll");
  for (;;) {
    int n = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < n; i++) {
      struct connection *c = events[i].data.ptr;
      if (!c) {
        take(listener, epoll);
      } else if (!answer(c)) {
        close(c->fd);
        free(c);
      }
    }
  }
}
