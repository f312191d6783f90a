/* intake_merge.c - see intake_merge.h.
 *
 *   delivery --merge--> ranked fields --derive--> columns --event--> status of the recording
 *
 * Invariants
 *  (1) Columns with the provider's facts are a pure function of the ranked fields and of minima over all deliveries
 *      (earliest_at, first_seen_at, completed_at). So the order of deliveries has no effect.
 *  (2) The recording gets an event only when its disposition (what the fields say about it) changes. So repeats do
 *      nothing. */
#include "domain/intake_merge.h"

#include <string.h>

#include "domain/recording.h"

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

struct str intake_part_get(const struct delivery_part *part, const char *name) {
  for (size_t i = 0; i < part->count; i++)
    if (str_eq(part->fields[i].name, str_from(name))) return part->fields[i].value;
  return STR_NONE;
}

/* The earliest moment that this delivery reports: its timestamp, minus the call's length if it has one. */
static int64_t earliest_of(const struct delivery_part *part) {
  int64_t at = number_or(intake_part_get(part, CALL_FIELD_TIMESTAMP), TIME_MAX_MS, 0);
  int64_t length_s = number_or(intake_part_get(part, CALL_FIELD_DURATION), DURATION_MAX_S, 0);
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

enum err intake_merge_call(struct call *c, bool is_known, struct fields *f, const struct delivery *d,
                           struct intake_result *result, bool *ret_changed) {
  bool changed;
  size_t dropped;
  TRY(fields_merge(f, &d->call, &changed, &dropped));
  result->dropped_fields += dropped;
  struct call was = *c;
  derive_call(c, f, d);
  c->first_seen_at = least_time(c->first_seen_at, d->received_ms);
  *ret_changed = !is_known || changed || memcmp(&was, c, sizeof(was)) != 0;
  result->call_changed = result->call_changed || *ret_changed;
  return OK;
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
  if (str_eq(intake_part_get(&d->recording, RECORDING_FIELD_STATUS), STR("completed")))
    r->completed_at = least_time(r->completed_at, d->received_ms);
  r->first_seen_at = least_time(r->first_seen_at, d->received_ms);
}

static bool same_disposition(struct disposition a, struct disposition b) {
  return a.is_known == b.is_known && a.event == b.event && a.error == b.error;
}

enum err intake_new_call(const struct delivery *d, struct call *ret_call) {
  memset(ret_call, 0, sizeof(*ret_call));
  ret_call->business_id = d->business_id;
  return str_copy(ret_call->call_sid, sizeof(ret_call->call_sid), d->call_sid);
}

enum err intake_new_recording(const struct delivery *d, struct recording *ret_row) {
  memset(ret_row, 0, sizeof(*ret_row));
  ret_row->business_id = d->business_id;
  ret_row->rank = RECORDING_RANK_REST;
  ret_row->announced_bytes = ret_row->duration_ms = -1;
  return str_copy(ret_row->recording_sid, sizeof(ret_row->recording_sid), d->recording_sid);
}

enum err intake_merge_recording(const struct recording *row, bool is_known, struct fields *f, const struct delivery *d,
                                int64_t now, struct recording *ret_next, struct intake_result *result,
                                bool *ret_row_changed, bool *ret_fields_changed) {
  struct disposition before = disposition_of(f);
  size_t dropped;
  TRY(fields_merge(f, &d->recording, ret_fields_changed, &dropped));
  result->dropped_fields += dropped;
  struct disposition after = disposition_of(f);
  struct recording next = *row;
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
  if (d->found && !is_known && !after.is_known) {
    struct recording derived = next;
    result->is_ready = recording_apply(&derived, d->found, now, &next).moved;
  }
  *ret_row_changed = !is_known || memcmp(row, &next, sizeof(next)) != 0;
  result->recording_changed = result->recording_changed || *ret_row_changed || *ret_fields_changed;
  *ret_next = next;
  return OK;
}
