/* intake.c - turns a delivery into rows of `calls` and `recordings`.
 *
 *   delivery --merge--> ranked fields --derive--> columns --event--> status of the recording
 *
 * Invariants
 *  (1) Columns with the provider's facts are a pure function of the ranked fields and of minima over all deliveries
 *      (earliest_at, first_seen_at, completed_at). So the order of deliveries has no effect.
 *  (2) The recording gets an event only when its disposition (what the fields say about it) changes. So repeats do
 *      nothing. */
#include "domain/intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "domain/fields.h"
#include "domain/recording.h"
#include "domain/removal.h"
#include "ledger/calls.h"
#include "ledger/erasures.h"

static void free_fields(struct fields **f) {
  *f = fields_free(*f);
}

/* ---- from fields to columns ---- */

_Static_assert((int)CALL_TEXT_SIZE > (int)DELIVERY_TEXT_MAX && (int)RECORDING_TEXT_SIZE > (int)DELIVERY_TEXT_MAX,
               "a column must have room for every known field");

static void set_column(char *dst, size_t size, struct str s) {
  if (str_copy(dst, size, s) != OK) dst[0] = '\0'; /* only for what is no SID: see the static assertions */
}

static int64_t number_or(struct str s, int64_t max, int64_t otherwise) {
  uint64_t value;
  return s.n && str_to_u64(s, (uint64_t)max, &value) == OK ? (int64_t)value : otherwise;
}

enum { TIME_MAX_MS_EXPONENT = 50 }; /* 2^50 ms: the year 37,648 */
#define TIME_MAX_MS ((int64_t)1 << TIME_MAX_MS_EXPONENT)
#define DURATION_MAX_S ((int64_t)1000 * 86400)

static int64_t least_time(int64_t a, int64_t b) {
  return a == 0 ? b : b == 0 ? a : a < b ? a : b;
}

static struct str part_get(const struct delivery_part *part, const char *name) {
  for (size_t i = 0; i < part->count; i++)
    if (str_eq(part->fields[i].name, str_from(name))) return part->fields[i].value;
  return STR_NONE;
}

/* The earliest moment that this delivery reports: its timestamp, minus the call's length if it has one. */
static int64_t earliest_of(const struct delivery_part *part) {
  int64_t at = number_or(part_get(part, CALL_FIELD_TIMESTAMP), TIME_MAX_MS, 0);
  int64_t length_s = number_or(part_get(part, CALL_FIELD_DURATION), DURATION_MAX_S, 0);
  return at > length_s * 1000 ? at - length_s * 1000 : at;
}

static void derive_call(struct call *c, const struct fields *f, const struct delivery *d) {
#define SET(member, name) set_column(c->member, sizeof(c->member), fields_get(f, name))
  SET(account_sid, CALL_FIELD_ACCOUNT);
  SET(parent_call_sid, CALL_FIELD_PARENT);
  SET(provider_direction, CALL_FIELD_PROVIDER_DIRECTION);
  SET(direction, CALL_FIELD_DIRECTION);
  SET(from_number, CALL_FIELD_FROM);
  SET(to_number, CALL_FIELD_TO);
  SET(caller_name, CALL_FIELD_CALLER_NAME);
  SET(status, CALL_FIELD_STATUS);
#undef SET
  static const char *const ended[] = {"completed", "busy", "failed", "no-answer", "canceled"};
  bool is_over = false;
  for (size_t i = 0; i < COUNT_OF(ended); i++) is_over = is_over || strcmp(c->status, ended[i]) == 0;
  c->duration_s = number_or(fields_get(f, CALL_FIELD_DURATION), DURATION_MAX_S, -1);
  c->earliest_at = least_time(c->earliest_at, earliest_of(&d->call));
  int64_t start = number_or(fields_get(f, CALL_FIELD_STARTED), TIME_MAX_MS, 0);
  c->started_at = start ? start : c->earliest_at;
  c->ended_at = is_over ? number_or(fields_get(f, CALL_FIELD_TIMESTAMP), TIME_MAX_MS, 0) : 0;
}

static enum err intake_call(struct db *db, const struct delivery *d, struct intake_result *result) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(FIELDS_TEXT_MAX);
  struct call c;
  enum err e = calls_read(db, d->business_id, d->call_sid, &c, &text);
  if (e == ERR_NOT_FOUND) {
    memset(&c, 0, sizeof(c));
    c.business_id = d->business_id;
    TRY(str_copy(c.call_sid, sizeof(c.call_sid), d->call_sid));
  }
  if (e != OK && e != ERR_NOT_FOUND) return e;
  struct fields *f CLEANUP(free_fields) = NULL;
  TRY(fields_read(buf_str(&text), &f));
  bool changed;
  size_t dropped;
  TRY(fields_merge(f, &d->call, &changed, &dropped));
  result->dropped_fields += dropped;
  struct call was = c;
  derive_call(&c, f, d);
  c.first_seen_at = least_time(c.first_seen_at, d->received_ms);
  if (e == OK && !changed && memcmp(&was, &c, sizeof(c)) == 0) return OK;
  buf_clear(&text);
  TRY(fields_write(f, &text));
  result->call_changed = true;
  return calls_put(db, e == OK ? &was : NULL, &c, buf_str(&text));
}

/* ---- the recording ---- */

/* Which event the fields mean for the recording: COMPLETED, or REFUSED with an error; is_known false: none yet. */
struct disposition {
  bool is_known;
  enum recording_event_kind event;
  enum recording_error error;
};

static enum recording_error absent_reason(struct str number) {
  enum { TOO_SHORT = 16101, SILENT = 16102 };
  int64_t n = number_or(number, 1000000, TOO_SHORT);
  return n == SILENT ? RECORDING_ABSENT_SILENT : RECORDING_ABSENT_TOO_SHORT;
}

