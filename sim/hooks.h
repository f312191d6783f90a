/* hooks.h - sends webhooks, in order or all at once. A webhook that can't connect is tried once more.
 *
 *   struct hook_batch *batch;
 *   hook_batch_new(&batch);
 *   hook_batch_add(batch, url, parameters, count, token);   once for each webhook
 *   hooks_send(hooks, batch, 0, false);
 *
 * A thread of its own sends them. Thread rule: any thread, but one owner of a batch at a time. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "provider/twilio_signature.h"

struct hooks;
struct hook_batch;

CHECKED enum err hooks_new(struct hooks **ret_hooks);
/* Drops webhooks without a result. NULL is fine. Always returns NULL. */
struct hooks *hooks_free(struct hooks *h);

CHECKED enum err hook_batch_new(struct hook_batch **ret_batch);
struct hook_batch *hook_batch_free(struct hook_batch *b);
size_t hook_batch_count(const struct hook_batch *b);
/* Adds a POST of these parameters, in their order, signed with the token. */
CHECKED enum err hook_batch_add(struct hook_batch *b, const char *url, const struct twilio_parameter *parameters,
                                size_t count, const char *token);
/* Doubles each webhook: the second one follows the first. */
CHECKED enum err hook_batch_double(struct hook_batch *b);
/* Removes each webhook with a chance of percent in 100. */
CHECKED enum err hook_batch_thin(struct hook_batch *b, int64_t percent);
/* Puts the webhooks into a random order. */
CHECKED enum err hook_batch_shuffle(struct hook_batch *b);

/* Sends the batch after delay_ms, one webhook after the other or all at once. Takes the batch, also on failure. */
CHECKED enum err hooks_send(struct hooks *h, struct hook_batch *b, int64_t delay_ms, bool at_once);
/* Runs fn(arg) after delay_ms on the sending thread; if hooks_free comes first, drop(arg) instead. */
CHECKED enum err hooks_after(struct hooks *h, int64_t delay_ms, void (*fn)(void *arg), void (*drop)(void *arg),
                             void *arg);

struct hook_counts {
  int64_t sent;     /* begun; a second try does not count again */
  int64_t answered; /* with a 2xx */
  int64_t failed;   /* answered with another status, or not at all */
  int64_t pending;  /* without a result yet */
};
struct hook_counts hooks_counts(const struct hooks *h);
