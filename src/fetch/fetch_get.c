/* fetch_get.c - runs one transfer at a time on a fetch thread of its own, and waits for its end.
 *
 * Invariants
 *  (1) lock covers stopped and is_over. The members of *get and its body are the fetch thread's until is_over.
 *  (2) transfer is the fetch thread's alone: it is set when it starts, and NULL after its end. */
#include "fetch/fetch_get.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/lock.h"
#include "fetch/fetch.h"

enum { RETRY_AFTER_MAX_S = 24 * 3600, FIRST_BYTE_MS = 30 * 1000, IDLE_MS = 15 * 1000 };

struct fetch_getter {
  struct fetch *fetch;
  struct lock lock;
  struct lock_cond over;
  bool is_over, stopped;
  struct fetch_get *get;
  struct fetch_transfer *transfer; /* (2) */
};

static void getter_end(struct fetch_getter *g) {
  LOCKED(&g->lock);
  g->is_over = true;
  lock_cond_broadcast(&g->over);
}

static enum err getter_on_reply(void *arg, const struct fetch_reply *reply) {
  const struct fetch_getter *g = arg;
  uint64_t seconds;
  int64_t at;
  g->get->status = reply->status;
  if (str_to_u64(reply->retry_after, RETRY_AFTER_MAX_S, &seconds) == OK)
    g->get->retry_after_ms = (int64_t)seconds * 1000;
  else if (reply->retry_after.n && date_parse_http(reply->retry_after, &at) == OK && at > clock_now_ms())
    g->get->retry_after_ms = at - clock_now_ms();
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
  (void)snprintf(g->get->detail, sizeof(g->get->detail), "%s",
                 result->end == FETCH_STOPPED ? "more bytes than expected" : result->detail);
  getter_end(g);
}

static void getter_start(void *arg) {
  struct fetch_getter *g = arg;
  const struct fetch_get *get = g->get;
  const struct fetch_request request = {.url = get->url,
                                        .user = get->user,
                                        .password = get->password,
                                        .first_byte_ms = FIRST_BYTE_MS,
                                        .idle_ms = IDLE_MS,
                                        .max_bytes = (int64_t)get->body->max,
                                        .trust_origin = true,
                                        .arg = g,
                                        .on_reply = getter_on_reply,
                                        .on_data = getter_on_data,
                                        .on_end = getter_on_end};
  enum err e = fetch_start(g->fetch, &request, &g->transfer);
  if (e == OK) return;
  (void)snprintf(g->get->detail, sizeof(g->get->detail), "%s", err_text(e));
  getter_end(g);
}

static void getter_cancel(void *arg) {
  const struct fetch_getter *g = arg;
  if (g->transfer) fetch_cancel(g->transfer);
}

enum err fetch_getter_get(struct fetch_getter *g, struct fetch_get *get) {
  get->status = 0;
  get->is_whole = false;
  get->retry_after_ms = 0;
  get->detail[0] = '\0';
  LOCKED(&g->lock);
  if (g->stopped) return ERR_CLOSED;
  g->get = get;
  g->is_over = false;
  TRY(fetch_post(g->fetch, getter_start, g));
  while (!g->is_over) lock_cond_wait(&g->over, &g->lock); /* the transfer's own limits end it */
  return g->stopped ? ERR_CLOSED : OK;
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
