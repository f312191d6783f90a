/* cmd_url.h - the URLs that commands print: where this installation is, and what the provider calls. Pure. */
#pragma once

#include "base/buf.h"
#include "base/conf.h"

/* Where people reach it, without a trailing '/': PUBLIC_BASE_URL, else http://LISTEN, with the loopback for "any address";
 * nothing where LISTEN leaves the port open: what follows is a path then. */
CHECKED enum err url_add_base(struct buf *b, const struct conf *conf);
/* {PUBLIC_BASE_URL}/webhooks/twilio/{business_id}/{kind} */
CHECKED enum err url_add_webhook(struct buf *b, const struct conf *conf, int64_t business_id, const char *kind);

/* What keeps a provider from calling under PUBLIC_BASE_URL; NULL: nothing that can be seen from here. */
const char *url_public_problem(const char *public_base_url);
