/* enqueue.h - queues a recording for a person or a host application. Handlers must use it, not queue_apply.
 *
 *   outcome = enqueue_check(&row, ENQUEUE_PLAY, now);                    from a row that was read: is a write needed?
 *   if (outcome.moved) enqueue_run(db, business, sid, ENQUEUE_PLAY, now, &row, &outcome);
 *   enqueue_log(&row, ENQUEUE_PLAY, &outcome);                           after the commit
 *
 * Because of the check, 300 listeners of one recording cause one write. Code that only shows a status (status.c) must
 * not include this file.
 * Thread rule: enqueue_check and enqueue_log any thread; the others inside db_writer's transaction. */
#pragma once

#include "domain/recording.h"

/* RETRY: a person retries it; FORCED: also what failed with `absent_…`. */
enum enqueue_kind { ENQUEUE_PLAY, ENQUEUE_PREPARE, ENQUEUE_RETRY, ENQUEUE_FORCED_RETRY };

/* Decides as enqueue_run would for this row, and writes nothing. Pure. */
struct recording_outcome enqueue_check(const struct recording *row, enum enqueue_kind kind, int64_t now);
/* *ret_row: the row after that. ERR_NOT_FOUND: no such recording. ERR_CONFLICT: another writer changed it. */
CHECKED enum err enqueue_run(struct db *db, int64_t business_id, struct str recording_sid, enum enqueue_kind kind,
                             int64_t now, struct recording *ret_row, struct recording_outcome *ret_outcome);
/* For a ready recording whose file is missing or has another length: makes it missing, then does as
 * enqueue_run. */
CHECKED enum err enqueue_file_gone(struct db *db, int64_t business_id, struct str recording_sid, enum enqueue_kind kind,
                                   int64_t now, struct recording *ret_row, struct recording_outcome *ret_outcome);
/* For a failed recording, or a queued one without a fill, under whose name a file was seen: a worker checks the file now, also
 * during a back-off, after a permanent failure, and while no download may begin. Then does as enqueue_run. */
CHECKED enum err enqueue_file_seen(struct db *db, int64_t business_id, struct str recording_sid, enum enqueue_kind kind,
                                   int64_t now, struct recording *ret_row, struct recording_outcome *ret_outcome);
/* After the commit of one of these: logs that a file is gone or was seen; "Priority download job enqueued" for a play or a
 * retry that was queued; at debug "Deduplication skip" with the reason if nothing changed. */
void enqueue_log(const struct recording *row, enum enqueue_kind kind, const struct recording_outcome *outcome);
