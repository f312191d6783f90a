/* db_lanes.h - decides which waiting job the writer runs next. For this room only; no thread, no lock, no database.
 *
 *   lanes_add(l, job);
 *   while ((job = lanes_take(l)) != NULL) { run it; lanes_spent(l, job, us); }
 *
 * Thread rule: the caller holds the writer's lock. */
#pragma once

#include "db/db_writer.h"

enum { LANE_BUCKETS = 1024 };

struct lane;

struct waiting_job {
  struct db_job job;
  int64_t queued_ms; /* monotonic: when its waiting part was queued */
  enum err result;
  bool began;                        /* its first part has run */
  struct waiting_job *next;          /* in its lane, later in a list of the writer */
  struct waiting_job *older, *newer; /* among all waiting jobs */
};

struct lane_share {
  int64_t last_us,
      passed_us; /* the last job's duration; the time of other classes since, while one of this class waited */
};

struct lanes {
  struct lane *buckets[LANE_BUCKETS];
  struct lane *turn[DB_CLASS_COUNT_]; /* per class: the lane whose turn is next, in a ring of lanes */
  struct waiting_job *oldest, *newest;
  size_t lane_max[DB_CLASS_COUNT_];          /* most waiting jobs of one business */
  struct lane_share shares[DB_CLASS_COUNT_]; /* of DB_CLASS_EDIT and DB_CLASS_UPKEEP */
};

/* ERR_BUSY: the business has lane_max jobs waiting (a further part of a begun job is always added). ERR_NOMEM. */
CHECKED enum err lanes_add(struct lanes *l, struct waiting_job *j);
/* Removes and returns the next job; NULL: no job waits. */
struct waiting_job *lanes_take(struct lanes *l);
/* Reports the run time of a job that lanes_take returned. */
void lanes_spent(struct lanes *l, const struct waiting_job *j, int64_t us);
/* Removes and returns the job that has waited longest, regardless of turns; NULL: no job waits. */
struct waiting_job *lanes_take_oldest(struct lanes *l);
