/* prune.c - see prune.h. */
#include "domain/prune.h"

#include "ledger/businesses.h"
#include "ledger/holds.h"

void prune_begin(struct prune *p, int64_t now) {
  p->now = now;
  p->at_business = p->business_id ? p->business_id - 1 : 0;
  p->place = (struct recordings_place){0};
}

/* The next business that may have something to go, and what its recordings must be older than. ERR_NOT_FOUND: there is none. */
static enum err prune_next_business(struct db *db, const struct prune *p, int64_t *ret_id, int64_t *ret_before) {
  int64_t id, days = p->older_than_days;
  if (days >= 0)
    TRY(businesses_next(db, p->at_business, &id));
  else
    TRY(businesses_next_retention(db, p->at_business, p->default_days, &id, &days));
  if (p->business_id && id != p->business_id) return ERR_NOT_FOUND;
  *ret_id = id;
  *ret_before = p->now - days * RETENTION_DAY_MS;
  if (days == 0 && p->older_than_days < 0) *ret_before = INT64_MIN; /* it keeps for ever */
  return OK;
}

static void prune_end_business(struct prune *p, int64_t id) {
  p->at_business = id;
  p->place = (struct recordings_place){0};
}

static enum err prune_add_row(void *arg, const struct recording *row) {
  struct prune_part *part = arg;
  if (part->count < PRUNE_LIST) part->rows[part->count++] = *row;
  return OK;
}

/* Reads the next rows, of one business. *ret_more false: all businesses are done. */
static enum err prune_read(struct db *db, struct prune *p, int limit, bool moves_on, struct prune_part *part) {
  part->count = 0;
  part->more = true;
  for (int i = 0; i < PRUNE_BUSINESSES && part->count == 0; i++) {
    int64_t id, before;
    int read = 0;
    enum err e = prune_next_business(db, p, &id, &before);
    if (e == ERR_NOT_FOUND) part->more = false;
    if (e == ERR_NOT_FOUND) return OK;
    TRY(e);
    struct recordings_place place = p->place;
    if (before != INT64_MIN) TRY(recordings_kept_since(db, id, before, &place, limit, prune_add_row, part, &read));
    if (moves_on) p->place = place;
    if (read < limit) prune_end_business(p, id);
  }
  return OK;
}

enum err prune_list_part(struct db *db, struct prune *p, struct prune_part *ret_part) {
  int kept = 0;
  TRY(prune_read(db, p, PRUNE_LIST, true, ret_part));
  for (int i = 0; i < ret_part->count; i++) {
    bool is_held;
    enum err e = holds_cover(db, &ret_part->rows[i], &is_held);
    if (e == ERR_BUSY) continue; /* it would not go now */
    TRY(e);
    if (!is_held) ret_part->rows[kept++] = ret_part->rows[i];
  }
  ret_part->count = kept;
  return OK;
}

enum err prune_part(struct db *db, struct prune *p, struct prune_part *ret_part) {
  const struct removal removal = {
      .reason = REMOVAL_RETENTION, .rank = RECORDING_RANK_REST, .at_provider = p->at_provider};
  struct prune next = *p;
  int64_t now = db_now_ms(db);
  int moved = 0, busy = 0;
  TRY(prune_read(db, &next, RETENTION_PART, false, ret_part)); /* expired rows leave the index: no place is passed */
  for (int i = 0; i < ret_part->count; i++) {
    struct recording after;
    struct recording_outcome outcome;
    enum err e = removal_expire(db, &ret_part->rows[i], &removal, now, &after, &outcome);
    busy += e == ERR_BUSY;
    if (e == ERR_BUSY) continue;
    TRY(e);
    if (outcome.moved) ret_part->rows[moved++] = ret_part->rows[i];
  }
  if (busy && busy == ret_part->count)
    prune_end_business(&next, ret_part->rows[0].business_id); /* else it reads them again */
  ret_part->count = moved;
  *p = next;
  return OK;
}
