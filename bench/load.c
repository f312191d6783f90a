/* load.c - how many requests a second a server answers, and what a request costs it in CPU time.
 *
 *   load HOST PORT TARGET CONNECTIONS SECONDS [-p SERVER_PID]… [-H "Name: value"]… [-P PIPELINE]
 *
 * Keep-alive connections, one request in hand on each (or PIPELINE), edge-triggered epoll. Bodies are dropped in the kernel
 * (MSG_TRUNC): a client that copies them would be the one that is measured. Every answer's status and length are checked
 * against the first. Times are from a request's send to its answer's last byte; with a pipeline they say nothing.
 * Prints one line of JSON. */
#include <arpa/inet.h>
#include <dirent.h>
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
#include <time.h>
#include <unistd.h>

enum {
  CONNECTIONS_MAX = 20000,
  REQUEST_MAX = 4096,
  HEAD_MAX = 4096,
  PIDS_MAX = 64,
  PIPELINE_MAX = 64,
  WARM_US = 100 * 1000,
  STEPS = 32 /* of a histogram, to each power of two */,
};

struct connection {
  int fd;
  unsigned in_hand;
  long long sent_us;
  long long left; /* of the body in hand */
  size_t head_n;
  char head[HEAD_MAX];
};

static struct connection connections[CONNECTIONS_MAX];
static char request[REQUEST_MAX * PIPELINE_MAX];
static size_t request_n;
static int status_seen;
static long long length_seen;
static unsigned long long answers, wrong, bytes_in;
static unsigned long long times[STEPS * 64]; /* how many took so long */

static void die(const char *what) {
  perror(what);
  exit(1);
}

static long long now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* The processor time of a process, user and system, in nanoseconds. */
static long long cpu_ns(int pid) {
  char path[96];
  long long sum = 0, ns;
  snprintf(path, sizeof(path), "/proc/%d/task", pid);
  DIR *tasks = opendir(path);
  if (!tasks) die(path);
  for (const struct dirent *task; (task = readdir(tasks));) {
    if (task->d_name[0] == '.') continue;
    snprintf(path, sizeof(path), "/proc/%d/task/%.20s/schedstat", pid, task->d_name);
    FILE *f = fopen(path, "r");
    if (!f) continue; /* it ended meanwhile */
    if (fscanf(f, "%lld", &ns) == 1) sum += ns;
    fclose(f);
  }
  closedir(tasks);
  return sum;
}

/* Below STEPS each microsecond has a place of its own, above a place is 1/STEPS wide. */
static unsigned place_of(long long us) {
  unsigned long long n = us < 0 ? 0 : (unsigned long long)us;
  if (n < STEPS) return (unsigned)n;
  unsigned shift = 63 - (unsigned)__builtin_clzll(n) - 5;
  return (shift + 1) * STEPS + (unsigned)((n >> shift) - STEPS);
}

/* The upper end of a place. */
static double end_of(unsigned place) {
  unsigned shift = place / STEPS;
  if (shift < 1) return place;
  return (double)((unsigned long long)(place % STEPS + STEPS + 1) << (shift - 1));
}

static double quantile(double share) {
  unsigned long long all = 0, below = 0;
  for (unsigned i = 0; i < STEPS * 64; i++) all += times[i];
  for (unsigned i = 0; i < STEPS * 64; i++)
    if ((double)(below += times[i]) >= share * (double)all) return end_of(i);
  return 0;
}

static void send_requests(struct connection *c, unsigned count) {
  size_t n = request_n * count;
  c->in_hand += count;
  c->sent_us = now_us();
  if (send(c->fd, request, n, MSG_NOSIGNAL) != (ssize_t)n) die("send");
}

/* The head's end, its status and length. Bytes of c->head that belong to it, 0 when it is not whole. */
static size_t take_head(struct connection *c) {
  char *end = memmem(c->head, c->head_n, "\r\n\r\n", 4);
  if (!end) {
    if (c->head_n == HEAD_MAX) die("head too long");
    return 0;
  }
  int status = (int)strtol(c->head + 9, NULL, 10);
  c->left = 0;
  for (char *line = c->head; line < end; line = (char *)memchr(line, '\n', (size_t)(end + 2 - line)) + 1)
    if (strncasecmp(line, "content-length:", 15) == 0) c->left = atoll(line + 15);
  if (answers == 0) {
    status_seen = status;
    length_seen = c->left;
  }
  if (status != status_seen || c->left != length_seen) wrong++;
  return (size_t)(end - c->head) + 4;
}

/* Answers that are whole in what came with a head; the rest of a body is left for the kernel to drop. */
static unsigned take_answers(struct connection *c) {
  unsigned whole = 0;
  for (size_t used; (used = take_head(c)) > 0;) {
    size_t of_body = c->head_n - used < (size_t)c->left ? c->head_n - used : (size_t)c->left;
    c->left -= (long long)of_body;
    c->head_n -= used + of_body;
    memmove(c->head, c->head + used + of_body, c->head_n);
    if (c->left > 0) break;
    whole++;
  }
  return whole;
}

