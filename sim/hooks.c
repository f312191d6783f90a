/* hooks.c - sends batches of webhooks on a fetch thread.
 *
 *   batch:  ORDERED --delay--> RUNNING --last result--> freed
 *   hook:   WAITING --> SENT --2xx--> ANSWERED
 *                        |  `--no connection, first time--> WAITING (RETRY_MS) --> SENT
 *                        `----any other result--> FAILED
 *
 * Invariants
 *  (1) Batches that were sent and timers belong to the fetch thread; counts are atomic.
 *  (2) A batch is freed when none of its hooks is running and none is left to start. */
#include "hooks.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "fetch/fetch.h"

enum {
  HOOKS_A_BATCH_MAX = 200,
  BODY_MAX = 64 * 1024,
  HEADER_MAX = 256,
  ANSWER_MAX = 64 * 1024,
  FIRST_BYTE_MS = 15 * 1000,
  RETRY_MS = 300,
  NEVER_MS = 60 * 1000,
};

struct hook {
  struct hook_batch *batch;
  char *url;
  struct buf body;
  char signature[64];
  char token[48]; /* idempotency token: a second try has the same one */
  bool tried;
};

struct hook_batch {
  struct hooks *hooks;
  struct hook *list[HOOKS_A_BATCH_MAX];
  size_t count;
  size_t next;  /* index of the next hook to start */
  size_t going; /* started hooks without a result */
  bool at_once;
};

struct timer {
  struct timer *next;
  int64_t due_ms;
  void (*fn)(void *arg);
  void (*drop)(void *arg);
  void *arg;
  struct hooks *hooks;
};

struct hooks {
  struct fetch *fetch;
  struct timer *timers;
  _Atomic int64_t sent, answered, failed, pending;
  _Atomic bool ending;
};

static struct hook *hook_free(struct hook *hook) {
  if (!hook) return NULL;
  free(hook->url);
  buf_done(&hook->body);
  free(hook);
  return NULL;
}

enum err hook_batch_new(struct hook_batch **ret_batch) {
  struct hook_batch *b = calloc(1, sizeof(*b));
  if (!b) return ERR_NOMEM;
  *ret_batch = b;
  return OK;
}

struct hook_batch *hook_batch_free(struct hook_batch *b) {
  if (!b) return NULL;
  for (size_t i = 0; i < b->count; i++) hook_free(b->list[i]);
  free(b);
  return NULL;
}

size_t hook_batch_count(const struct hook_batch *b) {
  return b->count;
}

static bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

static enum err add_encoded(struct buf *b, struct str text) {
  for (size_t i = 0; i < text.n; i++) {
    if (is_plain(text.p[i]))
      TRY(buf_add_char(b, text.p[i]));
    else if (text.p[i] == ' ')
      TRY(buf_add_char(b, '+'));
    else
      TRY(buf_addf(b, "%%%02X", (unsigned char)text.p[i]));
  }
  return OK;
}

static enum err encode_form(const struct twilio_parameter *parameters, size_t count, struct buf *b) {
  for (size_t i = 0; i < count; i++) {
    if (i > 0) TRY(buf_add_char(b, '&'));
    TRY(add_encoded(b, parameters[i].name));
    TRY(buf_add_char(b, '='));
    TRY(add_encoded(b, parameters[i].value));
  }
  return OK;
}

/* Signs a copy of the parameters, because signing sorts them. */
static enum err sign(const char *url, const struct twilio_parameter *parameters, size_t count, const char *token,
                     char *ret_signature, size_t size) {
  struct buf signature CLEANUP(buf_done) = BUF_INIT(64);
  struct twilio_parameter *copy = calloc(count + 1, sizeof(*copy));
  if (!copy) return ERR_NOMEM;
  if (count > 0) memcpy(copy, parameters, count * sizeof(*copy));
  const struct twilio_signed what = {.url = str_from(url), .parameters = copy, .count = count};
  enum err e = twilio_signature_make(&what, str_from(token), &signature);
  free(copy);
  TRY(e);
  return str_copy(ret_signature, size, buf_str(&signature));
}

static enum err make_idempotency_token(struct hook *hook) {
  uint8_t bytes[16];
  TRY(secret_random(bytes, sizeof(bytes)));
  hex_encode(bytes, sizeof(bytes), hook->token);
  return OK;
}

