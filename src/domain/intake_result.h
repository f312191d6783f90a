/* intake_result.h - what storing a delivery changed. Thread rule: one owner. */
#pragma once

#include "ledger/recordings.h"

struct intake_result {
  bool enqueued; /* this delivery put the recording into the queue */
  bool call_changed;
  bool recording_changed;
  bool recording_failed;   /* this delivery made the recording fail: the caller logs it when it is committed */
  struct recording failed; /* the row after that; unset unless recording_failed */
  bool is_ready;           /* the recording is new, and ready with the file that was found */
  size_t dropped_fields;   /* unknown fields that the rows had no room for */
};
