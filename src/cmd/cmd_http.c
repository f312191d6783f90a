/* cmd_http.c - runs one transfer at a time on a fetch thread, and blocks the calling thread until it is over.
 *
 *   IDLE --http_call--> POSTED --caller_start--> RUNNING --caller_on_end--> OVER --http_call returns--> IDLE
 *
 * Invariants
 *  (1) The transfer writes into the caller's buffer: http_call does not return before is_over. It ends, because every limit of
 *      the request is finite. */
#include "cmd/cmd_http.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/lock.h"
#include "fetch/fetch.h"

enum { CONNECT_MS = 5000, ANSWER_MS = 10 * 1000, BODY_MAX = 1024 * 1024 };

struct http_caller {
  struct fetch *fetch;
  struct lock lock; /* covers the members below */
  struct lock_cond over;
  struct fetch_request request;
  struct buf *body;
  struct fetch_result result;
  bool is_over;
};

static void caller_finish(struct http_caller *h, const struct fetch_result *result) {
  LOCKED(&h->lock);
  h->result = *result;
  h->is_over = true;
  lock_cond_signal(&h->over);
}

static void caller_on_end(void *arg, const struct fetch_result *result) {
  caller_finish(arg, result);
}

static enum err caller_on_data(void *arg, struct str bytes) {
  struct http_caller *h = arg;
  return buf_add(h->body, bytes);
}

static void caller_start(void *arg) {
  struct http_caller *h = arg;
  struct fetch_transfer *transfer;
  enum err e = fetch_start(h->fetch, &h->request, &transfer);
  if (e == OK) return;
  struct fetch_result failed = {.end = FETCH_REFUSED};
  (void)snprintf(failed.detail, sizeof(failed.detail), "%s", err_text(e));
  caller_finish(h, &failed);
}

enum err http_caller_new(struct http_caller **ret_caller) {
  const struct fetch_config config = {.name = "call", .user_agent = "callreel/" CALLREEL_VERSION};
  struct http_caller *h = calloc(1, sizeof(*h));
  if (!h) return ERR_NOMEM;
  lock_init(&h->lock, "http_caller", LOCK_RANK_WORK);
  lock_cond_init(&h->over);
  enum err e = fetch_new(&config, &h->fetch);
  if (e == OK)
    *ret_caller = h;
  else
    http_caller_free(h);
  return e;
}

struct http_caller *http_caller_free(struct http_caller *h) {
  if (!h) return NULL;
  fetch_free(h->fetch);
  lock_cond_done(&h->over);
  lock_done(&h->lock);
  free(h);
  return NULL;
}

enum err http_call(struct http_caller *h, const char *method, const char *url, const char *const *headers,
                   struct str body, int *ret_status, struct buf *ret_body) {
  h->request = (struct fetch_request){.method = method,
                                      .url = url,
                                      .headers = headers,
                                      .body = body,
                                      .connect_ms = CONNECT_MS,
                                      .first_byte_ms = ANSWER_MS,
                                      .idle_ms = ANSWER_MS,
                                      .max_bytes = BODY_MAX,
                                      .trust_origin = true,
                                      .arg = h,
                                      .on_data = caller_on_data,
                                      .on_end = caller_on_end};
  h->body = ret_body;
  h->is_over = false;
  TRY(fetch_post(h->fetch, caller_start, h));
  LOCKED(&h->lock);
  while (!h->is_over) lock_cond_wait(&h->over, &h->lock); /* (1) */
  if (h->result.end != FETCH_DONE) return ERR_CLOSED;
  *ret_status = h->result.status;
  return OK;
}

const char *http_caller_problem(const struct http_caller *h) {
  return h->result.detail;
}
