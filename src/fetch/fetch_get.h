/* fetch_get.h - one request after the other, each awaited with the whole body of its answer; connections are kept.
 *
 *   fetch_getter_new(&g);
 *   struct fetch_get get = {.url = url, .user = user, .password = password, .body = &body};
 *   if (fetch_getter_get(g, &get) == OK && get.status == 200) … body …
 *   fetch_getter_free(g);
 *
 * Thread rule: one owner, which may block; never a loop. fetch_getter_cancel, _resume and _stop: any thread. */
#pragma once

#include "base/buf.h"
#include "fetch/fetch.h"

struct fetch_getter;

struct fetch_get {
  const char *url, *user, *password;
  struct buf *body; /* appended to, up to its ceiling */
  /* the result */
  int status;             /* of the answer; 0: none came */
  bool is_whole;          /* the whole body is there */
  enum fetch_end end;     /* how the transfer ended */
  bool no_connection;     /* with FETCH_REFUSED: the name was not found, or the connection was refused or reset */
  int64_t retry_after_ms; /* the time in the answer's Retry-After; 0: none */
  char detail[160];       /* why it failed, without secrets; "" where it did not */
};

CHECKED enum err fetch_getter_new(struct fetch_getter **ret_getter);
/* Waits for the answer: at most 10 s for a connection, 30 s for its head, and 15 s for each byte of its body. ERR_CLOSED:
 * fetch_getter_stop was called. OK says nothing about the answer: see status and is_whole. */
CHECKED enum err fetch_getter_get(struct fetch_getter *g, struct fetch_get *get);
/* The same with any request: url, user and password of *get are not used, nor are the callbacks, arg and max_bytes of request.
 * Its limits are. ERR_TIMEOUT: fetch_getter_cancel was called. */
CHECKED enum err fetch_getter_send(struct fetch_getter *g, const struct fetch_request *request, struct fetch_get *get);
/* Ends the request that runs, and each later one at once, until fetch_getter_resume. */
void fetch_getter_cancel(struct fetch_getter *g);
void fetch_getter_resume(struct fetch_getter *g);
/* Ends the request that runs, and each later one at once. */
void fetch_getter_stop(struct fetch_getter *g);
struct fetch_getter *fetch_getter_free(struct fetch_getter *g); /* NULL is fine. Always NULL. */
