/* api_quota.h - what each business may have of something that all loops share: turns in a time, or bytes at once.
 *
 *   quota_new(&rates);   if (!quota_take_turn(rates, business_id, now_us, 2000, 10000, &wait_s)) …429…
 *   quota_new(&bytes);   if (quota_add(bytes, business_id, n, most)) { …; quota_give_back(bytes, business_id, n); }
 *
 * One quota is used for the one or for the other. A business is remembered only while it has something.
 * Thread rule: any thread. */
#pragma once

#include "base/str.h"

struct quota;

CHECKED enum err quota_new(struct quota **ret_quota);
struct quota *quota_free(struct quota *q); /* NULL is fine; always NULL */
/* A turn of so many a second, of which `burst` may be taken at once after a pause. now_us: clock_mono_us. False: not now;
 * *ret_wait_s, at least 1, says when. Where no memory is to be had the answer is yes. */
bool quota_take_turn(struct quota *q, int64_t business_id, int64_t now_us, int64_t a_second, int64_t burst,
                     int64_t *ret_wait_s);
/* True: n was added to what the business has, which is at most `most` with it. Where no memory is to be had: false. */
bool quota_add(struct quota *q, int64_t business_id, int64_t n, int64_t most);
void quota_give_back(struct quota *q, int64_t business_id, int64_t n);
size_t quota_businesses(struct quota *q); /* that there are cells for: tests */
