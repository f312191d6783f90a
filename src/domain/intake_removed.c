/* intake_removed.c - see intake_removed.h.
 *
 *   the leg      its parent    then
 *   removed      -             dropped. A parent that is there goes, one that is not is noted
 *   not known    removed       noted, and dropped; stored if a hold covers a number of it
 *   known        deleted       stored; its call goes, unless a hold covers it
 *   known        old           stored: its own time is not over
 *   known        being erased  stored without its parent; then as above
 *   above a leg that is being erased   noted, and dropped
 *
 * Invariants
 *  (1) A leg that has a row is never noted as removed: an erasure removes it, and asks for holds.
 *  (2) No leg joins or leaves a call that is being erased: which legs it has was known when holds were asked for. */
#include "domain/intake_removed.h"

#include <stdlib.h>
#include <string.h>

#include "domain/erasure.h"
#include "domain/intake_merge.h"
#include "domain/queue.h"
#include "domain/removal.h"
#include "ledger/removed_calls.h"

/* What is known of a leg. */
struct leg_state {
  enum removed_kind kind; /* REMOVED_NOT: it is none that was removed, or is being removed */
  bool is_under_way;      /* its removal */
};

static enum err leg_state_of(struct db *db, int64_t business_id, struct str call_sid, struct leg_state *ret_state) {
  bool any, is_old;
  *ret_state = (struct leg_state){REMOVED_NOT, false};
  if (!call_sid.n) return OK;
  TRY(removed_calls_find(db, business_id, call_sid, &ret_state->kind));
  if (ret_state->kind != REMOVED_NOT) return OK;
  TRY(erasures_any_tree(db, business_id, &any));
  if (any) TRY(erasures_cover_call(db, business_id, call_sid, &any, &is_old));
  if (any) *ret_state = (struct leg_state){is_old ? REMOVED_OLD : REMOVED_DELETED, true};
  return OK;
}

static struct str parent_of(const struct delivery *d) {
  return intake_part_get(&d->call, CALL_FIELD_PARENT);
}

static enum err numbers_are_held(struct db *db, const struct delivery *d, bool *ret_held) {
  struct str from = intake_part_get(&d->call, CALL_FIELD_FROM), to = intake_part_get(&d->call, CALL_FIELD_TO);
  TRY(holds_any(db, d->business_id, ret_held));
  return *ret_held ? holds_cover_numbers(db, d->business_id, from, to, ret_held) : OK;
}

/* The leg's row; *ret_known false: it has none, and no leg below it has one. */
static enum err read_leg(struct db *db, const struct delivery *d, struct call *ret_call, bool *ret_known) {
  enum err e = calls_get(db, d->business_id, d->call_sid, ret_call);
  *ret_known = e == OK;
  if (e != ERR_NOT_FOUND) return e;
  memset(ret_call, 0, sizeof(*ret_call));
  return calls_has_child(db, d->business_id, d->call_sid, ret_known);
}

/* Of a leg that was not removed, whose parent was. */
static enum err fate_of_child(struct db *db, const struct delivery *d, struct leg_state parent, int64_t now,
                              enum intake_fate *ret_fate) {
  struct call leg;
  bool known, held = false;
  TRY(read_leg(db, d, &leg, &known));
  if (!known) {
    TRY(numbers_are_held(db, d, &held));
    *ret_fate = held ? INTAKE_STORE : INTAKE_DROP;
    enum removed_kind kind = parent.kind == REMOVED_OLD ? REMOVED_OLD : REMOVED_RELATED;
    return held ? OK : removed_calls_add(db, d->business_id, d->call_sid, kind, now);
  }
  *ret_fate = INTAKE_STORE;
  if (str_eq(str_from(leg.parent_call_sid), parent_of(d))) return OK; /* that was known */
  bool is_old = parent.kind == REMOVED_OLD;
  if (parent.is_under_way) /* (2) */
    *ret_fate = is_old ? INTAKE_STORE_APART : INTAKE_REMOVE_APART;
  else if (!is_old)
    *ret_fate = INTAKE_REMOVE;
  return OK;
}

/* A leg that was not known, above one that is being removed. */
static enum err is_above_removed(struct db *db, const struct delivery *d, bool *ret_above) {
  struct call call;
  TRY(erasures_any_tree(db, d->business_id, ret_above));
  if (!*ret_above) return OK;
  enum err e = calls_get(db, d->business_id, d->call_sid, &call);
  *ret_above = false;
  return e == ERR_NOT_FOUND ? erasures_cover_child(db, d->business_id, d->call_sid, ret_above) : e;
}

static enum err recording_is_wiped(struct db *db, const struct delivery *d, bool *ret_wiped) {
  struct recording row;
  enum err e = d->recording_sid.n ? recordings_get(db, d->business_id, d->recording_sid, &row) : ERR_NOT_FOUND;
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_wiped = e == OK && row.status == RECORDING_EXPIRED && removal_is_wiped(&row);
  return OK;
}