enum err hook_batch_add(struct hook_batch *b, const char *url, const struct twilio_parameter *parameters, size_t count,
                        const char *token) {
  if (b->count == HOOKS_A_BATCH_MAX) return ERR_TOO_BIG;
  struct hook *hook = calloc(1, sizeof(*hook));
  if (!hook) return ERR_NOMEM;
  buf_init(&hook->body, BODY_MAX);
  hook->url = str_dup(str_from(url));
  enum err e = hook->url ? OK : ERR_NOMEM;
  if (e == OK) e = encode_form(parameters, count, &hook->body);
  if (e == OK) e = sign(url, parameters, count, token, hook->signature, sizeof(hook->signature));
  if (e == OK) e = make_idempotency_token(hook);
  if (e != OK) {
    hook_free(hook);
    return e;
  }
  hook->batch = b;
  b->list[b->count++] = hook;
  return OK;
}

static struct hook *hook_copy(const struct hook *hook) {
  struct hook *copy = calloc(1, sizeof(*copy));
  if (!copy) return NULL;
  *copy = *hook;
  buf_init(&copy->body, BODY_MAX);
  copy->url = str_dup(str_from(hook->url));
  if (copy->url && buf_add(&copy->body, buf_str(&hook->body)) == OK) return copy;
  return hook_free(copy);
}

enum err hook_batch_double(struct hook_batch *b) {
  if (2 * b->count > HOOKS_A_BATCH_MAX) return ERR_TOO_BIG;
  for (size_t i = b->count; i-- > 0;) {
    struct hook *copy = hook_copy(b->list[i]);
    if (!copy) return ERR_NOMEM;
    memmove(b->list + i + 2, b->list + i + 1, (b->count - i - 1) * sizeof(b->list[0]));
    b->list[i + 1] = copy;
    b->count++;
  }
  return OK;
}

enum err hook_batch_thin(struct hook_batch *b, int64_t percent) {
  size_t kept = 0;
  for (size_t i = 0; i < b->count; i++) {
    uint32_t random = 0;
    enum err e = secret_random(&random, sizeof(random));
    if (e == OK && random % 100 < (uint32_t)percent)
      hook_free(b->list[i]);
    else
      b->list[kept++] = b->list[i];
  }
  b->count = kept;
  return OK;
}

enum err hook_batch_shuffle(struct hook_batch *b) {
  for (size_t i = b->count; i > 1; i--) {
    uint32_t random;
    TRY(secret_random(&random, sizeof(random)));
    struct hook *swapped = b->list[i - 1];
    b->list[i - 1] = b->list[random % i];
    b->list[random % i] = swapped;
  }
  return OK;
}

/* ---- on the fetch thread ---- */

static void batch_run(void *arg);
static void hook_start(struct hook *hook);

static void hook_start_later(void *arg) {
  hook_start(arg);
}

static enum err set_timer(struct hooks *h, int64_t delay_ms, void (*fn)(void *arg), void (*drop)(void *arg),
                          void *arg) {
  struct timer *t = malloc(sizeof(*t));
  if (!t) return ERR_NOMEM;
  *t = (struct timer){
      .next = h->timers, .due_ms = clock_mono_ms() + delay_ms, .fn = fn, .drop = drop, .arg = arg, .hooks = h};
  h->timers = t;
  return OK;
}

/* Records a hook's result, then starts the next hook or frees the batch. */
static void hook_finish(struct hook *hook, bool answered) {
  struct hook_batch *b = hook->batch;
  struct hooks *h = b->hooks;
  atomic_fetch_add(answered ? &h->answered : &h->failed, 1);
  atomic_fetch_sub(&h->pending, 1);
  b->going--;
  batch_run(b);
}

static void hook_drop(void *arg) {
  hook_finish(arg, false);
}

static enum err hook_discard_body(void *arg, struct str bytes) {
  (void)arg;
  (void)bytes;
  return OK;
}

static void hook_on_end(void *arg, const struct fetch_result *result) {
  struct hook *hook = arg;
  struct hooks *h = hook->batch->hooks;
  bool unreached = result->status == 0 && result->end == FETCH_REFUSED;
  if (unreached && !hook->tried) {
    hook->tried = true;
    if (set_timer(h, RETRY_MS, hook_start_later, hook_drop, hook) == OK) return;
  }
  hook_finish(hook, result->status >= 200 && result->status < 300);
}

