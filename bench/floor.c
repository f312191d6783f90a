/* floor.c - measures the time that the kernel alone takes for an answer: no parsing, no look-up, no headers of its own.
 *
 *   floor FILE SIZE STATUS      prints the port it chose on 127.0.0.1
 *
 * Every request is answered with STATUS and the file's first SIZE bytes: up to 4 KiB in one send, more by sendfile behind
 * a head with MSG_MORE. One thread, edge-triggered, one request in hand on each connection. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum { INLINE_MAX = 4096, CORK_MIN = 768 * 1024, HEAD_MAX = 512, EVENTS = 256 };

struct connection {
  int fd;
  off_t at;
  size_t left; /* of the file, behind a head that went out */
};

static char answer[HEAD_MAX + INLINE_MAX];
static size_t answer_n, size, from_file;
static int file;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void cork(const struct connection *c, int on) {
  if (from_file > CORK_MIN) (void)setsockopt(c->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

/* False: the connection is over. */
static bool run(struct connection *c) {
  char request[4096];
  for (;;) {
    while (c->left > 0) {
      ssize_t n = sendfile(c->fd, file, &c->at, c->left);
      if (n <= 0) return n < 0 && errno == EAGAIN;
      c->left -= (size_t)n;
      if (c->left == 0) cork(c, 0);
    }
    ssize_t n = recv(c->fd, request, sizeof(request), 0);
    if (n <= 0) return n < 0 && errno == EAGAIN;
    cork(c, 1);
    if (send(c->fd, answer, answer_n, MSG_NOSIGNAL | (from_file > 0 ? MSG_MORE : 0)) != (ssize_t)answer_n) return false;
    c->at = 0;
    c->left = from_file;
    if (from_file == 0) return true;
  }
}

static void take(int listener, int epoll) {
  for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
    struct connection *c = calloc(1, sizeof(*c));
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    if (!c || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) != 0) die("connection");
    c->fd = fd;
  }
}

static int listen_anywhere(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof(a);
  const int one = 1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0 ||
      bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 4096) != 0 ||
      getsockname(fd, (struct sockaddr *)&a, &n) != 0)
    die("listen");
  printf("port=%d\n", ntohs(a.sin_port));
  fflush(stdout);
  return fd;
}

static void make_answer(int status) {
  answer_n = (size_t)snprintf(answer, HEAD_MAX, "HTTP/1.1 %d As ever\r\nContent-Length: %zu\r\nX-Head: %0300d\r\n\r\n",
                              status, size, 0);
  if (size > INLINE_MAX) {
    from_file = size;
  } else {
    if (pread(file, answer + answer_n, size, 0) != (ssize_t)size) die("file");
    answer_n += size;
  }
}

int main(int argc, char **argv) {
  if (argc != 4 || (file = open(argv[1], O_RDONLY)) < 0) {
    fprintf(stderr, "usage: floor FILE SIZE STATUS\n");
    return 2;
  }
  (void)signal(SIGPIPE, SIG_IGN); /* sendfile has no flag against it */
  size = (size_t)atoll(argv[2]);
  make_answer((int)strtol(argv[3], NULL, 10));
  int epoll = epoll_create1(0), listener = listen_anywhere();
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
  if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e) != 0) die("epoll");
  for (;;) {
    int n = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < n; i++) {
      struct connection *c = events[i].data.ptr;
      if (!c) {
        take(listener, epoll);
      } else if (!run(c)) {
        close(c->fd);
        free(c);
      }
    }
  }
}
