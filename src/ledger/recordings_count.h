/* recordings_count.h - how many recordings are in which state, for people who look after the service. */
#pragma once

#include "ledger/recordings.h"

struct recordings_counts {
  int64_t by_status[RECORDING_STATUS_COUNT_];
  int64_t oldest_queued_at; /* 0: none is queued */
  int64_t bytes;            /* of ready ones */
};
/* Of one business, or with 0 of all. Cheap, however many there are: each write of a recording keeps the table
 * recording_counts. */
CHECKED enum err recordings_count(struct db *db, int64_t business_id, struct recordings_counts *ret_counts);
/* Failed ones by error code, most first. */
typedef enum err recordings_code_fn(void *arg, struct str code, int64_t count, int64_t permanent);
CHECKED enum err recordings_count_failures(struct db *db, int64_t business_id, recordings_code_fn *fn, void *arg);
/* The same of all businesses in no order and without permanent (0), as cheap as recordings_count. */
CHECKED enum err recordings_count_codes(struct db *db, recordings_code_fn *fn, void *arg);
/* Fills under a live lease at now. */
CHECKED enum err recordings_fills(struct db *db, int64_t business_id, int64_t now, recordings_each_fn *fn, void *arg);
