/* remover_provider.h - deletes the provider's copies of expired recordings. For remover.c only.
 *
 * A few requests at a time, few of one business, each under its task's lease. A failure is tried again, after a pause that grows
 * up to an hour. A 429, refused credentials and an outage pause the whole business.
 * Thread rule: the worker's thread (fetch's loop). */
#pragma once

#include "db/db_writer.h"
#include "domain/access.h"
#include "fetch/fetch.h"
#include "provider/provider.h"

struct remover_provider;

/* owner: of the leases; stays the caller's, and must outlive it. */
CHECKED enum err remover_provider_new(struct db_writer *writer, const struct provider *provider, const char *owner,
                                      struct remover_provider **ret_remover);
void remover_provider_begin(struct remover_provider *p, struct fetch *fetch);
int64_t remover_provider_tick(struct remover_provider *p, const struct access_snapshot *snapshot, int64_t mono_ms);
void remover_provider_stop(struct remover_provider *p); /* cancels the requests */
bool remover_provider_is_idle(const struct remover_provider *p);
struct remover_provider *remover_provider_free(struct remover_provider *p); /* NULL is fine; always NULL */
