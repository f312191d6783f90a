/* api_proxies.h - TRUSTED_PROXIES: whose X-Forwarded-For and -Proto count.
 * Thread rule: built once; asked from any thread. */
#pragma once

#include <sys/socket.h>

#include "base/str.h"

struct proxies;

/* Addresses and networks (10.0.0.0/8, ::1) with commas or blanks between; empty: none. ERR_INVALID. */
CHECKED enum err proxies_new(struct str list, struct proxies **ret_proxies);
struct proxies *proxies_free(struct proxies *p);
/* IPv4 in IPv6 counts as IPv4. */
bool proxies_trust(const struct proxies *p, const struct sockaddr_storage *peer);
