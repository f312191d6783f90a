/* api_status_cache.h - status objects of what does not change by itself, as text: one table a loop.
 *
 *   struct cache_mark mark = rows_mark(api, business, id);   … read the row …   status_cache_put(t, business, id, mark, …);
 *   if (status_cache_find(t, business, id, &status)) answer with status->text
 *
 * A text is good while the mark holds under which its row was read.
 * Thread rule: its loop only. */
#pragma once

#include "domain/cache_version.h"
#include "ledger/recordings.h"

struct status_cache;

struct status_text {
  struct str text; /* valid until the next put */
  const char *recording_sid;
};

CHECKED enum err status_cache_new(struct status_cache **ret_statuses);
struct status_cache *status_cache_free(struct status_cache *t);
bool status_cache_find(struct status_cache *t, int64_t business_id, struct str id, struct status_text *ret_status);
/* What is too long is not kept; of those that share a place the older goes. */
void status_cache_put(struct status_cache *t, int64_t business_id, struct str id, struct cache_mark mark,
                      const char *recording_sid, struct str text);
