/* api_quota.c - a table from business to one number.
 *
 * Of turns the number is the time at which all that were taken would have been due, one by one, at the even rate: a turn may
 * be taken as long as that is less than a burst ahead of now. So it needs one number, and is past and forgotten by itself.
 *
 * Invariants
 *  (1) The lock covers the cells. Nothing is called under it.
 *  (2) At most half of the cells are in use. A cell whose number is not greater than `idle` says what a missing one says; the
 *      rebuild, when half are in use, leaves it out. So the table is as large as the businesses that have something. */
#include "api/request/api_quota.h"

#include <stdlib.h>

#include "base/lock.h"

enum { CELLS_MIN = 64 };

struct cell {
  int64_t business_id; /* 0: free */
  int64_t number;
};

struct quota {
  struct lock lock; /* rank API */
  struct cell *cells;
  size_t cap, used; /* cap: a power of 2 */
};

enum err quota_new(struct quota **ret_quota) {
  struct quota *q = calloc(1, sizeof(*q));
  if (!q) return ERR_NOMEM;
  lock_init(&q->lock, "api quota", LOCK_RANK_API);
  q->cells = calloc(CELLS_MIN, sizeof(*q->cells));
  q->cap = CELLS_MIN;
  if (!q->cells) {
    quota_free(q);
    return ERR_NOMEM;
  }
  *ret_quota = q;
  return OK;
}

struct quota *quota_free(struct quota *q) {
  if (!q) return NULL;
  lock_done(&q->lock);
  free(q->cells);
  free(q);
  return NULL;
}

/* The business's cell, or the free one where it belongs. */
static struct cell *find(struct cell *cells, size_t cap, int64_t business_id) {
  size_t at = (size_t)(((uint64_t)business_id * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (cap - 1);
  while (cells[at].business_id != 0 && cells[at].business_id != business_id) at = (at + 1) & (cap - 1);
  return &cells[at];
}

/* (2) */
static bool rebuild(struct quota *q, int64_t idle) {
  size_t live = 0, cap = CELLS_MIN;
  for (size_t i = 0; i < q->cap; i++) live += q->cells[i].business_id != 0 && q->cells[i].number > idle;
  while (cap < 4 * (live + 1)) cap *= 2;
  struct cell *cells = calloc(cap, sizeof(*cells));
  if (!cells) return false;
  for (size_t i = 0; i < q->cap; i++)
    if (q->cells[i].business_id != 0 && q->cells[i].number > idle)
      *find(cells, cap, q->cells[i].business_id) = q->cells[i];
  free(q->cells);
  q->cells = cells;
  q->cap = cap;
  q->used = live;
  return true;
}

/* The business's number, made where it has none; NULL: no memory. */
static int64_t *number_of(struct quota *q, int64_t business_id, int64_t idle) {
  struct cell *c = find(q->cells, q->cap, business_id);
  if (c->business_id == business_id) return &c->number;
  if (2 * (q->used + 1) > q->cap) {
    if (!rebuild(q, idle)) return NULL;
    c = find(q->cells, q->cap, business_id);
  }
  *c = (struct cell){.business_id = business_id, .number = idle};
  q->used++;
  return &c->number;
}

bool quota_take_turn(struct quota *q, int64_t business_id, int64_t now_us, int64_t a_second, int64_t burst,
                     int64_t *ret_wait_s) {
  const int64_t second_us = 1000000;
  int64_t turn_us = second_us / a_second > 0 ? second_us / a_second : 1;
  LOCKED(&q->lock);
  int64_t *due_us = number_of(q, business_id, now_us);
  if (!due_us) return true;
  if (*due_us < now_us) *due_us = now_us;
  int64_t ahead_us = *due_us + turn_us - now_us;
  if (ahead_us <= burst * turn_us) {
    *due_us += turn_us;
    return true;
  }
  *ret_wait_s = (ahead_us - burst * turn_us + second_us - 1) / second_us;
  return false;
}

bool quota_add(struct quota *q, int64_t business_id, int64_t n, int64_t most) {
  LOCKED(&q->lock);
  int64_t *had = number_of(q, business_id, 0);
  if (!had || *had + n > most) return false;
  *had += n;
  return true;
}

void quota_give_back(struct quota *q, int64_t business_id, int64_t n) {
  LOCKED(&q->lock);
  struct cell *c = find(q->cells, q->cap, business_id);
  if (c->business_id == business_id) c->number -= n;
}

size_t quota_businesses(struct quota *q) {
  LOCKED(&q->lock);
  return q->used;
}
