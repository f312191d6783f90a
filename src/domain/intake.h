/* intake.h - stores a delivery: writes the call and the recording, and queues the recording when it is complete.
 *
 *   TRY(intake_run(db, &delivery, now, &result));
 *
 * Repeated, reordered and simultaneous deliveries leave the same rows as one orderly delivery.
 * Thread rule: intake_run inside db_writer's transaction. */
#pragma once

#include "db/db.h"
#include "domain/delivery.h"
#include "domain/intake_result.h"

CHECKED enum err intake_run(struct db *db, const struct delivery *d, int64_t now, struct intake_result *ret_result);
/* The same for several deliveries, with few round trips; on PostgreSQL only, in a transaction that has the locks of their
 * businesses. After an error nothing may be committed: run each alone. */
CHECKED enum err intake_run_set(struct db *db, const struct delivery *const *deliveries, int count, int64_t now,
                                struct intake_result *const *results);
