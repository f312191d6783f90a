/* intake.h - stores a delivery: writes the call and the recording, and queues the recording when it is complete.
 *
 *   TRY(intake_run(db, &delivery, now, &result));
 *
 * Repeated, reordered and simultaneous deliveries leave the same rows as one orderly delivery.
 * Thread rule: intake_run inside db_writer's transaction. */
#pragma once

#include "db/db.h"
#include "domain/delivery.h"
#include "ledger/recordings.h"

struct intake_result {
  bool enqueued; /* this delivery put the recording into the queue */
  bool call_changed;
  bool recording_changed;
  bool recording_failed;   /* this delivery made the recording fail: the caller logs it when it is committed */
  struct recording failed; /* the row after that; unset unless recording_failed */
  size_t dropped_fields;   /* unknown fields that the rows had no room for */
};

CHECKED enum err intake_run(struct db *db, const struct delivery *d, int64_t now, struct intake_result *ret_result);
