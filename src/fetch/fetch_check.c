/* fetch_check.c - sends all requests at once, on a fetch thread of its own.
 *
 * Invariants
 *  (1) lock covers left and the results of each request until its is_over; fetch_free ends each transfer that still runs.
 *  (2) No request takes more than ASK_MS, whatever the provider does: then fetch_free stops the thread. */
#include "fetch/fetch_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/secret.h"
#include "fetch/fetch.h"

enum { ASK_MS = 10 * 1000, CONNECT_MS = 8 * 1000, BODY_MAX = 1024 * 1024 };

struct check_batch {
  struct fetch *fetch;
  struct fetch_check *checks;
  struct check_slot *ones;
  size_t count, left;
  struct lock lock;
  struct lock_cond over;
};

struct check_slot {
  struct check_batch *all;
  struct fetch_check *check;
};

void fetch_check_done(struct fetch_check *a) {
  if (a->password) secret_wipe(a->password, strlen(a->password));
  free(a->url);
  free(a->user);
  free(a->password);
  memset(a, 0, sizeof(*a));
}

static void ask_finish(const struct check_slot *o, int status, const char *detail) {
  LOCKED(&o->all->lock);
  o->check->is_over = true;
  o->check->status = status;
  (void)snprintf(o->check->detail, sizeof(o->check->detail), "%s", detail);
  o->all->left--;
  lock_cond_broadcast(&o->all->over);
}

static void ask_on_end(void *arg, const struct fetch_result *result) {
  bool stopped = result->end == FETCH_STOPPED; /* (2) */
  /* Only the status counts: a body that is too long or cut off is no error. */
  ask_finish(arg, stopped ? 0 : result->status, stopped ? "no answer within 10 s" : result->detail);
}

static enum err ask_on_data(void *arg, struct str bytes) {
  (void)arg, (void)bytes; /* only the status is used */
  return OK;
}

static void ask_start_all(void *arg) {
  struct check_batch *all = arg;
  for (size_t i = 0; i < all->count; i++) {
    const struct fetch_check *a = &all->checks[i];
    struct fetch_transfer *transfer;
    struct fetch_request request = {.url = a->url,
                                    .user = a->user,
                                    .password = a->password,
                                    .connect_ms = CONNECT_MS,
                                    .first_byte_ms = ASK_MS,
                                    .idle_ms = ASK_MS,
                                    .max_bytes = BODY_MAX,
                                    .trust_origin = true,
                                    .arg = &all->ones[i],
                                    .on_data = ask_on_data,
                                    .on_end = ask_on_end};
    enum err e = fetch_start(all->fetch, &request, &transfer);
    if (e != OK) ask_finish(&all->ones[i], 0, err_text(e));
  }
}

static void ask_wait_for_all(struct check_batch *all) {
  int64_t until = clock_mono_ms() + ASK_MS, now;
  LOCKED(&all->lock);
  while (all->left && (now = clock_mono_ms()) < until) lock_cond_wait_ms(&all->over, &all->lock, until - now);
}

enum err fetch_check_all(struct fetch_check *checks, size_t count) {
  struct check_batch all = {.checks = checks, .count = count, .left = count};
  const struct fetch_config config = {.name = "ask", .user_agent = "callreel/" CALLREEL_VERSION};
  all.ones = calloc(count, sizeof(*all.ones));
  if (!all.ones) return ERR_NOMEM;
  for (size_t i = 0; i < count; i++) all.ones[i] = (struct check_slot){&all, &checks[i]};
  lock_init(&all.lock, "ask", LOCK_RANK_ENGINE);
  lock_cond_init(&all.over);
  enum err e = fetch_new(&config, &all.fetch);
  if (e == OK) e = fetch_post(all.fetch, ask_start_all, &all);
  if (e == OK) ask_wait_for_all(&all);
  all.fetch = fetch_free(all.fetch); /* (1), (2) */
  lock_cond_done(&all.over);
  lock_done(&all.lock);
  free(all.ones);
  return e;
}
