/* api_status_cache.h - where a loop remembers status objects as text, of recordings whose status does not change by itself.
 *
 *   struct cache_mark mark = rows_mark(api, business, id);   … read the row …   status_cache_put(c, business, id, mark, …);
 *   if (status_cache_find(c, business, id, &status)) answer with status->text
 *
 * A text is good while the mark holds under which its row was read.
 * Thread rule: each belongs to one loop. */
#pragma once

#include "domain/cache_version.h"
#include "ledger/recordings.h"

struct status_cache;

struct cached_status {
  struct str text;           /* valid until the next put */
  const char *recording_sid; /* likewise */
};

CHECKED enum err status_cache_new(struct status_cache **ret_cache);
struct status_cache *status_cache_free(struct status_cache *c); /* NULL is fine; always NULL */
/* id: a recording's SID or a call's. days: how long the business keeps recordings, which the text depends on. */
bool status_cache_find(struct status_cache *c, int64_t business_id, int64_t days, struct str id,
                       struct cached_status *ret_status);
/* A text that is too long is not kept. */
void status_cache_put(struct status_cache *c, int64_t business_id, int64_t days, struct str id, struct cache_mark mark,
                      const char *recording_sid, struct str text);
