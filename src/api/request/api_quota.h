/* api_quota.h - limits for each business, shared by all loops: turns a second, or bytes in use at once.
 *
 *   quota_new(&rates);   if (!quota_take_turn(rates, business_id, now_us, 2000, 10000, &wait_s)) …429…
 *   quota_new(&bytes);   if (quota_add(bytes, business_id, n, most)) { …; quota_give_back(bytes, business_id, n); }
 *
 * Use a quota either for turns or for bytes. Only businesses that have something in use take memory.
 * Thread rule: any thread. */
#pragma once

#include "base/str.h"

struct quota;

CHECKED enum err quota_new(struct quota **ret_quota);
struct quota *quota_free(struct quota *q); /* accepts NULL; returns NULL */
/* Takes a turn. a_second: turns a second on average; burst: turns at once after a pause. now_us: clock_mono_us. False: the
 * business is over its rate; *ret_wait_s (at least 1) is the seconds until its next turn. True if memory runs out. */
bool quota_take_turn(struct quota *q, int64_t business_id, int64_t now_us, int64_t a_second, int64_t burst,
                     int64_t *ret_wait_s);
/* Adds n to what the business has in use. False: that would exceed `most`, or memory ran out; nothing was added. */
bool quota_add(struct quota *q, int64_t business_id, int64_t n, int64_t most);
/* Subtracts n, which quota_add added. */
void quota_give_back(struct quota *q, int64_t business_id, int64_t n);
size_t quota_businesses(struct quota *q); /* for tests: how many businesses have a cell */
