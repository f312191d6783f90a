/* api_proxies.h - TRUSTED_PROXIES: the proxies whose X-Forwarded-Proto is believed.
 *
 *   proxies_new(STR("10.0.0.0/8, ::1"), &proxies);
 *   if (proxies_trust(proxies, http_peer(exchange))) …use X-Forwarded-Proto…
 *
 * Thread rule: new and free on one thread; proxies_trust on any thread. */
#pragma once

#include <sys/socket.h>

#include "base/str.h"

struct proxies;

/* list: addresses and networks, separated by commas or blanks; empty: no proxy is trusted. ERR_INVALID: an entry can't be parsed.
 * ERR_TOO_BIG: there are more than 256. */
CHECKED enum err proxies_new(struct str list, struct proxies **ret_proxies);
struct proxies *proxies_free(struct proxies *p);
/* True if peer is in one of the networks. An IPv4-mapped IPv6 address counts as IPv4. */
bool proxies_trust(const struct proxies *p, const struct sockaddr_storage *peer);
/* The same of an address as X-Forwarded-For has it; false if it is none. */
bool proxies_trust_text(const struct proxies *p, struct str address);
