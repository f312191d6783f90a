/* webhooks.c - how many signed webhooks a second are answered, each durable before its 204.
 *
 *   webhooks HOST PORT BUSINESS ACCOUNT TOKEN COUNT CONNECTIONS
 *
 * Every request is of a call and recording of its own, signed as Twilio signs. Keep-alive connections, one request in hand
 * on each, epoll. Prints one line of JSON: answers by status, seconds, a second, milliseconds at p50, p99, most. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"

enum { REQUEST_MAX = 4096, CONNECTIONS_MAX = 1024, ANSWER_MAX = 2048 };

struct connection {
  int fd;
  int64_t sent_us;
  size_t got;
  char answer[ANSWER_MAX];
};

static const char *host, *account, *token;
static int port, business;
static long count, sent, answered, good;
static int64_t *latencies_us;

static _Noreturn void die(const char *what) {
  perror(what);
  exit(1);
}

static size_t make_request(long n, char *out) {
  static long start;
  char body[1024], target[128], text[2048], call[40], recording[40];
  uint8_t mac[SHA1_SIZE];
  if (!start) start = (long)clock_now_ms() ^ ((long)getpid() << 44); /* several of these may run at once */
  (void)snprintf(call, sizeof(call), "CA%016lx%016lx", (unsigned long)start, (unsigned long)n);
  (void)snprintf(recording, sizeof(recording), "RE%016lx%016lx", (unsigned long)start, (unsigned long)n);
  (void)snprintf(target, sizeof(target), "/webhooks/twilio/%d/recording", business);
  /* in-progress: the queue stays out of it, so that the figure is the webhook's own */
  const char *keys[][2] = {{"AccountSid", account},
                           {"CallSid", call},
                           {"RecordingSid", recording},
                           {"RecordingSource", "OutboundAPI"},
                           {"RecordingStatus", "in-progress"},
                           {"RecordingUrl", NULL}};
  char url[256];
  (void)snprintf(url, sizeof(url), "http://127.0.0.1:1/2010-04-01/Accounts/%s/Recordings/%s", account, recording);
  keys[5][1] = url;
  int at = snprintf(text, sizeof(text), "http://%s:%d%s", host, port, target), body_n = 0;
  for (size_t i = 0; i < COUNT_OF(keys); i++) {
    at += snprintf(text + at, sizeof(text) - (size_t)at, "%s%s", keys[i][0], keys[i][1]);
    body_n += snprintf(body + body_n, sizeof(body) - (size_t)body_n, "%s%s=%s", i ? "&" : "", keys[i][0], keys[i][1]);
  }
  secret_hmac_sha1(str_from(token), str_of(text, (size_t)at), mac);
  struct buf signature CLEANUP(buf_done) = BUF_INIT(64);
  if (base64_encode(&signature, mac, sizeof(mac)) != OK) die("base64");
  return (size_t)snprintf(out, REQUEST_MAX,
                          "POST %s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                          "X-Twilio-Signature: %.*s\r\nContent-Length: %d\r\n\r\n%s",
                          target, host, port, (int)signature.n, signature.p, body_n, body);
}

static bool send_next(struct connection *c) {
  static char request[REQUEST_MAX];
  if (sent == count) return false;
  size_t n = make_request(sent++, request);
  c->got = 0;
  c->sent_us = clock_mono_us();
  if (send(c->fd, request, n, MSG_NOSIGNAL) != (ssize_t)n) die("send");
  return true;
}

static void take_answer(struct connection *c) {
  ssize_t n = recv(c->fd, c->answer + c->got, sizeof(c->answer) - 1 - c->got, 0);
  if (n <= 0) die("recv");
  c->got += (size_t)n;
  c->answer[c->got] = '\0';
  if (!strstr(c->answer, "\r\n\r\n")) return;
  if (strncmp(c->answer, "HTTP/1.1 204", 12) == 0) {
    good++;
  } else {
    fprintf(stderr, "%.200s\n", c->answer);
    exit(1);
  }
  latencies_us[answered++] = clock_mono_us() - c->sent_us;
  (void)send_next(c);
}

static int connect_one(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || inet_pton(AF_INET, host, &a.sin_addr) != 1) die("socket");
  if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) die("connect");
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  return fd;
}

static int by_value(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
  static struct connection all[CONNECTIONS_MAX];
  if (argc != 8) {
    fprintf(stderr, "webhooks HOST PORT BUSINESS ACCOUNT TOKEN COUNT CONNECTIONS\n");
    return 2;
  }
  host = argv[1], port = (int)strtol(argv[2], NULL, 10), business = (int)strtol(argv[3], NULL, 10), account = argv[4],
  token = argv[5];
  count = atol(argv[6]);
  int connections = (int)strtol(argv[7], NULL, 10), epoll = epoll_create1(EPOLL_CLOEXEC);
  if (count < 1 || connections < 1 || connections > CONNECTIONS_MAX) return 2;
  latencies_us = calloc((size_t)count, sizeof(*latencies_us));
  if (!latencies_us || epoll < 0) die("start");
  for (int i = 0; i < connections; i++) {
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &all[i]};
    all[i].fd = connect_one();
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &e) != 0) die("epoll_ctl");
  }
  int64_t begin = clock_mono_us();
  for (int i = 0; i < connections; i++) (void)send_next(&all[i]);
  while (answered < count) {
    struct epoll_event events[64];
    int n = epoll_wait(epoll, events, COUNT_OF(events), 10000);
    if (n == 0 || (n < 0 && errno != EINTR)) die("no answer for 10 s");
    for (int i = 0; i < n; i++) take_answer(events[i].data.ptr);
  }
  double seconds = (double)(clock_mono_us() - begin) / 1e6;
  qsort(latencies_us, (size_t)count, sizeof(*latencies_us), by_value);
  printf("{\"answered\":%ld,\"seconds\":%.3f,\"a_second\":%.0f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"most_ms\":%.2f}\n",
         good, seconds, (double)good / seconds, (double)latencies_us[count / 2] / 1e3,
         (double)latencies_us[count * 99 / 100] / 1e3, (double)latencies_us[count - 1] / 1e3);
  return 0;
}
