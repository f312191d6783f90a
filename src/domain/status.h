/* status.h - writes the status object of a recording and the JSON of a call.
 *
 *   struct status_view view = {.path_base = base, .now = now, .waits_for = RECORDING_STORAGE_FULL};
 *   TRY(status_write(&buf, &row, &view));
 *
 * Showing a status never queues anything, so this file and status.c must not include enqueue.h. Pure.
 * Thread rule: any thread. All functions: ERR_TOO_BIG if b is full, ERR_NOMEM. */
#pragma once

#include "domain/recording.h"
#include "ledger/calls.h"

/* The facts that a status object needs besides the row. */
struct status_view {
  struct str path_base; /* the path of PUBLIC_BASE_URL, "" or "/sub" */
  int64_t now;
  enum recording_error waits_for; /* why all queued recordings of the business wait; RECORDING_NONE: they do not */
  int64_t retention_days;         /* of the business; 0: for ever */
};

/* Appends the status object of row. */
CHECKED enum err status_write(struct buf *b, const struct recording *row, const struct status_view *v);
/* Appends the status object of a call without a recording: status missing, recording_sid null. */
CHECKED enum err status_write_none(struct buf *b, struct str call_sid);
/* Appends how long it is, in seconds with up to three decimals: of the audio if known, else as the provider reported, or null. */
CHECKED enum err status_write_duration(struct buf *b, const struct recording *row);

/* A call for the list and for GET /api/calls/{call_sid}. */
struct status_call {
  const struct call *call;
  const struct call *top;                    /* the top leg of its tree; may be call itself */
  struct str customer_number;                /* empty: unknown */
  const struct recording *const *recordings; /* its own, then those of its other legs */
  size_t recording_count;
  const struct str *legs; /* call_sids of parent and children; NULL: leave `legs` out, as lists do */
  size_t leg_count;
};
CHECKED enum err status_write_call(struct buf *b, const struct status_call *c, const struct status_view *v);
/* The customer's number of a top leg: `from` of an inbound call; `to` of an outbound one. If that `to` is not a
 * telephone number, or is one of the business's own numbers, it is the `to` of the first child leg. first_child may be
 * NULL. */
struct str status_customer_number(const struct call *top, const struct call *first_child, const struct str *own_numbers,
                                  size_t own_count);
