/* api_quota.c - an open-addressing hash table from business to one number.
 *
 * In a quota of bytes the number is the bytes in use. In a quota of turns it is a time in microseconds: when the last turn
 * taken would be due at the even rate (the generic cell rate algorithm). A turn may be taken while that time is less than a
 * burst ahead of now.
 *
 * Invariants
 *  (1) The lock covers the cells. No function of another module is called while it is held.
 *  (2) At most half of the cells are in use. A cell whose number is at most `idle` means the same as no cell; the rebuild that
 *      runs when half are in use drops such cells. So the table's size follows the number of businesses that use the quota. */
#include "api/request/api_quota.h"

#include <stdlib.h>

#include "base/lock.h"

enum { CELLS_MIN = 64 };

struct quota_cell {
  int64_t business_id; /* 0: free */
  int64_t number;
};

struct quota {
  struct lock lock; /* rank API */
  struct quota_cell *cells;
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

/* The business's cell, or the free cell for it. */
static struct quota_cell *quota_find_cell(struct quota_cell *cells, size_t cap, int64_t business_id) {
  size_t at = (size_t)(((uint64_t)business_id * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (cap - 1);
  while (cells[at].business_id != 0 && cells[at].business_id != business_id) at = (at + 1) & (cap - 1);
  return &cells[at];
}

/* (2) */
static bool quota_rebuild(struct quota *q, int64_t idle) {
  size_t live = 0, cap = CELLS_MIN;
  for (size_t i = 0; i < q->cap; i++) live += q->cells[i].business_id != 0 && q->cells[i].number > idle;
  while (cap < 4 * (live + 1)) cap *= 2;
  struct quota_cell *cells = calloc(cap, sizeof(*cells));
  if (!cells) return false;
  for (size_t i = 0; i < q->cap; i++)
    if (q->cells[i].business_id != 0 && q->cells[i].number > idle)
      *quota_find_cell(cells, cap, q->cells[i].business_id) = q->cells[i];
  free(q->cells);
  q->cells = cells;
  q->cap = cap;
  q->used = live;
  return true;
}

/* The business's number; a cell is made if it has none. NULL: out of memory. */
static int64_t *quota_number_of(struct quota *q, int64_t business_id, int64_t idle) {
  struct quota_cell *c = quota_find_cell(q->cells, q->cap, business_id);
  if (c->business_id == business_id) return &c->number;
  if (2 * (q->used + 1) > q->cap) {
    if (!quota_rebuild(q, idle)) return NULL;
    c = quota_find_cell(q->cells, q->cap, business_id);
  }
  *c = (struct quota_cell){.business_id = business_id, .number = idle};
  q->used++;
  return &c->number;
}

bool quota_take_turn(struct quota *q, int64_t business_id, int64_t now_us, int64_t a_second, int64_t burst,
                     int64_t *ret_wait_s) {
  const int64_t second_us = 1000000;
  int64_t turn_us = second_us / a_second > 0 ? second_us / a_second : 1;
  LOCKED(&q->lock);
  int64_t *due_us = quota_number_of(q, business_id, now_us);
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
  int64_t *had = quota_number_of(q, business_id, 0);
  if (!had || *had + n > most) return false;
  *had += n;
  return true;
}

void quota_give_back(struct quota *q, int64_t business_id, int64_t n) {
  LOCKED(&q->lock);
  struct quota_cell *c = quota_find_cell(q->cells, q->cap, business_id);
  if (c->business_id == business_id) c->number -= n;
}

size_t quota_businesses(struct quota *q) {
  LOCKED(&q->lock);
  return q->used;
}
