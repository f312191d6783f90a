/* recordings_count.h - counts recordings by state and error, for operators. Triggers keep the table recording_counts, so a count
 * costs the same however many recordings there are. Thread rule: the connection's. */
#pragma once

#include "ledger/recordings.h"

struct recordings_counts {
  int64_t by_status[RECORDING_STATUS_COUNT_];
  int64_t oldest_queued_at; /* 0: none is queued */
  int64_t bytes;            /* of ready ones */
};
/* business_id 0: of all businesses. */
CHECKED enum err recordings_count(struct db *db, int64_t business_id, struct recordings_counts *ret_counts);
/* Has the business at most this many recordings in that state? */
CHECKED enum err recordings_are_few(struct db *db, int64_t business_id, enum recording_status status, int64_t most,
                                    bool *ret_few);
/* Calls fn with each error code of failed recordings, its count and how many of them failed permanently; the most frequent
 * first. business_id 0: of all businesses. */
typedef enum err recordings_code_fn(void *arg, struct str code, int64_t count, int64_t permanent);
CHECKED enum err recordings_count_failures(struct db *db, int64_t business_id, recordings_code_fn *fn, void *arg);
/* The same for all businesses, in no order and with permanent = 0. */
CHECKED enum err recordings_count_codes(struct db *db, recordings_code_fn *fn, void *arg);
/* Calls fn with each recording that has a live lease at now. business_id 0: of all businesses. */
CHECKED enum err recordings_fills(struct db *db, int64_t business_id, int64_t now, recordings_each_fn *fn, void *arg);
/* How many live leases a worker holds at now. */
CHECKED enum err recordings_count_fills(struct db *db, struct str owner, int64_t now, int64_t *ret_count);
/* How many recordings are due by their business's retention at now; at most `most`. default_days: RETENTION_DAYS. business_id 0:
 * of all businesses; then it looks at each that has a retention. */
CHECKED enum err recordings_count_due(struct db *db, int64_t business_id, int64_t default_days, int64_t now, int most,
                                      int64_t *ret_count);
