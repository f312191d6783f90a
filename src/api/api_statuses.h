/* api_statuses.h - status objects of what does not change by itself, as text: one table a loop.
 *
 *   uint64_t version = catalog_version(api, business);   … read the row …   statuses_put(t, business, id, version, …);
 *   if (statuses_find(t, business, id, catalog_version(api, business), &status)) answer with status->text
 *
 * A text is good for the version under which the row was read: whatever was written in the business makes a new one.
 * Thread rule: its loop only. */
#pragma once

#include "ledger/recordings.h"

struct statuses;

struct status_text {
  struct str text; /* valid until the next put */
  const char *recording_sid;
};

CHECKED enum err statuses_new(struct statuses **ret_statuses);
struct statuses *statuses_free(struct statuses *t);
bool statuses_find(struct statuses *t, int64_t business_id, struct str id, uint64_t version, struct status_text *ret_status);
/* What is too long is not kept; of those that share a place the older goes. */
void statuses_put(struct statuses *t, int64_t business_id, struct str id, uint64_t version, const char *recording_sid,
                  struct str text);
