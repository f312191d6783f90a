/* api_credentials.h - whether the provider accepts a business's credentials, as this process has last seen it; asked on threads
 * of its own.
 *
 *   credentials_verdict(a->credentials, business)          the newest result; asks again in the background when that is old
 *   e = credentials_try(a->credentials, &account, on_tried, arg);          tries credentials that are not stored yet
 *
 * Thread rule: any thread; on_tried runs on a thread of the pool. Asks are bounded: four at once, CREDENTIALS_QUEUE waiting,
 * CREDENTIALS_PER_BUSINESS of these of one business. */
#pragma once

#include "domain/access.h"
#include "provider/provider_try.h"

enum { CREDENTIALS_QUEUE = 64, CREDENTIALS_PER_BUSINESS = 2 };

struct credentials;

CHECKED enum err credentials_new(struct credentials **ret_credentials);
struct credentials *credentials_free(struct credentials *c); /* waits for asks under way; NULL is fine; always NULL */

enum provider_verdict credentials_verdict(struct credentials *c, const struct access_business *business);
/* Copies what it needs. ERR_BUSY: too many wait; ERR_FULL: CREDENTIALS_PER_BUSINESS of the business do; ERR_INVALID: the
 * credentials are incomplete. On an error fn is not called. */
typedef void credentials_fn(void *arg, enum provider_verdict verdict);
CHECKED enum err credentials_try(struct credentials *c, const struct provider_account *account, credentials_fn *fn,
                                 void *arg);
