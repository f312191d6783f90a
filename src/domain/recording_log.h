/* recording_log.h - log lines about a recording: the fields that name it, and the line of a failure.
 *
 *   log_info("Recording saved", LOG_RECORDING(&row), LOG_INT("bytes", bytes));
 *
 * Thread rule: any thread. */
#pragma once

#include "base/log.h"
#include "ledger/recordings.h"

/* The fields that name a recording in a log line. row: a struct recording, or another struct with these members. */
#define LOG_RECORDING(row)                                                    \
  LOG_INT("business", (row)->business_id), LOG_TEXT("call", (row)->call_sid), \
      LOG_TEXT("recording", (row)->recording_sid)

/* Logs that a recording failed, once for each failure. row: after the failure. why: in words; empty: the message of
 * row's error code. The level is error if the failure is permanent or the store's, else warn. */
void recording_log_failure(const struct recording *row, struct str why);
