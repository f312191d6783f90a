/* fetch_check.h - sends one GET with credentials to each of several URLs, and waits for the statuses.
 *
 *   struct fetch_check check = {.url = url, .user = user, .password = password};
 *   if (fetch_check_all(&check, 1) == OK && check.status == 200) …
 *   fetch_check_done(&check);
 *
 * Thread rule: blocks for at most 10 s; never on a loop. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fetch_check {
  int64_t about;               /* the caller's */
  char *url, *user, *password; /* owned */
  /* the result */
  bool is_over;
  int status; /* 0: no response; detail says why */
  char detail[160];
};
void fetch_check_done(struct fetch_check *a); /* wipes the password */
/* Sends all requests at once and waits for them, at most 10 s. */
CHECKED enum err fetch_check_all(struct fetch_check *checks, size_t count);
