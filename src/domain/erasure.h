/* erasure.h - removes calls with all that is known of them: one call with its legs, all calls of a number, or all whose time is
 * over.
 *
 *   TRY(erasure_begin(db, &erasure, now, &held));       a call: 409 if a legal hold covers it
 *   TRY(erasure_part(db, mask, &after, now, &more));    the worker, until there is no more
 *
 * An erasure is a row of `erasures`. It goes on after a crash. Calls that a legal hold covers stay, and are counted.
 * Thread rule: inside db_writer's transaction. */
#pragma once

#include "domain/erasure_transcripts.h"

/* Begins the erasure and does its first part; if one of the same key is under way, that is read instead. *ret_held: a hold
 * covers the call or the number, and nothing was begun. ERR_BUSY: too many are under way, or legs of the call are being moved. */
CHECKED enum err erasure_begin(struct db *db, struct erasure *erasure, int64_t now, bool *ret_held);
/* Of a call that turned out to belong to one that was deleted: a worker removes it, unless a hold covers it by then. It removes
 * the call whole, with the legs above the one that is named. The service is its requester, and its certificate has no digest. */
CHECKED enum err erasure_begin_late(struct db *db, int64_t business_id, struct str call_sid, int64_t now);
/* Begins erasures of the calls that are older than their business's metadata_days, for the businesses behind *after.
 * default_days: RETENTION_DAYS. *ret_more: call it again; else *after is 0 again. */
CHECKED enum err erasure_begin_retention(struct db *db, int64_t default_days, int64_t *after, int64_t now,
                                         bool *ret_more);
/* Does a part of the erasure whose turn it is. mask: speech_content_without. *after: 0 at first; the erasure that was served.
 * *ret_more: call it again. */
CHECKED enum err erasure_part(struct db *db, erasure_mask_fn *mask, int64_t *after, int64_t now, bool *ret_more);
