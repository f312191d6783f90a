/* reconcile_ask.c - requests to the provider's lists: of an account one at a time, paced, repeated while the provider is busy or
 * in trouble.
 *
 * Invariants
 *  (1) Between the begins of two requests of an account are at least PACE_MS, whatever the answers are.
 *  (2) No wait is longer than the lease: each ends with a renewal.
 *  (3) The lock `work` is not held while the network or the time is waited for. */
#include <stdio.h>

#include "base/clock.h"
#include "base/metric.h"
#include "work/reconcile_internal.h"

enum { PACE_MS = 100, TRIES = 8, BACKOFF_FIRST_MS = 500, BACKOFF_CAP_MS = 60 * 1000, WAIT_PART_MS = 30 * 1000 };
enum { WAIT_MAX_MS = 5 * 60 * 1000 };

struct lease_job {
  const char *owner;
  bool was_ours;
};

static enum err lease_run(struct db *db, void *arg) {
  const struct lease_job *l = arg;
  return reconcile_lease_take(db, l->owner, l->was_ours);
}

enum err reconcile_renew(struct reconcile *r) {
  struct lease_job job = {r->parts.owner, r->has_lease};
  TRY(r->parts.write(r->parts.arg, lease_run, &job));
  r->has_lease = true;
  return OK;
}

static enum err wait_part(struct reconcile *r, int64_t ms) {
  int64_t until = clock_mono_ms() + ms, now;
  LOCKED(&r->lock);
  while (!r->stopped && (now = clock_mono_ms()) < until) lock_cond_wait_ms(&r->wake, &r->lock, until - now);
  return r->stopped ? ERR_CLOSED : OK;
}

/* (2) */
static enum err ask_wait(struct reconcile *r, int64_t ms) {
  while (ms > 0) {
    int64_t part = ms < WAIT_PART_MS ? ms : WAIT_PART_MS;
    TRY(wait_part(r, part));
    LOCKED(&r->work);
    TRY(reconcile_renew(r));
    ms -= part;
  }
  return OK;
}

static enum err reconcile_ask_once(struct reconcile_reader *reader, const struct reconcile_account *a, const char *url,
                                   struct fetch_get *ret_get) {
  const struct provider_account *p = &a->provider;
  bool has_key = p->api_key.n && p->api_secret.n;
  int64_t since = clock_mono_ms() - reader->asked_ms;
  if (reader->asked_ms && since < PACE_MS) TRY(wait_part(reader->r, PACE_MS - since)); /* (1) */
  reader->asked_ms = clock_mono_ms();
  buf_clear(&reader->body);
  *ret_get = (struct fetch_get){.url = url,
                                .user = has_key ? a->first->api_key : a->account_sid,
                                .password = has_key ? a->first->api_secret : a->first->tokens[0],
                                .body = &reader->body};
  TRY(fetch_getter_get(reader->getter, ret_get));
  if (ret_get->status) metric_add(METRIC_PROVIDER_REQUESTS, metric_http_code(ret_get->status), 1);
  return OK;
}

/* How long to wait before the request is repeated; 0: it is not. */
static int64_t ask_pause_ms(const struct fetch_get *get, int attempt) {
  bool is_in_trouble = get->status == 0 || get->status == 408 || get->status == 429 || get->status >= 500 ||
                       (get->status == 200 && !get->is_whole);
  if (!is_in_trouble || attempt + 1 == TRIES) return 0;
  int64_t ms = BACKOFF_FIRST_MS;
  for (int i = 0; i < attempt && ms < BACKOFF_CAP_MS; i++) ms *= 2;
  if (get->retry_after_ms > ms) ms = get->retry_after_ms;
  return ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS;
}

/* *ret_get: the last answer. */
static enum err ask_until_answered(struct reconcile_reader *reader, const struct reconcile_account *a, const char *url,
                                   struct fetch_get *ret_get) {
  for (int attempt = 0;; attempt++) {
    TRY(reconcile_ask_once(reader, a, url, ret_get));
    int64_t pause = ask_pause_ms(ret_get, attempt);
    if (!pause) return OK;
    TRY(ask_wait(reader->r, pause));
  }
}

enum err reconcile_ask(struct reconcile_reader *reader, const struct reconcile_account *a, const char *url) {
  struct fetch_get get;
  lock_release(&reader->r->work); /* (3) */
  enum err e = ask_until_answered(reader, a, url, &get);
  lock_take(&reader->r->work);
  if (e != OK) return e;
  if (get.status == 200 && get.is_whole) return OK;
  if (get.status == 400 || get.status == 404) return ERR_NOT_FOUND;
  bool is_refused = get.status == 401 || get.status == 403;
  if (is_refused)
    (void)snprintf(reader->why, sizeof(reader->why), "the provider refuses the credentials (%d)", get.status);
  else if (get.status && get.status != 200)
    (void)snprintf(reader->why, sizeof(reader->why), "the provider answers %d", get.status);
  else
    (void)snprintf(reader->why, sizeof(reader->why), "no whole answer from the provider: %s", get.detail);
  return is_refused ? ERR_DENIED : ERR_TIMEOUT;
}
