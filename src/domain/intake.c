/* intake.c - turns a delivery into rows of `calls` and `recordings`, by the rules of intake_merge.c. */
#include "domain/intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "domain/fields.h"
#include "domain/intake_merge.h"
#include "domain/queue.h"
#include "domain/removal.h"
#include "ledger/calls.h"
#include "ledger/erasures.h"
#include "ledger/holds.h"

static void free_fields(struct fields **f) {
  *f = fields_free(*f);
}

static enum err intake_call(struct db *db, const struct delivery *d, struct intake_result *result) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(FIELDS_TEXT_MAX);
  struct call c;
  enum err e = calls_read(db, d->business_id, d->call_sid, &c, &text);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  if (e == ERR_NOT_FOUND) TRY(intake_new_call(d, &c));
  struct fields *f CLEANUP(free_fields) = NULL;
  TRY(fields_read(buf_str(&text), &f));
  struct call was = c;
  bool changed;
  TRY(intake_merge_call(&c, e == OK, f, d, result, &changed));
  if (!changed) return OK;
  if (e == OK) TRY(holds_keep_call(db, &was, &c));
  buf_clear(&text);
  TRY(fields_write(f, &text));
  return calls_put(db, e == OK ? &was : NULL, &c, buf_str(&text));
}

static enum err read_or_new_recording(struct db *db, const struct delivery *d, struct buf *text, bool *ret_known,
                                      struct recording *ret_row) {
  enum err e = recordings_get(db, d->business_id, d->recording_sid, ret_row);
  *ret_known = e == OK;
  if (e == OK) return recordings_fields(db, d->business_id, d->recording_sid, text);
  return e == ERR_NOT_FOUND ? intake_new_recording(d, ret_row) : e;
}

static enum err intake_recording(struct db *db, const struct delivery *d, int64_t now, struct intake_result *result) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(FIELDS_TEXT_MAX);
  struct recording row, next;
  bool known, row_changed, changed;
  TRY(read_or_new_recording(db, d, &text, &known, &row));
  struct fields *f CLEANUP(free_fields) = NULL;
  TRY(fields_read(buf_str(&text), &f));
  TRY(intake_merge_recording(&row, known, f, d, now, &next, result, &row_changed, &changed));
  if (!changed && !row_changed) return OK;
  buf_clear(&text);
  TRY(fields_write(f, &text));
  if (!known) {
    TRY(recordings_insert(db, &next, buf_str(&text)));
    return result->is_ready ? queue_became_ready(db, &next, d->found, now) : OK;
  }
  TRY(holds_keep_recording(db, &row, &next));
  if (row_changed) TRY(recordings_store(db, &row, &next));
  return changed ? recordings_set_fields(db, d->business_id, d->recording_sid, buf_str(&text)) : OK;
}

/* ---- what was deleted, and what is held ---- */

/* *ret_removed: the leg was deleted, or is of a call that is being removed (domain/erasure.h). */
static enum err intake_leg_is_removed(struct db *db, int64_t business_id, struct str call_sid, bool *ret_removed) {
  bool any;
  if (!call_sid.n) return OK;
  TRY(removed_calls_has(db, business_id, call_sid, ret_removed));
  if (*ret_removed) return OK;
  TRY(erasures_any_tree(db, business_id, &any));
  return any ? erasures_cover_call(db, business_id, call_sid, ret_removed) : OK;
}

static enum err intake_recording_is_removed(struct db *db, const struct delivery *d, bool *ret_removed) {
  struct recording row;
  enum err e = d->recording_sid.n ? recordings_get(db, d->business_id, d->recording_sid, &row) : ERR_NOT_FOUND;
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_removed = e == OK && row.status == RECORDING_EXPIRED && removal_is_wiped(&row);
  return OK;
}

/* *ret_removed: the call or recording was removed with all that was known of it. A leg of it that is reported later is noted as
 * deleted, because legs below it may follow. */
static enum err intake_is_removed(struct db *db, const struct delivery *d, int64_t now, bool *ret_removed) {
  *ret_removed = false;
  TRY(intake_leg_is_removed(db, d->business_id, d->call_sid, ret_removed));
  if (*ret_removed) return OK;
  TRY(intake_leg_is_removed(db, d->business_id, intake_part_get(&d->call, CALL_FIELD_PARENT), ret_removed));
  if (*ret_removed) return d->call_sid.n ? removed_calls_add(db, d->business_id, d->call_sid, now) : OK;
  return intake_recording_is_removed(db, d, ret_removed);
}

/* A recording of a deleted call that was not known yet is expired from the start, and nothing else is kept of it. */
static enum err intake_removed_recording(struct db *db, const struct delivery *d, int64_t now) {
  struct recording row = {.business_id = d->business_id,
                          .status = RECORDING_EXPIRED,
                          .rank = RECORDING_RANK_REST,
                          .announced_bytes = -1,
                          .duration_ms = -1,
                          .first_seen_at = now,
                          .expired_at = now};
  TRY(str_copy(row.recording_sid, sizeof(row.recording_sid), d->recording_sid));
  TRY(str_copy(row.expire_reason, sizeof(row.expire_reason), str_from(removal_reason_name(REMOVAL_CALL_DELETED))));
  enum err e = recordings_insert(db, &row, STR("{}"));
  return e == ERR_EXISTS ? OK : e;
}

/* A call or recording that comes after the hold shows it, too. */
static enum err intake_mark_holds(struct db *db, const struct delivery *d) {
  enum { MARKED_MAX = 10 };
  bool any;
  TRY(holds_any(db, d->business_id, &any));
  if (!any) return OK;
  struct recording row;
  enum err e = d->recording_sid.n ? recordings_get(db, d->business_id, d->recording_sid, &row) : ERR_NOT_FOUND;
  if (e == OK) return holds_mark_row(db, &row);
  if (e != ERR_NOT_FOUND) return e;
  return d->call_sid.n ? holds_mark_call(db, d->business_id, d->call_sid, MARKED_MAX) : OK;
}

enum err intake_run(struct db *db, const struct delivery *d, int64_t now, struct intake_result *ret_result) {
  struct intake_result result = {.enqueued = false};
  bool removed;
  TRY(intake_is_removed(db, d, now, &removed));
  if (d->call_sid.n && !removed) TRY(intake_call(db, d, &result));
  if (d->recording_sid.n) TRY(removed ? intake_removed_recording(db, d, now) : intake_recording(db, d, now, &result));
  if (!removed) TRY(intake_mark_holds(db, d));
  *ret_result = result;
  return OK;
}
