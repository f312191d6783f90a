/* api_hits.h - how many playbacks of each business were answered from what is here, since this process started.
 *
 * Past HITS_BUSINESSES_MAX the business that was counted least lately is forgotten. Thread rule: any thread. */
#pragma once

#include <stdint.h>

#include "base/err.h"

struct hits;

enum { HITS_BUSINESSES_MAX = 16384 };

CHECKED enum err hits_new(struct hits **ret_hits);
struct hits *hits_free(struct hits *h); /* NULL is fine; always NULL */
/* Once a playback. */
void hits_count(struct hits *h, int64_t business_id, bool is_hit);
/* Both 0 for a business that is not known. */
void hits_of(struct hits *h, int64_t business_id, int64_t *ret_hits, int64_t *ret_all);
