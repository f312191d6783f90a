/* speech_days.h - the table `speech_days`: what the speech engines did on each day (UTC), for operators.
 *
 *   const struct speech_use use = {.pieces = 1, .sent_ms = length, .took_ms = waited};
 *   TRY(speech_days_add(db, &use, now));                      in the transaction that stores the piece's answer
 *   TRY(speech_days_read(db, now, 1, &use));                  today
 *
 * Times are UNIX milliseconds. Thread rule: the connection's; writes run in db_writer's transaction. */
#pragma once

#include "db/db.h"

struct speech_use {
  int64_t pieces;      /* that an engine answered */
  int64_t sent_ms;     /* their sound */
  int64_t took_ms;     /* from each request to its answer */
  int64_t transcripts; /* that were completed */
  int64_t recorded_ms; /* the length of their recordings */
};

CHECKED enum err speech_days_add(struct db *db, const struct speech_use *use, int64_t now);
/* The sum over the last `days` days, of which today is the last. */
CHECKED enum err speech_days_read(struct db *db, int64_t now, int days, struct speech_use *ret_use);
