/* status.h - looks, never acts: the status object of a recording and the JSON of a call.
 *
 * Pure functions of rows that were read; this file and its .c may not include enqueue.h. */
#pragma once

#include "domain/recording.h"
#include "ledger/calls.h"

/* What a status object says that its row does not hold. */
struct status_view {
  struct str path_base; /* the path of PUBLIC_BASE_URL, "" or "/sub" */
  int64_t now;
  bool storage_full; /* nodes_workers_are_full: what is queued waits for room */
};

/* Appends the status object of row. */
CHECKED enum err status_write(struct buf *b, const struct recording *row, const struct status_view *v);
/* Appends the status object of a known call that has no recording: status missing, recording_sid null. */
CHECKED enum err status_write_none(struct buf *b, struct str call_sid);

/* A call as the list and GET /api/calls/{call_sid} show it. */
struct status_call {
  const struct call *call;
  const struct call *top;                    /* of its leg tree; may be call itself */
  struct str customer_number;                /* the outside party; empty unknown */
  const struct recording *const *recordings; /* its own, then its other legs' */
  size_t recording_count;
  const struct str *legs; /* call_sids of parent and children; NULL: not shown (lists) */
  size_t leg_count;
};
CHECKED enum err status_write_call(struct buf *b, const struct status_call *c, const struct status_view *v);
/* The outside party of a top leg: `from` of an inbound call; `to` of an outbound one, or of its first child leg where
 * the top leg's `to` is no telephone number or one of the business's own numbers. first_child may be NULL. */
struct str status_customer_number(const struct call *top, const struct call *first_child, const struct str *own_numbers,
                                  size_t own_count);
