/* db_lanes.h - which of the waiting jobs the writer runs next. Of this room only; no thread, no lock, no database.
 *
 *   lanes_add(l, job);  …  while ((job = lanes_take(l)) != NULL) { run it; lanes_spent(l, job, us); }
 *
 * Thread rule: one user at a time. */
#pragma once

#include "db/db_writer.h"

enum { LANE_BUCKETS = 1024 };

struct lane;

struct waiting_job {
  struct db_job job;
  int64_t queued_ms; /* mono; of the part that waits */
  enum err result;
  bool began;                        /* a part of it has run */
  struct waiting_job *next;          /* in its lane, and in lists of the writer */
  struct waiting_job *older, *newer; /* among all that wait */
};

struct lanes {
  struct lane *buckets[LANE_BUCKETS];
  struct lane *turn[DB_CLASS_COUNT_]; /* of each class a ring of the businesses whose jobs wait; who is next */
  struct waiting_job *oldest, *newest;
  size_t lane_max[DB_CLASS_COUNT_]; /* jobs that one business may have waiting */
  int64_t edit_us, passed_us;       /* what the last edit took; what others took since, while an edit waited */
};

/* ERR_BUSY: that business has as many waiting as it may; a further part of a job is always let in. ERR_NOMEM. */
CHECKED enum err lanes_add(struct lanes *l, struct waiting_job *j);
/* NULL: none waits. */
struct waiting_job *lanes_take(struct lanes *l);
/* What the job that lanes_take gave has cost. */
void lanes_spent(struct lanes *l, const struct waiting_job *j, int64_t us);
/* The one that has waited longest, whosever turn it is; NULL: none waits. */
struct waiting_job *lanes_take_oldest(struct lanes *l);
