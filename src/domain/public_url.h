/* public_url.h - builds the URLs of this installation that people and the provider get. Pure.
 *
 * Thread rule: any thread; the caller owns the buffer. */
#pragma once

#include "base/buf.h"
#include "base/conf.h"

/* Appends the URL under which people reach the service, without a trailing '/': PUBLIC_BASE_URL, else http://LISTEN, with the
 * loopback address for 0.0.0.0 and [::]. Appends nothing if LISTEN has port 0: the result is a path then. */
CHECKED enum err public_url_add_base(struct buf *b, const struct conf *conf);
/* Appends {base}/webhooks/twilio/{business_id}/{kind}; kind is "call" or "recording". */
CHECKED enum err public_url_add_webhook(struct buf *b, const struct conf *conf, int64_t business_id, const char *kind);

/* Why a provider can't or should not call PUBLIC_BASE_URL, as a sentence; NULL if the URL shows no problem. */
const char *public_url_problem(const char *public_base_url);
