/* api_statuses.h - status objects of what does not change by itself, as text: one table a loop.
 *
 *   struct cache_mark mark = rows_mark(api, business, id);   … read the row …   statuses_put(t, business, id, mark, …);
 *   if (statuses_find(t, business, id, &status)) answer with status->text
 *
 * A text is good while the mark holds under which its row was read.
 * Thread rule: its loop only. */
#pragma once

#include "domain/cache_version.h"
#include "ledger/recordings.h"

struct statuses;

struct status_text {
  struct str text; /* valid until the next put */
  const char *recording_sid;
};

CHECKED enum err statuses_new(struct statuses **ret_statuses);
struct statuses *statuses_free(struct statuses *t);
bool statuses_find(struct statuses *t, int64_t business_id, struct str id, struct status_text *ret_status);
/* What is too long is not kept; of those that share a place the older goes. */
void statuses_put(struct statuses *t, int64_t business_id, struct str id, struct cache_mark mark,
                  const char *recording_sid, struct str text);