static void hook_start(struct hook *hook) {
  struct hooks *h = hook->batch->hooks;
  char signature[HEADER_MAX], idempotency[HEADER_MAX];
  (void)snprintf(signature, sizeof(signature), "X-Twilio-Signature: %s", hook->signature);
  (void)snprintf(idempotency, sizeof(idempotency), "I-Twilio-Idempotency-Token: %s", hook->token);
  const char *const headers[] = {signature, idempotency,
                                 "Content-Type: application/x-www-form-urlencoded; charset=UTF-8", "Accept: */*", NULL};
  struct fetch_transfer *transfer;
  const struct fetch_request request = {
      .method = "POST",
      .url = hook->url,
      .headers = headers,
      .body = buf_str(&hook->body),
      .first_byte_ms = FIRST_BYTE_MS,
      .max_bytes = ANSWER_MAX,
      .allow_special_addresses = true,
      .arg = hook,
      .on_data = hook_discard_body,
      .on_end = hook_on_end,
  };
  if (h->ending || fetch_start(h->fetch, &request, &transfer) != OK) hook_finish(hook, false);
}

static void batch_run(void *arg) {
  struct hook_batch *b = arg;
  const size_t idle = 1;
  b->going++; /* keeps the batch alive: a hook that can't start calls batch_run again at once */
  while (b->next < b->count && (b->at_once || b->going == idle)) {
    struct hook *hook = b->list[b->next++];
    b->going++;
    atomic_fetch_add(&b->hooks->sent, 1);
    hook_start(hook);
  }
  b->going--;
  if (b->going == 0 && b->next == b->count) hook_batch_free(b); /* (2) */
}

static void batch_drop(void *arg) {
  struct hook_batch *b = arg;
  atomic_fetch_sub(&b->hooks->pending, (int64_t)b->count);
  hook_batch_free(b);
}

static int64_t hooks_tick(void *arg) {
  struct hooks *h = arg;
  int64_t now_ms = clock_mono_ms(), wait_ms = NEVER_MS;
  struct timer *due = NULL, **at = &h->timers;
  while (*at) {
    struct timer *t = *at;
    if (t->due_ms > now_ms) {
      if (t->due_ms - now_ms < wait_ms) wait_ms = t->due_ms - now_ms;
      at = &t->next;
      continue;
    }
    *at = t->next;
    t->next = due;
    due = t;
  }
  while (due) {
    struct timer *t = due;
    due = t->next;
    t->fn(t->arg);
    free(t);
    wait_ms = 0; /* fn may have set another timer */
  }
  return wait_ms;
}

static void hooks_add_timer(void *arg) {
  struct timer *t = arg;
  t->next = t->hooks->timers;
  t->hooks->timers = t;
}

/* ---- any thread ---- */

enum err hooks_new(struct hooks **ret_hooks) {
  struct hooks *h = calloc(1, sizeof(*h));
  if (!h) return ERR_NOMEM;
  const struct fetch_config config = {
      .name = "hooks", .max_connections = 64, .user_agent = "TwilioProxy/1.1", .arg = h, .tick = hooks_tick};
  enum err e = fetch_new(&config, &h->fetch);
  if (e != OK) {
    free(h);
    return e;
  }
  *ret_hooks = h;
  return OK;
}

struct hooks *hooks_free(struct hooks *h) {
  if (!h) return NULL;
  h->ending = true;
  h->fetch = fetch_free(h->fetch);
  while (h->timers) {
    struct timer *t = h->timers;
    h->timers = t->next;
    if (t->drop) t->drop(t->arg);
    free(t);
  }
  free(h);
  return NULL;
}

enum err hooks_after(struct hooks *h, int64_t delay_ms, void (*fn)(void *arg), void (*drop)(void *arg), void *arg) {
  struct timer *t = malloc(sizeof(*t));
  if (!t) return ERR_NOMEM;
  *t = (struct timer){.due_ms = clock_mono_ms() + delay_ms, .fn = fn, .drop = drop, .arg = arg, .hooks = h};
  enum err e = fetch_post(h->fetch, hooks_add_timer, t);
  if (e != OK) free(t);
  return e;
}

enum err hooks_send(struct hooks *h, struct hook_batch *b, int64_t delay_ms, bool at_once) {
  b->hooks = h;
  b->at_once = at_once;
  atomic_fetch_add(&h->pending, (int64_t)b->count);
  enum err e = hooks_after(h, delay_ms, batch_run, batch_drop, b);
  if (e != OK) batch_drop(b);
  return e;
}

struct hook_counts hooks_counts(const struct hooks *h) {
  return (struct hook_counts){atomic_load(&h->sent), atomic_load(&h->answered), atomic_load(&h->failed),
                              atomic_load(&h->pending)};
}
