/* origin.c - a server on loopback whose every byte the test writes itself. */
#include "origin.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 64, REQUESTS_MAX = 64 };

struct connection {
  struct origin *origin;
  pthread_t thread;
  int fd, number;
};

struct origin {
  origin_answer *answer;
  void *arg;
  const char *greeting;
  int listener, port;
  pthread_t acceptor;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  struct connection connections[CONNECTIONS_MAX];
  int connection_count, open, most_open;
  char *heads[REQUESTS_MAX];
  int request_count;
  bool got_bytes, closing;
};

void origin_say_bytes(int fd, const void *bytes, size_t n) {
  const char *p = bytes;
  while (n > 0) {
    ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
    if (sent <= 0) return; /* the peer has gone: as the test wants */
    p += sent;
    n -= (size_t)sent;
  }
}

void origin_say(int fd, const char *text) {
  origin_say_bytes(fd, text, strlen(text));
}

void origin_reset(int fd) {
  struct linger now = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

void origin_wait_for_close(int fd) {
  char byte[256];
  while (recv(fd, byte, sizeof(byte), 0) > 0) continue;
}

static size_t body_length(const char *head) {
  const char *line = strcasestr(head, "\r\ncontent-length:");
  return line ? (size_t)strtoul(line + 17, NULL, 10) : 0;
}

static bool read_byte(struct connection *c, char *ret_byte) {
  if (recv(c->fd, ret_byte, 1, 0) != 1) return false;
  struct origin *o = c->origin;
  pthread_mutex_lock(&o->mutex);
  if (!o->got_bytes) pthread_cond_broadcast(&o->changed);
  o->got_bytes = true;
  pthread_mutex_unlock(&o->mutex);
  return true;
}

static bool read_body(struct connection *c, struct origin_request *request) {
  char bytes[4096];
  size_t length = body_length(request->head);
  while (request->body_bytes < length) {
    size_t left = length - request->body_bytes;
    ssize_t n = recv(c->fd, bytes, left < sizeof(bytes) ? left : sizeof(bytes), 0);
    if (n <= 0) return false;
    for (ssize_t i = 0; i < n; i++) {
      if (request->body_bytes + 1 < sizeof(request->body)) request->body[request->body_bytes] = bytes[i];
      request->body_sum += (unsigned char)bytes[i] * (uint64_t)++request->body_bytes;
    }
  }
  return true;
}

static bool read_request(struct connection *c, struct origin_request *request) {
  size_t n = 0;
  *request = (struct origin_request){.connection = c->number};
  while (n < 4 || memcmp(request->head + n - 4, "\r\n\r\n", 4) != 0) {
    if (n + 1 == sizeof(request->head) || !read_byte(c, request->head + n)) return false;
    n++;
  }
  if (!read_body(c, request)) return false;
  struct origin *o = c->origin;
  pthread_mutex_lock(&o->mutex);
  assert(o->request_count < REQUESTS_MAX);
  o->heads[o->request_count] = strdup(request->head);
  request->number = o->request_count++;
  pthread_cond_broadcast(&o->changed);
  pthread_mutex_unlock(&o->mutex);
  return true;
}

static void *serve(void *arg) {
  struct connection *c = arg;
  struct origin *o = c->origin;
  struct origin_request *request = calloc(1, sizeof(*request));
  assert(request);
  if (o->greeting) origin_say(c->fd, o->greeting);
  while (read_request(c, request) && o->answer(o->arg, c->fd, request)) continue;
  free(request);
  pthread_mutex_lock(&o->mutex);
  o->open--;
  int fd = c->fd;
  c->fd = -1;
  pthread_mutex_unlock(&o->mutex);
  close(fd);
  return NULL;
}

static void *accept_all(void *arg) {
  struct origin *o = arg;
  for (;;) {
    int fd = accept4(o->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) return NULL;
    pthread_mutex_lock(&o->mutex);
    if (o->closing || o->connection_count == CONNECTIONS_MAX) {
      pthread_mutex_unlock(&o->mutex);
      close(fd);
      return NULL;
    }
    struct connection *c = &o->connections[o->connection_count];
    *c = (struct connection){.origin = o, .fd = fd, .number = o->connection_count};
    o->connection_count++;
    if (++o->open > o->most_open) o->most_open = o->open;
    int failed = pthread_create(&c->thread, NULL, serve, c);
    assert(failed == 0);
    (void)failed;
    pthread_mutex_unlock(&o->mutex);
  }
}

struct origin *origin_new(origin_answer *answer, void *arg) {
  struct origin *o = calloc(1, sizeof(*o));
  assert(o);
  o->answer = answer;
  o->arg = arg;
  pthread_mutex_init(&o->mutex, NULL);
  pthread_cond_init(&o->changed, NULL);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  o->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int failed = bind(o->listener, (struct sockaddr *)&address, size) || listen(o->listener, 64) ||
               getsockname(o->listener, (struct sockaddr *)&address, &size) ||
               pthread_create(&o->acceptor, NULL, accept_all, o);
  assert(!failed);
  (void)failed;
  o->port = ntohs(address.sin_port);
  return o;
}

void origin_free(struct origin *o) {
  pthread_mutex_lock(&o->mutex);
  o->closing = true;
  for (int i = 0; i < o->connection_count; i++) {
    if (o->connections[i].fd >= 0) shutdown(o->connections[i].fd, SHUT_RDWR);
  }
  pthread_mutex_unlock(&o->mutex);
  shutdown(o->listener, SHUT_RDWR);
  pthread_join(o->acceptor, NULL);
  for (int i = 0; i < o->connection_count; i++) {
    pthread_join(o->connections[i].thread, NULL);
  }
  close(o->listener);
  for (int i = 0; i < o->request_count; i++) {
    free(o->heads[i]);
  }
  pthread_cond_destroy(&o->changed);
  pthread_mutex_destroy(&o->mutex);
  free(o);
}

void origin_url(const struct origin *o, const char *scheme, const char *path, char ret_url[ORIGIN_URL_SIZE]) {
  int n = snprintf(ret_url, ORIGIN_URL_SIZE, "%s://127.0.0.1:%d%s", scheme, o->port, path);
  assert(n > 0 && n < ORIGIN_URL_SIZE);
  (void)n;
}

int origin_port(const struct origin *o) {
  return o->port;
}

void origin_greet(struct origin *o, const char *text) {
  pthread_mutex_lock(&o->mutex);
  o->greeting = text;
  pthread_mutex_unlock(&o->mutex);
}

static int read_int(struct origin *o, const int *value) {
  pthread_mutex_lock(&o->mutex);
  int copy = *value;
  pthread_mutex_unlock(&o->mutex);
  return copy;
}

int origin_connections(struct origin *o) {
  return read_int(o, &o->connection_count);
}

int origin_requests(struct origin *o) {
  return read_int(o, &o->request_count);
}

int origin_most_at_once(struct origin *o) {
  return read_int(o, &o->most_open);
}

bool origin_saw(struct origin *o, int number, const char *text) {
  pthread_mutex_lock(&o->mutex);
  bool saw = number < o->request_count && strstr(o->heads[number], text);
  pthread_mutex_unlock(&o->mutex);
  return saw;
}

void origin_wait_requests(struct origin *o, int n) {
  pthread_mutex_lock(&o->mutex);
  while (o->request_count < n) pthread_cond_wait(&o->changed, &o->mutex);
  pthread_mutex_unlock(&o->mutex);
}

void origin_wait_bytes(struct origin *o) {
  pthread_mutex_lock(&o->mutex);
  while (!o->got_bytes) pthread_cond_wait(&o->changed, &o->mutex);
  pthread_mutex_unlock(&o->mutex);
}

void origin_say_redirect(int fd, int status, const char *location) {
  char head[512];
  (void)snprintf(head, sizeof(head), "HTTP/1.1 %d Go\r\nLocation: %s\r\nContent-Length: 4\r\n\r\ngone", status,
                 location);
  origin_say(fd, head);
}

bool origin_say_and_close(void *arg, int fd, const struct origin_request *request) {
  (void)request;
  origin_say(fd, arg);
  return false;
}
