/* removal.c - see removal.h.
 *
 * Invariants
 *  (1) The transaction that makes a row EXPIRED adds the task that removes its files. So a crash forgets nothing.
 *  (2) Whether a hold covers a recording is asked in that transaction. So a hold is either in time, or finds an expired row.
 *  (3) A recording that was leased when it expired has its files looked for once more after the lease: its fill may have begun a
 *      part after the first look.
 *  (4) A hold that covers an expired recording keeps the provider's copy: no task for it is added, and one that was added before
 *      the hold waits for the hold's end (work/remover_provider.c). */
#include "domain/removal.h"

#include <stdlib.h>
#include <string.h>

#include "domain/queue.h"
#include "ledger/audit.h"
#include "ledger/businesses.h"
#include "ledger/changes.h"
#include "ledger/holds.h"
#include "ledger/tasks.h"

enum { AGAIN_AFTER_LEASE_MS = 2000 };

static const char *const reason_names[REMOVAL_REASON_COUNT_] = {[REMOVAL_RETENTION] = "retention",
                                                                [REMOVAL_DELETED] = "deleted",
                                                                [REMOVAL_CALL_DELETED] = "call_deleted",
                                                                [REMOVAL_ERASED] = "erased",
                                                                [REMOVAL_METADATA] = "call_expired"};

const char *removal_reason_name(enum removal_reason reason) {
  return reason_names[reason];
}

bool removal_is_wiped(const struct recording *row) {
  return strcmp(row->expire_reason, reason_names[REMOVAL_CALL_DELETED]) == 0 ||
         strcmp(row->expire_reason, reason_names[REMOVAL_ERASED]) == 0 ||
         strcmp(row->expire_reason, reason_names[REMOVAL_METADATA]) == 0;
}

static enum err add_task(struct db *db, const struct recording *row, enum task_kind kind, int rank, int64_t again_at,
                         int64_t now) {
  struct task task = {.kind = kind, .business_id = row->business_id, .rank = rank, .again_at = again_at};
  memcpy(task.recording_sid, row->recording_sid, sizeof(task.recording_sid));
  return tasks_add(db, &task, now);
}

static enum err note_retention(struct db *db, const struct recording *row, const struct removal *removal, int64_t now) {
  const struct audit_entry entry = {
      .at = now,
      .actor = STR("service"),
      .role = STR("service"),
      .action = AUDIT_EXPIRE,
      .object = str_from(row->recording_sid),
      .details = removal->at_provider ? STR("{\"at_provider\":true}") : STR(""),
  };
  return audit_append(db, row->business_id, &entry);
}

enum err removal_expire(struct db *db, const struct recording *row, const struct removal *removal, int64_t now,
                        struct recording *ret_row, struct recording_outcome *ret_outcome) {
  char stem[RECORDING_NAME_SIZE];
  struct recording_event event = {.kind = RECORDING_EXPIRE, .reason = reason_names[removal->reason]};
  int64_t again_at = row->lease_until ? row->lease_until + AGAIN_AFTER_LEASE_MS : 0; /* (3) */
  struct recording was = *row;                                                       /* ret_row may be row */
  if (!removal->despite_holds) TRY(holds_cover(db, &was, &event.is_held));           /* (2) */
  TRY(queue_stem(db, &was, stem));
  event.stem = str_from(stem);
  TRY(queue_apply_row(db, &was, &event, now, ret_row, ret_outcome));
  if (!ret_outcome->moved && ret_outcome->skip == RECORDING_SKIP_HELD) return holds_mark_row(db, &was);
  if (!ret_outcome->moved && event.is_held && removal->at_provider) { /* (4) */
    ret_outcome->skip = RECORDING_SKIP_HELD;
    return OK;
  }
  if (ret_outcome->moved) {
    TRY(add_task(db, &was, TASK_REMOVE, removal->rank, again_at, now)); /* (1) */
    TRY(changes_add(db, CHANGE_EXPIRED, was.business_id, str_from(was.recording_sid)));
    if (removal->reason == REMOVAL_RETENTION) TRY(note_retention(db, &was, removal, now));
  }
  return removal->at_provider ? add_task(db, &was, TASK_REMOVE_AT_PROVIDER, removal->rank, 0, now) : OK;
}

/* ---- retention ---- */

int64_t removal_due_at(const struct recording *row, int64_t days) {
  return days > 0 && row->kept_from ? row->kept_from + days * RETENTION_DAY_MS : 0;
}

struct due_rows {
  struct recording *rows; /* owned */
  int count;
};

static void due_rows_done(struct due_rows *d) {
  free(d->rows);
}

static enum err due_rows_add(void *arg, const struct recording *row) {
  struct due_rows *d = arg;
  if (d->count < RETENTION_PART) d->rows[d->count++] = *row;
  return OK;
}

/* *ret_looked: how many rows it looked at, of which holds may have kept some. */
static enum err expire_due(struct db *db, int64_t business_id, int64_t days, const struct retention *retention,
                           int limit, int64_t now, int *ret_expired, int *ret_looked) {
  struct due_rows due CLEANUP(due_rows_done) = {calloc(RETENTION_PART, sizeof(struct recording)), 0};
  struct removal removal = {
      .reason = REMOVAL_RETENTION, .rank = RECORDING_RANK_REST, .at_provider = retention->at_provider};
  if (!due.rows) return ERR_NOMEM;
  struct recordings_place place = {0};
  TRY(recordings_kept_since(db, business_id, now - days * RETENTION_DAY_MS, &place, limit, due_rows_add, &due,
                            ret_looked));
  for (int i = 0; i < due.count; i++) {
    struct recording row;
    struct recording_outcome outcome;
    enum err e = removal_expire(db, &due.rows[i], &removal, now, &row, &outcome);
    if (e == ERR_BUSY) continue; /* the next round looks again */
    TRY(e);
    *ret_expired += outcome.moved;
  }
  return OK;
}

enum err removal_retention_part(struct db *db, const struct retention *retention, struct retention_round *round,
                                int64_t now, int *ret_expired, bool *ret_more) {
  int looked = 0;
  *ret_expired = 0;
  *ret_more = true;
  for (int i = 0; i < RETENTION_BUSINESSES && looked < RETENTION_PART; i++) {
    int64_t id, days;
    enum err e = businesses_next_retention(db, round->business_id, retention->days, &id, &days);
    if (e == ERR_NOT_FOUND) {
      *ret_more = false;
      *round = (struct retention_round){0};
      return OK;
    }
    TRY(e);
    int limit = RETENTION_PART - looked, some = 0;
    if (days > 0) TRY(expire_due(db, id, days, retention, limit, now, ret_expired, &some));
    looked += some;
    if (some < limit) round->business_id = id;
  }
  return OK;
}
