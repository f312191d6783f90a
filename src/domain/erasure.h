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
 * covers the call or the number, and nothing was begun. ERR_BUSY: too many are under way. */
CHECKED enum err erasure_begin(struct db *db, struct erasure *erasure, int64_t now, bool *ret_held);
/* Begins erasures of the calls that are older than their business's metadata_days, for the businesses behind *after.
 * default_days: RETENTION_DAYS. *ret_more: call it again; else *after is 0 again. */
CHECKED enum err erasure_begin_retention(struct db *db, int64_t default_days, int64_t *after, int64_t now,
                                         bool *ret_more);
/* Does a part of the erasure whose turn it is. mask: speech_content_without. *after: 0 at first; the erasure that was served.
 * *ret_more: call it again. */
CHECKED enum err erasure_part(struct db *db, erasure_mask_fn *mask, int64_t *after, int64_t now, bool *ret_more);
