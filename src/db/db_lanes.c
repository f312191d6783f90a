/* db_lanes.c - jobs wait in lanes, one lane for each business and class, and one for each name of an upkeep job; lanes take
 * turns.
 *
 *   added --> last of its lane --the turn of its class and lane--> taken       [lanes_take]
 *         `-> newest of all -----it has become the oldest--------> taken       [lanes_take_oldest]
 *
 * Invariants
 *  (1) A lane exists while a job waits in it, and is then in its bucket and in its class's ring.
 *  (2) A lane keeps the order of lanes_add, so the oldest job of all is the first of its lane.
 *  (3) Each job taken moves its ring on by one lane, so no business gets two turns of a class while another one's job waits in
 *      that class.
 *  (4) Leases go first, then webhooks, then edits, then upkeep. A waiting edit goes before them once all others have used,
 *      since the last edit, at least PASSED_LEAST_US and SHARE times that edit's duration. An edit counts for COUNTS_MOST_US
 *      at most, so edits always progress; those of up to COUNTS_MOST_US use a fifth of the time at most, longer ones more.
 *  (5) The same holds for upkeep, which goes before edits then. So it has a fifth of the time, however many businesses edit. */
#include "db/db_lanes.h"

#include <assert.h>
#include <stdlib.h>

enum { SHARE = 4, PASSED_LEAST_US = 2000, COUNTS_MOST_US = 250000 };

struct lane {
  int64_t id; /* the business; of DB_CLASS_UPKEEP: the job's name */
  enum db_class class;
  struct waiting_job *first, **end;
  size_t count;
  struct lane *left, *right; /* in the ring */
  struct lane *below;        /* in the bucket */
};

/* ---- lanes ---- */

static int64_t lane_id(const struct db_job *job) {
  return job->class == DB_CLASS_UPKEEP ? (int64_t)job->name : job->business_id;
}

static struct lane **bucket_of(struct lanes *l, int64_t id, enum db_class class) {
  uint64_t h = ((uint64_t)id * DB_CLASS_COUNT_ + class) * UINT64_C(0x9e3779b97f4a7c15);
  return &l->buckets[(h >> 32) % LANE_BUCKETS];
}

static struct lane **find_lane(struct lanes *l, int64_t id, enum db_class class) {
  struct lane **at = bucket_of(l, id, class);
  while (*at && ((*at)->id != id || (*at)->class != class)) at = &(*at)->below;
  return at;
}

/* Adds a lane whose turn comes after all lanes in the ring. */
static void ring_add(struct lane **turn, struct lane *lane) {
  if (!*turn) {
    lane->left = lane->right = lane;
    *turn = lane;
    return;
  }
  lane->right = *turn;
  lane->left = (*turn)->left;
  lane->left->right = lane->right->left = lane;
}

static struct lane *lane_of(struct lanes *l, int64_t id, enum db_class class) {
  struct lane **at = find_lane(l, id, class);
  if (*at) return *at;
  struct lane *lane = calloc(1, sizeof(*lane));
  if (!lane) return NULL;
  lane->id = id;
  lane->class = class;
  lane->end = &lane->first;
  *at = lane;
  ring_add(&l->turn[class], lane);
  return lane;
}

static void lane_remove(struct lanes *l, struct lane *lane) {
  struct lane **at = find_lane(l, lane->id, lane->class);
  assert(*at == lane && !lane->first); /* (1) */
  *at = lane->below;
  struct lane **turn = &l->turn[lane->class];
  lane->left->right = lane->right;
  lane->right->left = lane->left;
  if (*turn == lane) *turn = lane->right == lane ? NULL : lane->right;
  free(lane);
}

/* ---- jobs ---- */

enum err lanes_add(struct lanes *l, struct waiting_job *j) {
  struct lane *lane = lane_of(l, lane_id(&j->job), j->job.class);
  if (!lane) return ERR_NOMEM;
  if (!j->began && lane->count >= l->lane_max[j->job.class]) return ERR_BUSY;
  j->next = NULL;
  *lane->end = j;
  lane->end = &j->next;
  lane->count++;
  j->older = l->newest;
  j->newer = NULL;
  *(l->newest ? &l->newest->newer : &l->oldest) = j;
  l->newest = j;
  return OK;
}

static struct waiting_job *lane_take(struct lanes *l, struct lane *lane) {
  struct waiting_job *j = lane->first;
  lane->first = j->next;
  if (!lane->first) lane->end = &lane->first;
  lane->count--;
  *(j->older ? &j->older->newer : &l->oldest) = j->newer;
  *(j->newer ? &j->newer->older : &l->newest) = j->older;
  if (lane->count == 0) lane_remove(l, lane);
  j->next = NULL;
  return j;
}

/* True: a job of the class waits, and the others have used their time. */
static bool class_is_due(const struct lanes *l, enum db_class class) {
  const struct lane_share *share = &l->shares[class];
  return l->turn[class] && share->passed_us >= SHARE * share->last_us && share->passed_us >= PASSED_LEAST_US;
}

/* (4, 5) */
static enum db_class class_next(const struct lanes *l) {
  if (class_is_due(l, DB_CLASS_UPKEEP)) return DB_CLASS_UPKEEP;
  if (class_is_due(l, DB_CLASS_EDIT)) return DB_CLASS_EDIT;
  if (l->turn[DB_CLASS_LEASE]) return DB_CLASS_LEASE;
  if (l->turn[DB_CLASS_WEBHOOK]) return DB_CLASS_WEBHOOK;
  return l->turn[DB_CLASS_EDIT] ? DB_CLASS_EDIT : DB_CLASS_UPKEEP;
}

struct waiting_job *lanes_take(struct lanes *l) {
  struct lane **turn = &l->turn[class_next(l)];
  if (!*turn) return NULL;
  struct lane *lane = *turn;
  *turn = lane->right; /* (3) */
  return lane_take(l, lane);
}

struct waiting_job *lanes_take_oldest(struct lanes *l) {
  if (!l->oldest) return NULL;
  struct lane *lane = *find_lane(l, lane_id(&l->oldest->job), l->oldest->job.class);
  assert(lane->first == l->oldest); /* (2) */
  return lane_take(l, lane);
}

static void share_spent(struct lanes *l, enum db_class of, enum db_class class, int64_t us) {
  struct lane_share *share = &l->shares[of];
  if (of == class) {
    share->last_us = us < COUNTS_MOST_US ? us : COUNTS_MOST_US;
    share->passed_us = 0;
  } else if (l->turn[of]) {
    share->passed_us += us;
  }
}

void lanes_spent(struct lanes *l, const struct waiting_job *j, int64_t us) {
  share_spent(l, DB_CLASS_EDIT, j->job.class, us);
  share_spent(l, DB_CLASS_UPKEEP, j->job.class, us);
}