/* Without a URL the recording counts as forbidden until a later delivery has one. */
static struct disposition disposition_of(const struct fields *f) {
  struct str status = fields_get(f, RECORDING_FIELD_STATUS), provider_error = fields_get(f, RECORDING_FIELD_ERROR);
  bool forbidden =
      str_eq(fields_get(f, RECORDING_FIELD_FORBIDDEN), STR("1")) || fields_get(f, RECORDING_FIELD_URL).n == 0;
  struct disposition refused = {.is_known = true, .event = RECORDING_REFUSED};
  if (str_eq(status, STR("absent"))) {
    refused.error = absent_reason(provider_error);
  } else if (str_eq(status, STR("deleted"))) {
    refused.error = RECORDING_NOT_FOUND_AT_PROVIDER;
  } else if (str_eq(status, STR("failed"))) {
    refused.error = RECORDING_ENCRYPTED;
  } else if (!str_eq(status, STR("completed"))) {
    return (struct disposition){.is_known = false};
  } else if (forbidden) {
    refused.error = RECORDING_FORBIDDEN_URL;
  } else {
    return (struct disposition){.is_known = true, .event = RECORDING_COMPLETED};
  }
  return refused;
}

static void derive_recording(struct recording *r, const struct fields *f, const struct delivery *d) {
#define SET(member, name) set_column(r->member, sizeof(r->member), fields_get(f, name))
  SET(call_sid, RECORDING_FIELD_CALL);
  SET(provider_status, RECORDING_FIELD_STATUS);
  SET(url, RECORDING_FIELD_URL);
  SET(source, RECORDING_FIELD_SOURCE);
#undef SET
  r->forbidden = str_eq(fields_get(f, RECORDING_FIELD_FORBIDDEN), STR("1"));
  r->provider_duration_s = number_or(fields_get(f, RECORDING_FIELD_DURATION), DURATION_MAX_S, 0);
  r->provider_channels = (int)number_or(fields_get(f, RECORDING_FIELD_CHANNELS), 2, 0);
  r->started_at = number_or(fields_get(f, RECORDING_FIELD_STARTED), TIME_MAX_MS, 0);
  if (str_eq(part_get(&d->recording, RECORDING_FIELD_STATUS), STR("completed")))
    r->completed_at = least_time(r->completed_at, d->received_ms);
  r->first_seen_at = least_time(r->first_seen_at, d->received_ms);
}

static bool same_disposition(struct disposition a, struct disposition b) {
  return a.is_known == b.is_known && a.event == b.event && a.error == b.error;
}

static enum err read_or_new_recording(struct db *db, const struct delivery *d, struct buf *text, bool *ret_known,
                                      struct recording *ret_row) {
  enum err e = recordings_get(db, d->business_id, d->recording_sid, ret_row);
  if (e == OK) {
    *ret_known = true;
    return recordings_fields(db, d->business_id, d->recording_sid, text);
  }
  if (e != ERR_NOT_FOUND) return e;
  memset(ret_row, 0, sizeof(*ret_row));
  ret_row->business_id = d->business_id;
  ret_row->rank = RECORDING_RANK_REST;
  ret_row->announced_bytes = ret_row->duration_ms = -1;
  *ret_known = false;
  return str_copy(ret_row->recording_sid, sizeof(ret_row->recording_sid), d->recording_sid);
}

static enum err intake_recording(struct db *db, const struct delivery *d, int64_t now, struct intake_result *result) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(FIELDS_TEXT_MAX);
  struct recording row;
  bool known;
  TRY(read_or_new_recording(db, d, &text, &known, &row));
  struct fields *f CLEANUP(free_fields) = NULL;
  TRY(fields_read(buf_str(&text), &f));
  struct disposition before = disposition_of(f);
  bool changed;
  size_t dropped;
  TRY(fields_merge(f, &d->recording, &changed, &dropped));
  result->dropped_fields += dropped;
  struct disposition after = disposition_of(f);
  struct recording next = row;
  derive_recording(&next, f, d);
  if (after.is_known && !same_disposition(before, after)) {
    struct recording derived = next;
    struct recording_event event = {.kind = after.event, .error = after.error};
    struct recording_outcome outcome = recording_apply(&derived, &event, now, &next);
    result->enqueued = outcome.enqueued;
    if (outcome.enqueued && d->is_backfill) next.rank = RECORDING_RANK_REST;
    result->recording_failed = outcome.moved && next.status == RECORDING_FAILED;
    if (result->recording_failed) result->failed = next;
  }
  if (next.status == RECORDING_MISSING)
    set_column(next.error_code, sizeof(next.error_code),
               str_from(recording_error_code(recording_still_being_made(&next) ? RECORDING_NOT_YET_AVAILABLE
                                                                               : RECORDING_NONE)));
  bool row_changed = !known || memcmp(&row, &next, sizeof(row)) != 0;
  if (!changed && !row_changed) return OK;
  result->recording_changed = true;
  buf_clear(&text);
  TRY(fields_write(f, &text));
  if (!known) return recordings_insert(db, &next, buf_str(&text));
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

/* *ret_removed: what is delivered was removed with all that was known of it. A leg that comes later is remembered as deleted:
 * legs of its own may follow. */
static enum err intake_is_removed(struct db *db, const struct delivery *d, int64_t now, bool *ret_removed) {
  *ret_removed = false;
  TRY(intake_leg_is_removed(db, d->business_id, d->call_sid, ret_removed));
  if (*ret_removed) return OK;
  TRY(intake_leg_is_removed(db, d->business_id, part_get(&d->call, CALL_FIELD_PARENT), ret_removed));
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

/* What comes later shows the hold that covers it, too. */
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