static void run(struct connection *c) {
  for (;;) {
    bool body = c->left > 0;
    size_t room = body ? (size_t)c->left : HEAD_MAX - c->head_n;
    ssize_t n = recv(c->fd, body ? NULL : c->head + c->head_n, room, body ? MSG_TRUNC : 0);
    if (n == 0) die("the server closed");
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) die("recv");
    bytes_in += (unsigned long long)n;
    unsigned whole = 0;
    if (body) {
      c->left -= n;
      if (c->left == 0) whole = 1;
    } else {
      c->head_n += (size_t)n;
      whole = take_answers(c);
    }
    answers += whole;
    c->in_hand -= whole;
    if (whole > 0) times[place_of(now_us() - c->sent_us)] += whole;
    if (whole > 0) send_requests(c, whole);
    if ((size_t)n < room) return;
  }
}

static void open_connection(struct connection *c, const char *host, int port, int epoll) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  const int one = 1;
  if (inet_pton(AF_INET, host, &a.sin_addr) != 1) die(host);
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof(a)) != 0) die("connect");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.ptr = c};
  if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0) die("fcntl");
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e) != 0) die("epoll_ctl");
}

struct options {
  const char *host, *target;
  int port, count;
  double seconds;
  unsigned pipeline;
  char extra[2048]; /* header lines */
  int pids[PIDS_MAX], pid_count;
};

static bool read_options(int argc, char **argv, struct options *o) {
  for (int option; (option = getopt(argc, argv, "p:H:P:")) != -1;) {
    size_t n = strlen(o->extra);
    if (option == 'p' && o->pid_count < PIDS_MAX)
      o->pids[o->pid_count++] = (int)strtol(optarg, NULL, 10);
    else if (option == 'P')
      o->pipeline = (unsigned)strtol(optarg, NULL, 10);
    else if (option == 'H')
      snprintf(o->extra + n, sizeof(o->extra) - n, "%s\r\n", optarg);
    else
      return false;
  }
  argv += optind;
  if (argc - optind != 5) return false;
  o->host = argv[0];
  o->port = (int)strtol(argv[1], NULL, 10);
  o->target = argv[2];
  o->count = (int)strtol(argv[3], NULL, 10);
  o->seconds = atof(argv[4]);
  return o->count > 0 && o->count <= CONNECTIONS_MAX && o->pipeline > 0 && o->pipeline <= PIPELINE_MAX;
}

static long long all_cpu_ns(const struct options *o) {
  long long sum = 0;
  for (int i = 0; i < o->pid_count; i++) sum += cpu_ns(o->pids[i]);
  return sum;
}

static void run_until(int epoll, long long end_us) {
  struct epoll_event events[256];
  while (now_us() < end_us) {
    int n = epoll_wait(epoll, events, 256, 100);
    for (int i = 0; i < n; i++) run(events[i].data.ptr);
  }
}

int main(int argc, char **argv) {
  static struct options o = {.pipeline = 1};
  if (!read_options(argc, argv, &o)) {
    fprintf(stderr, "usage: load [-p PID]... [-H HEADER]... [-P N] HOST PORT TARGET CONNECTIONS SECONDS\n");
    return 2;
  }
  int epoll = epoll_create1(0);
  request_n =
      (size_t)snprintf(request, REQUEST_MAX, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", o.target, o.host, o.extra);
  if (request_n >= REQUEST_MAX) return 2;
  for (unsigned i = 1; i < o.pipeline; i++) memcpy(request + i * request_n, request, request_n);
  for (int i = 0; i < o.count; i++) open_connection(&connections[i], o.host, o.port, epoll);
  for (int i = 0; i < o.count; i++) send_requests(&connections[i], o.pipeline);
  run_until(epoll, now_us() + WARM_US);
  memset(times, 0, sizeof(times));
  unsigned long long before = answers, bytes_before = bytes_in;
  long long cpu = all_cpu_ns(&o), from_us = now_us();
  run_until(epoll, from_us + (long long)(o.seconds * 1e6));
  double took = (double)(now_us() - from_us) / 1e6, done = (double)(answers - before);
  double cpu_us = (double)(all_cpu_ns(&o) - cpu) / 1e3;
  printf("{\"target\":\"%s\",\"status\":%d,\"length\":%lld,\"wrong\":%llu,\"answers\":%llu,\"per_second\":%.0f,",
         o.target, status_seen, length_seen, wrong, answers, done / took);
  printf("\"mb_per_second\":%.0f,\"server_cpu_us\":%.2f,\"p50_us\":%.0f,\"p99_us\":%.0f,\"p999_us\":%.0f}\n",
         (double)(bytes_in - bytes_before) / took / 1e6, o.pid_count && done > 0 ? cpu_us / done : 0.0, quantile(0.5),
         quantile(0.99), quantile(0.999));
  return wrong > 0;
}