enum err intake_removed_find(struct db *db, const struct delivery *d, int64_t now, enum intake_fate *ret_fate) {
  struct leg_state leg, parent;
  bool drop = false, above = false;
  *ret_fate = INTAKE_STORE;
  TRY(leg_state_of(db, d->business_id, d->call_sid, &leg));
  if (leg.kind == REMOVED_RELATED) TRY(numbers_are_held(db, d, &drop));
  if (leg.kind != REMOVED_NOT) *ret_fate = drop ? INTAKE_STORE : INTAKE_DROP;
  if (leg.kind == REMOVED_NOT && d->call_sid.n) TRY(is_above_removed(db, d, &above));
  if (above) {
    *ret_fate = INTAKE_DROP;
    return removed_calls_add(db, d->business_id, d->call_sid, REMOVED_RELATED, now);
  }
  if (leg.kind == REMOVED_NOT && d->call_sid.n) {
    TRY(leg_state_of(db, d->business_id, parent_of(d), &parent));
    if (parent.kind != REMOVED_NOT) TRY(fate_of_child(db, d, parent, now, ret_fate));
  }
  if (*ret_fate == INTAKE_DROP) return OK;
  TRY(recording_is_wiped(db, d, &drop));
  if (drop) *ret_fate = INTAKE_DROP;
  return OK;
}

/* ---- a delivery that is dropped ---- */

/* The parent of a leg that was deleted belongs to the deleted call. */
static enum err remove_parent(struct db *db, const struct delivery *d, int64_t now) {
  struct str parent_sid = parent_of(d);
  struct leg_state parent;
  struct call call;
  TRY(leg_state_of(db, d->business_id, parent_sid, &parent));
  if (!parent_sid.n || parent.kind != REMOVED_NOT) return OK;
  enum err e = calls_get(db, d->business_id, parent_sid, &call);
  if (e == ERR_NOT_FOUND) return removed_calls_add(db, d->business_id, parent_sid, REMOVED_RELATED, now);
  return e == OK ? erasure_begin_late(db, d->business_id, parent_sid, now) : e;
}

/* A recording of a deleted call that was not known yet is expired from the start, and nothing else is kept of it. */
static enum err add_removed_recording(struct db *db, const struct delivery *d, int64_t now) {
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

/* A recording that was told with another call. */
static enum err remove_recording(struct db *db, const struct recording *row, int64_t now) {
  const struct removal removal = {.reason = REMOVAL_CALL_DELETED, .rank = RECORDING_RANK_REST};
  const struct audit_entry entry = {.at = now,
                                    .actor = STR("service"),
                                    .role = STR("service"),
                                    .action = AUDIT_DELETE,
                                    .object = str_from(row->recording_sid)};
  struct recording gone;
  struct recording_outcome outcome;
  enum err e = removal_expire(db, row, &removal, now, &gone, &outcome);
  if (e == ERR_BUSY) return OK; /* a hold may cover it */
  TRY(e);
  if (!outcome.moved) return OK;
  TRY(recordings_wipe(db, row->business_id, str_from(row->recording_sid),
                      str_from(removal_reason_name(REMOVAL_CALL_DELETED))));
  return audit_append(db, row->business_id, &entry);
}

enum err intake_removed_drop(struct db *db, const struct delivery *d, int64_t now) {
  struct leg_state leg;
  struct recording row;
  TRY(leg_state_of(db, d->business_id, d->call_sid, &leg));
  bool is_deleted = leg.kind == REMOVED_DELETED || leg.kind == REMOVED_RELATED;
  if (is_deleted) TRY(remove_parent(db, d, now));
  if (!d->recording_sid.n) return OK;
  enum err e = recordings_get(db, d->business_id, d->recording_sid, &row);
  if (e == ERR_NOT_FOUND) return add_removed_recording(db, d, now);
  TRY(e);
  return is_deleted && row.status != RECORDING_EXPIRED ? remove_recording(db, &row, now) : OK;
}

/* ---- a call that is there ---- */

enum err intake_removed_part(const struct delivery *d, struct delivery **ret_apart) {
  struct delivery *apart = malloc(sizeof(*apart));
  if (!apart) return ERR_NOMEM;
  *apart = *d;
  apart->call.count = 0;
  for (size_t i = 0; i < d->call.count; i++)
    if (!str_eq(d->call.fields[i].name, STR(CALL_FIELD_PARENT)))
      apart->call.fields[apart->call.count++] = d->call.fields[i];
  *ret_apart = apart;
  return OK;
}

enum err intake_removed_follow(struct db *db, const struct delivery *d, enum intake_fate fate, int64_t now) {
  struct call call;
  if (fate == INTAKE_REMOVE_APART) return erasure_begin_late(db, d->business_id, d->call_sid, now);
  if (fate != INTAKE_REMOVE) return OK;
  TRY(calls_get(db, d->business_id, d->call_sid, &call));
  /* what was told before may outrank the delivery: then the leg's parent is still the other one */
  bool follows = str_eq(str_from(call.parent_call_sid), parent_of(d));
  return follows ? erasure_begin_late(db, d->business_id, d->call_sid, now) : OK;
}
