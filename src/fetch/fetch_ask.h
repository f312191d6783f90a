/* fetch_ask.h - sends one GET with credentials to each of several URLs, and waits for the statuses.
 *
 *   struct fetch_ask ask = {.url = url, .user = user, .password = password};
 *   if (fetch_ask_all(&ask, 1) == OK && ask.status == 200) …
 *   fetch_ask_done(&ask);
 *
 * Thread rule: blocks for at most 10 s; never on a loop. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fetch_ask {
  int64_t about;               /* the caller's */
  char *url, *user, *password; /* owned */
  /* the result */
  bool is_over;
  int status; /* 0: no response; detail says why */
  char detail[160];
};
void fetch_ask_done(struct fetch_ask *a); /* wipes the password */
/* Sends all requests at once and waits for them, at most 10 s. */
CHECKED enum err fetch_ask_all(struct fetch_ask *asks, size_t count);
