/* intake.h - takes a delivery into the catalog: the call, the recording, and the wish to fetch it, in one transaction.
 *
 * Repeated, reordered and simultaneous deliveries leave the same rows as one orderly delivery.
 * Thread rule: intake_run inside db_writer's transaction. */
#pragma once

#include "db/db.h"
#include "domain/delivery.h"

struct intake_result {
  bool enqueued; /* the recording was put into the queue by this delivery */
  bool call_changed;
  bool recording_changed;
  size_t dropped_fields; /* further ones that the rows had no room for */
};

/* True if all known fields fit their columns; else *ret_field is the name of the first that does not. Pure. */
bool intake_fits(const struct delivery *d, const char **ret_field);
CHECKED enum err intake_run(struct db *db, const struct delivery *d, int64_t now, struct intake_result *ret_result);
