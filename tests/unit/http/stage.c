#include "stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUIRE(condition)                                            \
  do {                                                                \
    if (!(condition)) {                                               \
      fprintf(stderr, "stage.c:%d: %s (%m)\n", __LINE__, #condition); \
      abort();                                                        \
    }                                                                 \
  } while (0)

char stage_byte(int64_t at) {
  return (char)('a' + (at + at / 1000) % 26);
}

/* ---- the app ---- */

static void note_end(struct http_exchange *x, void *arg, bool complete, int64_t sent) {
  struct stage *s = arg;
  (void)x;
  pthread_mutex_lock(&s->lock);
  REQUIRE(s->end_count < STAGE_ENDS);
  s->ends[s->end_count++] = (struct ending){complete, sent};
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

static void answer_text(struct http_exchange *x, int status, struct str text) {
  struct http_body body = {.kind = HTTP_BODY_BYTES, .bytes = text};
  http_respond(x, status, NULL, &body);
}

static void feed_next(void *arg, struct http_exchange *x, struct http_piece *ret_piece) {
  struct stage *s = arg;
  (void)x;
  pthread_mutex_lock(&s->lock);
  if (s->piece_first == s->piece_end) {
    ret_piece->kind = HTTP_PIECE_WAIT;
    s->waits++;
    pthread_cond_broadcast(&s->changed);
  } else {
    *ret_piece = s->pieces[s->piece_first++];
  }
  pthread_mutex_unlock(&s->lock);
}

static void feed_close(void *arg) {
  struct stage *s = arg;
  pthread_mutex_lock(&s->lock);
  struct http_exchange *x = s->fed;
  s->fed = NULL;
  s->closes++;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
  if (x) http_unref(x);
}

static const struct http_source feed_source = {feed_next, feed_close};

static void answer_feed(struct stage *s, struct http_exchange *x, int64_t length) {
  pthread_mutex_lock(&s->lock);
  s->fed = http_ref(x);
  pthread_mutex_unlock(&s->lock);
  struct http_body body = {.kind = HTTP_BODY_SOURCE, .length = length, .source = &feed_source, .source_arg = s};
  http_respond(x, 200, NULL, &body);
}

static void answer_file(struct stage *s, struct http_exchange *x, bool too_long) {
  unsigned loop = http_loop_index(x);
  struct http_fields f;
  struct http_representation have = {STR("\"e\""), -1, s->file_size};
  int64_t first = 0, last = s->file_size - 1;
  if (!s->files[loop]) {
    int fd = dup(s->file);
    REQUIRE(fd >= 0 && http_file_new(fd, &s->files[loop]) == OK);
  }
  if (s->drop_pages) (void)posix_fadvise(s->file, 0, 0, POSIX_FADV_DONTNEED);
  enum http_selection what = http_select(http_request(x), &have, &first, &last);
  http_fields_init(&f);
  if (what == HTTP_SELECT_PART)
    http_fieldf(&f, STR("Content-Range"), "bytes %lld-%lld/%lld", (long long)first, (long long)last,
                (long long)s->file_size);
  struct http_body body = {.kind = HTTP_BODY_FILE,
                           .file = s->files[loop],
                           .offset = first,
                           .length = last - first + 1 + (too_long ? 10 : 0)};
  http_respond(x, what == HTTP_SELECT_PART ? 206 : 200, &f, &body);
}

static void answer_big(struct http_exchange *x, size_t n) {
  char *bytes = malloc(n + 1);
  REQUIRE(bytes);
  for (size_t i = 0; i < n; i++) bytes[i] = stage_byte((int64_t)i);
  answer_text(x, 200, str_of(bytes, n));
  free(bytes);
}

static void answer_bad_field(struct http_exchange *x) {
  struct http_fields f;
  http_fields_init(&f);
  http_field(&f, STR("X"), STR("a\r\nInjected: yes"));
  struct http_body body = {.kind = HTTP_BODY_BYTES, .bytes = STR("secret")};
  http_respond(x, 200, &f, &body);
}

static void timer_fired(struct http_exchange *x, void *arg) {
  answer_text(x, 200, str_from(arg));
}

static void hold(struct stage *s, struct http_exchange *x) {
  http_ref(x);
  pthread_mutex_lock(&s->lock);
  REQUIRE(!s->held);
  s->held = x;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

static size_t number_after(struct str path, struct str prefix) {
  uint64_t n = 0;
  REQUIRE(str_to_u64(str_skip(path, prefix.n), 1u << 30, &n) == OK);
  return (size_t)n;
}

static void on_head(void *arg, struct http_exchange *x, size_t *body_max) {
  struct stage *s = arg;
  http_on_end(x, note_end, s);
  pthread_mutex_lock(&s->lock);
  s->begun++;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
  *body_max = 100 * 1000;
  if (str_eq(http_request(x)->path, STR("/dropped"))) http_drop_body(x);
  if (str_eq(http_request(x)->path, STR("/early"))) answer_text(x, 200, STR("early"));
}

static void on_request(void *arg, struct http_exchange *x) {
  struct stage *s = arg;
  const struct http_request *r = http_request(x);
  struct str p = r->path;
  if (str_eq(p, STR("/hello")))
    answer_text(x, 200, STR("hello"));
  else if (str_eq(p, STR("/echo")) || str_eq(p, STR("/dropped")))
    answer_text(x, 200, r->body);
  else if (str_eq(p, STR("/empty")))
    answer_text(x, 204, STR("not sent"));
  else if (str_eq(p, STR("/unchanged")))
    answer_text(x, 304, STR("not sent"));
  else if (str_eq(p, STR("/file")))
    answer_file(s, x, false);
  else if (str_eq(p, STR("/short-file")))
    answer_file(s, x, true);
  else if (str_eq(p, STR("/held")))
    hold(s, x);
  else if (str_eq(p, STR("/feed")))
    answer_feed(s, x, -1);
  else if (str_starts(p, STR("/feed/")))
    answer_feed(s, x, (int64_t)number_after(p, STR("/feed/")));
  else if (str_starts(p, STR("/big/")))
    answer_big(x, number_after(p, STR("/big/")));
  else if (str_eq(p, STR("/abort")))
    http_abort(x);
  else if (str_eq(p, STR("/over")))
    answer_text(x, 200, http_over_limit(x) ? STR("over") : STR("within"));
  else if (str_eq(p, STR("/timer")))
    http_timer(x, 0, timer_fired, (void *)(uintptr_t) "timer");
  else if (str_eq(p, STR("/bad-field")))
    answer_bad_field(x);
  else if (!str_eq(p, STR("/forgotten")))
    answer_text(x, 404, STR("no such path"));
}

static void on_refuse(void *arg, const struct http_request *request, int status, const char *reason,
                      struct http_fields *fields, char *ret_body, size_t body_size, size_t *ret_body_n) {
  (void)arg;
  (void)request;
  http_field(fields, STR("Content-Type"), STR("text/plain"));
  *ret_body_n = (size_t)snprintf(ret_body, body_size, "%d %s", status, reason);
}

/* ---- the stage ---- */

void stage_open(struct stage *s, const struct http_config *config) {
  *s = (struct stage){.file_size = 3 * 1000 * 1000};
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->changed, NULL);
  char path[] = "/tmp/http-stage-XXXXXX";
  s->file = mkstemp(path); /* on a real file system, so that pages can be dropped */
  REQUIRE(s->file >= 0 && unlink(path) == 0);
  char *bytes = malloc((size_t)s->file_size);
  REQUIRE(bytes);
  for (int64_t i = 0; i < s->file_size; i++) bytes[i] = stage_byte(i);
  REQUIRE(write(s->file, bytes, (size_t)s->file_size) == s->file_size);
  free(bytes);
  const struct http_app app = {.arg = s, .head = on_head, .request = on_request, .refuse = on_refuse};
  struct http_config own = config ? *config : (struct http_config){.loops = 1, .connections = 4000};
  if (!own.listen) own.listen = "127.0.0.1:0";
  REQUIRE(http_server_new(&own, &app, &s->server) == OK);
  REQUIRE(http_server_start(s->server) == OK);
}

static void drop_files(struct stage *s) {
  for (size_t i = 0; i < 16; i++) http_file_unref(s->files[i]);
}

void stage_close(struct stage *s) {
  http_server_free(s->server);
  REQUIRE(!s->held && !s->fed);
  REQUIRE(s->end_count == s->begun); /* in every way of ending, once */
  drop_files(s);
  close(s->file);
  pthread_cond_destroy(&s->changed);
  pthread_mutex_destroy(&s->lock);
}

static void wait_for(struct stage *s, const size_t *what, size_t count) {
  pthread_mutex_lock(&s->lock);
  while (*what < count) pthread_cond_wait(&s->changed, &s->lock);
  pthread_mutex_unlock(&s->lock);
}

struct ending stage_wait_ends(struct stage *s, size_t count) {
  wait_for(s, &s->end_count, count);
  pthread_mutex_lock(&s->lock);
  struct ending e = s->ends[count - 1];
  pthread_mutex_unlock(&s->lock);
  return e;
}

void stage_wait_begun(struct stage *s, size_t count) {
  wait_for(s, &s->begun, count);
}

void stage_wait_waits(struct stage *s, size_t count) {
  wait_for(s, &s->waits, count);
}

struct http_exchange *stage_take_held(struct stage *s) {
  pthread_mutex_lock(&s->lock);
  while (!s->held) pthread_cond_wait(&s->changed, &s->lock);
  struct http_exchange *x = TAKE(s->held);
  pthread_mutex_unlock(&s->lock);
  return x;
}

struct action {
  struct stage *stage;
  void (*fn)(struct http_exchange *x);
};

static void run_action(struct http_exchange *x, void *arg) {
  struct action *a = arg;
  struct stage *s = a->stage;
  a->fn(x);
  pthread_mutex_lock(&s->lock);
  s->actions++;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

void stage_do(struct stage *s, struct http_exchange *x, void (*fn)(struct http_exchange *x)) {
  struct action a = {s, fn};
  pthread_mutex_lock(&s->lock);
  size_t done = s->actions + 1;
  pthread_mutex_unlock(&s->lock);
  http_post(x, run_action, &a);
  wait_for(s, &s->actions, done);
}

void stage_feed(struct stage *s, struct http_piece piece) {
  pthread_mutex_lock(&s->lock);
  REQUIRE(s->piece_end < STAGE_PIECES);
  s->pieces[s->piece_end++] = piece;
  if (s->fed) http_wake_from_elsewhere(s->fed);
  pthread_mutex_unlock(&s->lock);
}

void stage_feed_bytes(struct stage *s, const char *text) {
  stage_feed(s, (struct http_piece){.kind = HTTP_PIECE_BYTES, .bytes = str_from(text)});
}

size_t stage_closes(struct stage *s) {
  pthread_mutex_lock(&s->lock);
  size_t n = s->closes;
  pthread_mutex_unlock(&s->lock);
  return n;
}

/* ---- the client ---- */

int client_open(struct stage *s) {
  int c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(c >= 0);
  const struct timeval long_enough = {.tv_sec = 30}; /* a hanging test ends */
  setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &long_enough, sizeof(long_enough));
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_port = htons((uint16_t)http_server_port(s->server)),
                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  REQUIRE(connect(c, (struct sockaddr *)&a, sizeof(a)) == 0);
  return c;
}

void client_send_n(int c, const void *bytes, size_t n) {
  const char *p = bytes;
  while (n > 0) {
    ssize_t sent = send(c, p, n, MSG_NOSIGNAL);
    if (sent < 0) return; /* the server may have had enough: the test sees what it answered */
    p += sent;
    n -= (size_t)sent;
  }
}

void client_send(int c, const char *text) {
  client_send_n(c, text, strlen(text));
}

const char *reply_field(const struct reply *r, const char *name) {
  static char value[512];
  for (const char *line = strchr(r->head, '\n'); line; line = strchr(line + 1, '\n')) {
    size_t n = strlen(name);
    if (strncasecmp(line + 1, name, n) != 0 || line[1 + n] != ':') continue;
    const char *from = line + 1 + n + 2, *end = strchr(from, '\r');
    snprintf(value, sizeof(value), "%.*s", (int)(end - from), from);
    return value;
  }
  return NULL;
}

static bool read_exactly(int c, char *to, size_t n) {
  while (n > 0) {
    ssize_t got = recv(c, to, n, 0);
    if (got <= 0) return false;
    to += got;
    n -= (size_t)got;
  }
  return true;
}

static bool read_line(int c, char *to, size_t size) {
  for (size_t n = 0; n + 1 < size; n++) {
    if (!read_exactly(c, to + n, 1)) return false;
    to[n + 1] = '\0';
    if (to[n] == '\n') return true;
  }
  return false;
}

static void append(struct reply *r, int c, size_t n) {
  r->body = realloc(r->body, r->body_n + n + 1);
  REQUIRE(r->body);
  r->whole = read_exactly(c, r->body + r->body_n, n);
  r->body_n += r->whole ? n : 0;
  r->body[r->body_n] = '\0';
}

static void read_chunks(struct reply *r, int c) {
  char line[64];
  for (;;) {
    r->whole = false;
    if (!read_line(c, line, sizeof(line))) return;
    size_t n = strtoul(line, NULL, 16);
    append(r, c, n);
    if (!r->whole) return;
    r->whole = read_exactly(c, line, 2) && memcmp(line, "\r\n", 2) == 0;
    if (n == 0 || !r->whole) return;
  }
}

static void read_to_end(struct reply *r, int c) {
  for (char byte;;) {
    ssize_t n = recv(c, &byte, 1, 0);
    r->whole = n == 0;
    if (n <= 0) return;
    r->body = realloc(r->body, r->body_n + 2);
    REQUIRE(r->body);
    r->body[r->body_n++] = byte;
    r->body[r->body_n] = '\0';
  }
}

struct reply client_read_head(int c) {
  struct reply r = {.body = calloc(1, 1), .whole = true};
  size_t n = 0;
  REQUIRE(r.body);
  while (n + 1 < sizeof(r.head) && (n < 4 || memcmp(r.head + n - 4, "\r\n\r\n", 4) != 0)) {
    if (!read_exactly(c, r.head + n, 1)) return r;
    r.head[++n] = '\0';
  }
  REQUIRE(strncmp(r.head, "HTTP/1.1 ", 9) == 0);
  r.status = (int)strtol(r.head + 9, NULL, 10);
  return r;
}

struct reply client_read(int c) {
  struct reply r = client_read_head(c);
  const char *length = reply_field(&r, "Content-Length");
  if (r.status < 200 || r.status == 204 || r.status == 304) return r;
  if (length)
    append(&r, c, strtoul(length, NULL, 10));
  else if (reply_field(&r, "Transfer-Encoding"))
    read_chunks(&r, c);
  else
    read_to_end(&r, c);
  return r;
}

struct reply client_get(int c, const char *target) {
  char text[512];
  snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target);
  client_send(c, text);
  return client_read(c);
}

void reply_done(struct reply *r) {
  free(r->body);
  r->body = NULL;
}

void assert_reply(struct reply r, int status, const char *body) {
  bool same = r.status == status && r.whole && r.body_n == strlen(body) && memcmp(r.body, body, r.body_n) == 0;
  if (!same) {
    print_error("status %d (%s), not %d: %.200s\n%s", r.status, r.whole ? "whole" : "cut", status, r.body, r.head);
    reply_done(&r);
    fail();
  }
  reply_done(&r);
}

enum ended client_wait_end(int c) {
  char bytes[4096];
  ssize_t n;
  while ((n = recv(c, bytes, sizeof(bytes), 0)) > 0) continue;
  REQUIRE(n == 0 || errno == ECONNRESET);
  return n == 0 ? ENDED_CLEAN : ENDED_RESET;
}

void client_close(int c) {
  close(c);
}

void client_reset(int c) {
  const struct linger none = {.l_onoff = 1, .l_linger = 0};
  setsockopt(c, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
  close(c);
}
