/* recording_rows.h - rows and events for the tests of recordings. */
#pragma once

#include "recording_rules.h"

enum { DAY_MS = 24 * 60 * 60 * 1000, MINUTE_MS = 60 * 1000, TOKEN = 7 };
#define NOW INT64_C(1790000000000)

static const struct recording_file a_file = {.name = {"1/2026/11/CA1.RE1.mp3", 21},
                                             .bytes = 4000,
                                             .content_type = {"audio/mpeg", 10},
                                             .etag = {"\"e\"", 3},
                                             .modified_at = NOW,
                                             .duration_ms = 1500,
                                             .channels = 1};

/* The simplest row with that status, first seen a moment ago. */
static inline struct recording plain(enum recording_status status) {
  struct recording r = {.business_id = 1, .recording_sid = "RE1", .call_sid = "CA1", .status = status};
  r.rank = RECORDING_RANK_REST;
  r.announced_bytes = r.duration_ms = -1;
  r.first_seen_at = r.completed_at = NOW - MINUTE_MS;
  r.lease_token = TOKEN;
  r.version = 1;
  if (status == RECORDING_READY) {
    memcpy(r.name, a_file.name.p, a_file.name.n);
    r.bytes = 4000;
  }
  if (status == RECORDING_DOWNLOADING) {
    memcpy(r.lease_owner, "w", 1);
    r.lease_until = NOW + 1000;
  }
  if (status == RECORDING_EXPIRED) {
    memcpy(r.expire_reason, "deleted", 7);
    r.expired_at = NOW - 1000;
  }
  if (status == RECORDING_FAILED) memcpy(r.error_code, "provider_error", 14);
  return r;
}

static inline struct recording leased(enum recording_status status) {
  struct recording r = plain(status);
  memcpy(r.lease_owner, "w", 1);
  r.lease_until = NOW + 1000;
  return r;
}

static inline struct recording_event event_of(enum recording_event_kind kind) {
  return (struct recording_event){.kind = kind,
                                  .token = TOKEN,
                                  .owner = {"w", 1},
                                  .stem = {"1/2026/11/CA1.RE1", 17},
                                  .reason = "retention",
                                  .error = RECORDING_PROVIDER_ERROR,
                                  .jitter = UINT32_MAX / 2,
                                  .announced_bytes = -1,
                                  .file = a_file};
}
