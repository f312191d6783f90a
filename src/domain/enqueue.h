/* enqueue.h - the only way to queue a recording on somebody's behalf.
 *
 *   enqueue_check(&row, ENQUEUE_PLAY, now)  says from a row that was read whether a write is needed at all: 300 listeners of
 *   one recording look 300 times and write once. enqueue_run does it, inside db_writer's transaction.
 *
 * Whoever looks at a status may not include this file. */
#pragma once

#include "domain/recording.h"

enum enqueue_kind { ENQUEUE_PLAY, ENQUEUE_PREPARE, ENQUEUE_RETRY };

/* What enqueue_run would do at now. Pure. */
struct recording_outcome enqueue_check(const struct recording *row, enum enqueue_kind kind, int64_t now);
/* Logs what it did: "Priority download job enqueued" (a play), else at debug "Deduplication skip" with the reason.
 * ERR_NOT_FOUND: no such recording. */
CHECKED enum err enqueue_run(struct db *db, int64_t business_id, struct str recording_sid, enum enqueue_kind kind,
                             int64_t now, struct recording *ret_row, struct recording_outcome *ret_outcome);
/* The ready file is gone or of another length: to missing, logged at warn; then as kind says. */
CHECKED enum err enqueue_file_gone(struct db *db, int64_t business_id, struct str recording_sid, enum enqueue_kind kind,
                                   int64_t now, struct recording *ret_row, struct recording_outcome *ret_outcome);
