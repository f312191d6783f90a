/* want.h - the only way to queue a recording on somebody's behalf.
 *
 *   want_consider(&row, WANT_PLAY, now)  says from a row that was read whether a write is needed at all: 300 listeners of
 *   one recording look 300 times and write once. want_run does it, inside db_writer's transaction.
 *
 * Whoever looks at a status may not include this file. */
#pragma once

#include "domain/recording.h"

enum want_kind { WANT_PLAY, WANT_PREPARE, WANT_RETRY };

/* What want_run would do at now. Pure. */
struct recording_outcome want_consider(const struct recording *row, enum want_kind kind, int64_t now);
/* Logs what it did: "Priority download job enqueued" (a play), else at debug "Deduplication skip" with the reason.
 * ERR_NOT_FOUND: no such recording. */
CHECKED enum err want_run(struct db *db, int64_t business_id, struct str recording_sid, enum want_kind kind,
                          int64_t now, struct recording *ret_row, struct recording_outcome *ret_outcome);
/* The ready file is gone or of another length: to missing, logged at warn; then as kind says. */
CHECKED enum err want_file_gone(struct db *db, int64_t business_id, struct str recording_sid, enum want_kind kind,
                                int64_t now, struct recording *ret_row, struct recording_outcome *ret_outcome);
