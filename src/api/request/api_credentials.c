/* api_credentials.c - asks the provider about credentials, and remembers the answers.
 *
 * Invariants
 *  (1) The lock covers the slots and the businesses that ask. It is never held while the provider is asked.
 *  (2) A slot's verdict is of one version of one business's credentials. Another business or version replaces it.
 *  (3) A business is asked about by itself at most every AGAIN_MS in a process, however often its setup is looked at.
 *  (4) A business has at most CREDENTIALS_PER_BUSINESS asks, so one whose provider is slow leaves room for the others. */
#include "api/request/api_credentials.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/pool.h"

enum { SLOTS = 1024, THREADS = 4, AGAIN_MS = 5 * 60 * 1000 };

struct slot {
  int64_t business_id, version;
  int64_t asked_ms; /* mono; 0: never */
  enum provider_verdict verdict;
};

struct credentials {
  struct pool *pool;
  struct lock lock;                            /* (1) */
  int64_t asking[CREDENTIALS_QUEUE + THREADS]; /* whose asks wait or are under way; 0: a free place */
  struct slot slots[SLOTS];
};

struct attempt {
  struct credentials *owner;
  struct fetch_check check;
  int64_t version; /* of the slot to fill; 0: none */
  credentials_fn *fn;
  void *arg;
};

enum err credentials_new(struct credentials **ret_credentials) {
  struct credentials *c = calloc(1, sizeof(*c));
  if (!c) return ERR_NOMEM;
  lock_init(&c->lock, "credentials", LOCK_RANK_API);
  enum err e = pool_new("credentials", THREADS, CREDENTIALS_QUEUE, &c->pool);
  if (e == OK)
    *ret_credentials = c;
  else
    credentials_free(c);
  return e;
}

struct credentials *credentials_free(struct credentials *c) {
  if (!c) return NULL;
  pool_free(c->pool);
  lock_done(&c->lock);
  free(c);
  return NULL;
}

static struct slot *slot_of(struct credentials *c, int64_t business_id) {
  return &c->slots[(uint64_t)business_id % SLOTS];
}

/* ERR_FULL: the business has as many asks as it may have. ERR_BUSY: all together have. */
static enum err asking_add(struct credentials *c, int64_t business_id) {
  int of_business = 0;
  int64_t *place = NULL;
  LOCKED(&c->lock);
  for (size_t i = 0; i < COUNT_OF(c->asking); i++) {
    of_business += c->asking[i] == business_id;
    if (!c->asking[i]) place = &c->asking[i];
  }
  if (of_business >= CREDENTIALS_PER_BUSINESS) return ERR_FULL; /* (4) */
  if (!place) return ERR_BUSY;
  *place = business_id;
  return OK;
}

static void asking_remove(struct credentials *c, int64_t business_id) {
  LOCKED(&c->lock);
  for (size_t i = 0; i < COUNT_OF(c->asking); i++) {
    if (c->asking[i] != business_id) continue;
    c->asking[i] = 0;
    return;
  }
}

static void attempt_keep(const struct attempt *t, enum provider_verdict verdict) {
  struct credentials *c = t->owner;
  LOCKED(&c->lock);
  struct slot *s = slot_of(c, t->check.about);
  if (s->business_id == t->check.about && s->version == t->version) s->verdict = verdict; /* (2) */
}

static void attempt_run(void *arg, unsigned worker) {
  struct attempt *t = arg;
  (void)worker;
  enum err e = fetch_check_all(&t->check, 1);
  enum provider_verdict verdict = e == OK ? provider_try_verdict(&t->check) : PROVIDER_TRY_UNKNOWN;
  if (t->version) attempt_keep(t, verdict);
  asking_remove(t->owner, t->check.about);
  if (t->fn) t->fn(t->arg, verdict);
  fetch_check_done(&t->check);
  free(t);
}

static enum err attempt_begin(struct credentials *c, const struct provider_account *account, int64_t version,
                              credentials_fn *fn, void *arg) {
  struct attempt *t = calloc(1, sizeof(*t));
  if (!t) return ERR_NOMEM;
  *t = (struct attempt){.owner = c, .version = version, .fn = fn, .arg = arg};
  enum err e = provider_try_make(account, clock_now_ms(), &t->check);
  if (e == OK) {
    e = asking_add(c, t->check.about);
    if (e == OK && (e = pool_run(c->pool, attempt_run, t)) != OK) asking_remove(c, t->check.about);
    if (e != OK) fetch_check_done(&t->check);
  }
  if (e != OK) free(t);
  return e;
}

/* True: it is time to ask about this version. Then the slot is its own. */
static bool slot_claim(struct credentials *c, const struct access_business *b, enum provider_verdict *ret_verdict) {
  int64_t now = clock_mono_ms();
  LOCKED(&c->lock);
  struct slot *s = slot_of(c, b->business_id);
  bool is_mine = s->business_id == b->business_id && s->version == b->credentials_version;
  *ret_verdict = is_mine ? s->verdict : PROVIDER_TRY_UNKNOWN;
  if (is_mine && s->asked_ms && now - s->asked_ms < AGAIN_MS) return false; /* (3) */
  *s = (struct slot){b->business_id, b->credentials_version, now ? now : 1, *ret_verdict};
  return true;
}

enum provider_verdict credentials_verdict(struct credentials *c, const struct access_business *b) {
  enum provider_verdict verdict;
  const struct provider_account account = {.business_id = b->business_id,
                                           .account_sid = b->account_sid,
                                           .tokens = {b->tokens[0], b->tokens[1]},
                                           .api_key = b->api_key,
                                           .api_secret = b->api_secret,
                                           .base_url = b->base_url};
  if (slot_claim(c, b, &verdict)) IGNORE(attempt_begin(c, &account, b->credentials_version, NULL, NULL)); /* (3) */
  return verdict;
}

enum err credentials_try(struct credentials *c, const struct provider_account *account, credentials_fn *fn, void *arg) {
  return attempt_begin(c, account, 0, fn, arg);
}
