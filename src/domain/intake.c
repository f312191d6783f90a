/* intake.c - turns a delivery into rows of `calls` and `recordings`, by the rules of intake_merge.c. */
#include "domain/intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "domain/fields.h"
#include "domain/intake_merge.h"
#include "domain/intake_removed.h"
#include "domain/queue.h"
#include "ledger/calls.h"
#include "ledger/holds.h"

static void free_fields(struct fields **f) {
  *f = fields_free(*f);
}

static void free_delivery(struct delivery **d) {
  free(*d);
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

/* ---- what is held ---- */

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
  enum intake_fate fate;
  *ret_result = result;
  TRY(intake_removed_find(db, d, now, &fate));
  if (fate == INTAKE_DROP) return intake_removed_drop(db, d, now);
  struct delivery *apart CLEANUP(free_delivery) = NULL;
  if (fate == INTAKE_REMOVE_APART || fate == INTAKE_STORE_APART) TRY(intake_removed_part(d, &apart));
  if (d->call_sid.n) TRY(intake_call(db, apart ? apart : d, &result));
  if (d->recording_sid.n) TRY(intake_recording(db, d, now, &result));
  TRY(intake_removed_follow(db, d, fate, now));
  TRY(intake_mark_holds(db, d));
  *ret_result = result;
  return OK;
}
