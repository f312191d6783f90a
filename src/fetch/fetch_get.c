/* fetch_get.c - runs one transfer at a time on a fetch thread of its own, and waits for its end.
 *
 * Invariants
 *  (1) lock covers stopped, cancelled and is_over. The members of *get and its body are the fetch thread's until is_over.
 *  (2) transfer is the fetch thread's alone: it is set when it starts, and NULL after its end.
 *  (3) A cancellation that comes between two requests ends the next one. */
#include "fetch/fetch_get.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/lock.h"
#include "fetch/fetch.h"

enum { RETRY_AFTER_MAX_MS = 24 * 3600 * 1000, FIRST_BYTE_MS = 30 * 1000, IDLE_MS = 15 * 1000 };

struct fetch_getter {
  struct fetch *fetch;
  struct lock lock;
  struct lock_cond over;
  bool is_over, stopped, cancelled;
  const struct fetch_request *request;
  struct fetch_get *get;
  struct fetch_transfer *transfer; /* (2) */
};

static void getter_end(struct fetch_getter *g) {
  LOCKED(&g->lock);
  g->is_over = true;
  lock_cond_broadcast(&g->over);
}

static bool is_number(struct str s) {
  size_t digits = 0;
  while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9') digits++;
  return s.n > 0 && digits == s.n;
}

int64_t fetch_retry_after_ms(struct str header) {
  uint64_t seconds;
  int64_t at, now = clock_now_ms();
  header = str_trim(header);
  if (str_to_u64(header, RETRY_AFTER_MAX_MS / 1000, &seconds) == OK) return (int64_t)seconds * 1000;
  if (is_number(header)) return RETRY_AFTER_MAX_MS;
  if (header.n == 0 || date_parse_http(header, &at) != OK || at <= now) return 0;
  return at - now < RETRY_AFTER_MAX_MS ? at - now : RETRY_AFTER_MAX_MS;
}

static enum err getter_on_reply(void *arg, const struct fetch_reply *reply) {
  const struct fetch_getter *g = arg;
  g->get->status = reply->status;
  g->get->retry_after_ms = fetch_retry_after_ms(reply->retry_after);
  return OK;
}

static enum err getter_on_data(void *arg, struct str bytes) {
  const struct fetch_getter *g = arg;
  return buf_add(g->get->body, bytes);
}

static void getter_on_end(void *arg, const struct fetch_result *result) {
  struct fetch_getter *g = arg;
  g->transfer = NULL;
  g->get->is_whole = result->end == FETCH_DONE;
  g->get->end = result->end;
  g->get->no_connection = result->no_connection;
  (void)snprintf(g->get->detail, sizeof(g->get->detail), "%s",
                 result->end == FETCH_STOPPED ? "more bytes than expected" : result->detail);
  getter_end(g);
}

static void getter_start(void *arg) {
  struct fetch_getter *g = arg;
  struct fetch_request request = *g->request;
  request.max_bytes = (int64_t)g->get->body->max;
  request.arg = g;
  request.on_reply = getter_on_reply;
  request.on_data = getter_on_data;
  request.on_end = getter_on_end;
  enum err e = fetch_start(g->fetch, &request, &g->transfer);
  if (e == OK) return;
  (void)snprintf(g->get->detail, sizeof(g->get->detail), "%s", err_text(e));
  g->get->end = FETCH_REFUSED;
  getter_end(g);
}

static void getter_cancel(void *arg) {
  const struct fetch_getter *g = arg;
  if (g->transfer) fetch_cancel(g->transfer);
}

enum err fetch_getter_send(struct fetch_getter *g, const struct fetch_request *request, struct fetch_get *get) {
  get->status = 0;
  get->is_whole = get->no_connection = false;
  get->end = FETCH_STOPPED;
  get->retry_after_ms = 0;
  get->detail[0] = '\0';
  LOCKED(&g->lock);
  if (g->stopped || g->cancelled) return g->stopped ? ERR_CLOSED : ERR_TIMEOUT; /* (3) */
  g->get = get;
  g->request = request;
  g->is_over = false;
  TRY(fetch_post(g->fetch, getter_start, g));
  while (!g->is_over) lock_cond_wait(&g->over, &g->lock); /* the transfer's own limits end it */
  if (g->stopped) return ERR_CLOSED;
  return g->cancelled && get->end == FETCH_STOPPED ? ERR_TIMEOUT : OK;
}

enum err fetch_getter_get(struct fetch_getter *g, struct fetch_get *get) {
  const struct fetch_request request = {.url = get->url,
                                        .user = get->user,
                                        .password = get->password,
                                        .first_byte_ms = FIRST_BYTE_MS,
                                        .idle_ms = IDLE_MS,
                                        .trust_origin = true};
  return fetch_getter_send(g, &request, get);
}

void fetch_getter_cancel(struct fetch_getter *g) {
  LOCKED(&g->lock);
  g->cancelled = true;
  if (g->is_over) return;
  IGNORE(fetch_post(g->fetch, getter_cancel, g)); /* then its own limits end it */
}

void fetch_getter_resume(struct fetch_getter *g) {
  LOCKED(&g->lock);
  g->cancelled = false;
}

void fetch_getter_stop(struct fetch_getter *g) {
  LOCKED(&g->lock);
  g->stopped = true;
  IGNORE(fetch_post(g->fetch, getter_cancel, g)); /* then its own limits end it */
}

enum err fetch_getter_new(struct fetch_getter **ret_getter) {
  const struct fetch_config config = {.name = "get", .max_connections = 2, .user_agent = "callreel/" CALLREEL_VERSION};
  struct fetch_getter *g = calloc(1, sizeof(*g));
  if (!g) return ERR_NOMEM;
  lock_init(&g->lock, "getter", LOCK_RANK_BLOB); /* lower than that of fetch, which is taken under it */
  lock_cond_init(&g->over);
  g->is_over = true;
  enum err e = fetch_new(&config, &g->fetch);
  if (e != OK) {
    fetch_getter_free(g);
    return e;
  }
  *ret_getter = g;
  return OK;
}

struct fetch_getter *fetch_getter_free(struct fetch_getter *g) {
  if (!g) return NULL;
  g->fetch = fetch_free(g->fetch);
  lock_cond_done(&g->over);
  lock_done(&g->lock);
  free(g);
  return NULL;
}
