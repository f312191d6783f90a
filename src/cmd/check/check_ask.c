/* check_ask.c - asks the provider about several accounts at once, on a fetch thread of its own.
 *
 * Invariants
 *  (1) lock covers left and what came of each ask until its is_over; fetch_free ends what has not ended.
 *  (2) An ask takes at most ASK_MS, whatever the other side does: after that the thread is ended. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/secret.h"
#include "cmd/check/check_parts.h"
#include "fetch/fetch.h"

enum { ASK_MS = 10 * 1000, CONNECT_MS = 8 * 1000, BODY_MAX = 1024 * 1024 };

struct asking {
  struct fetch *fetch;
  struct check_ask *asks;
  struct one *ones;
  size_t count, left;
  struct lock lock;
  struct lock_cond over;
};

struct one {
  struct asking *all;
  struct check_ask *ask;
};

void check_ask_done(struct check_ask *a) {
  if (a->password) secret_wipe(a->password, strlen(a->password));
  free(a->url);
  free(a->user);
  free(a->password);
  memset(a, 0, sizeof(*a));
}

static void end_one(const struct one *o, int status, const char *detail) {
  LOCKED(&o->all->lock);
  o->ask->is_over = true;
  o->ask->status = status;
  (void)snprintf(o->ask->detail, sizeof(o->ask->detail), "%s", detail);
  o->all->left--;
  lock_cond_broadcast(&o->all->over);
}

static void on_end(void *arg, const struct fetch_result *result) {
  bool stopped = result->end == FETCH_STOPPED; /* (2) */
  /* An answer whose body was too long, or broke off, is an answer. */
  end_one(arg, stopped ? 0 : result->status, stopped ? "no answer within 10 s" : result->detail);
}

static enum err on_data(void *arg, struct str bytes) {
  (void)arg, (void)bytes; /* the status says it all */
  return OK;
}

static void start_all(void *arg) {
  struct asking *all = arg;
  for (size_t i = 0; i < all->count; i++) {
    const struct check_ask *a = &all->asks[i];
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
                                    .on_data = on_data,
                                    .on_end = on_end};
    enum err e = fetch_start(all->fetch, &request, &transfer);
    if (e != OK) end_one(&all->ones[i], 0, err_text(e));
  }
}

static void wait_for_all(struct asking *all) {
  int64_t until = clock_mono_ms() + ASK_MS, now;
  LOCKED(&all->lock);
  while (all->left && (now = clock_mono_ms()) < until) lock_cond_wait_ms(&all->over, &all->lock, until - now);
}

enum err check_ask_all(struct check_ask *asks, size_t count) {
  struct asking all = {.asks = asks, .count = count, .left = count};
  const struct fetch_config config = {.name = "check", .user_agent = "callreel/" CALLREEL_VERSION};
  all.ones = calloc(count, sizeof(*all.ones));
  if (!all.ones) return ERR_NOMEM;
  for (size_t i = 0; i < count; i++) all.ones[i] = (struct one){&all, &asks[i]};
  lock_init(&all.lock, "check", LOCK_RANK_WORK);
  lock_cond_init(&all.over);
  enum err e = fetch_new(&config, &all.fetch);
  if (e == OK) e = fetch_post(all.fetch, start_all, &all);
  if (e == OK) wait_for_all(&all);
  all.fetch = fetch_free(all.fetch); /* (1), (2) */
  lock_cond_done(&all.over);
  lock_done(&all.lock);
  free(all.ones);
  return e;
}
