/* api_hits.h - counts of each business since this process started: its playbacks, and how many of them were hits
 * (answered from a file that was ready).
 *
 *   hits_count(hits, business_id, true);           at a playback's first answer
 *   hits_of(hits, business_id, &hit_count, &all);  for GET /api/stats
 *
 * Beyond HITS_BUSINESSES_MAX businesses, the one that was counted longest ago is forgotten.
 * Thread rule: any thread. */
#pragma once

#include <stdint.h>

#include "base/err.h"

struct hits;

enum { HITS_BUSINESSES_MAX = 16384 };

CHECKED enum err hits_new(struct hits **ret_hits);
struct hits *hits_free(struct hits *h); /* NULL is fine; always NULL */
/* Call it once for each playback. */
void hits_count(struct hits *h, int64_t business_id, bool is_hit);
/* Both are 0 for a business that was not counted. */
void hits_of(struct hits *h, int64_t business_id, int64_t *ret_hits, int64_t *ret_all);
