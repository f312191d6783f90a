/* delivery.c - the names of known fields, and which of two deliveries wins. */
#include "domain/delivery.h"

static const char *const KNOWN[] = {
    CALL_FIELD_ACCOUNT,
    CALL_FIELD_PARENT,
    CALL_FIELD_FROM,
    CALL_FIELD_TO,
    CALL_FIELD_CALLER_NAME,
    CALL_FIELD_STATUS,
    CALL_FIELD_DIRECTION,
    CALL_FIELD_PROVIDER_DIRECTION,
    CALL_FIELD_DURATION,
    CALL_FIELD_TIMESTAMP,
    CALL_FIELD_STARTED,
    RECORDING_FIELD_CALL,
    RECORDING_FIELD_CONFERENCE,
    RECORDING_FIELD_URL,
    RECORDING_FIELD_FORBIDDEN,
    RECORDING_FIELD_CHANNELS,
    RECORDING_FIELD_SOURCE,
    RECORDING_FIELD_TRACK,
    RECORDING_FIELD_ERROR,
    CALL_FIELD_FROM_CUT,
    CALL_FIELD_TO_CUT,
    CALL_FIELD_CALLER_NAME_CUT,
    CALL_FIELD_PROVIDER_DIRECTION_CUT,
    FIELD_STATUS_CUT,
    RECORDING_FIELD_SOURCE_CUT,
    RECORDING_FIELD_TRACK_CUT,
};
_Static_assert(COUNT_OF(KNOWN) <= DELIVERY_KNOWN_MAX, "a delivery must have room for all known fields");

bool delivery_field_is_known(struct str name) {
  for (size_t i = 0; i < COUNT_OF(KNOWN); i++)
    if (str_eq(name, str_from(KNOWN[i]))) return true;
  return false;
}

const char *delivery_field_cut_mark(struct str name) {
  static const struct {
    const char *name, *mark;
  } marks[] = {
      {CALL_FIELD_FROM, CALL_FIELD_FROM_CUT},
      {CALL_FIELD_TO, CALL_FIELD_TO_CUT},
      {CALL_FIELD_CALLER_NAME, CALL_FIELD_CALLER_NAME_CUT},
      {CALL_FIELD_PROVIDER_DIRECTION, CALL_FIELD_PROVIDER_DIRECTION_CUT},
      {CALL_FIELD_STATUS, FIELD_STATUS_CUT},
      {RECORDING_FIELD_SOURCE, RECORDING_FIELD_SOURCE_CUT},
      {RECORDING_FIELD_TRACK, RECORDING_FIELD_TRACK_CUT},
  };
  for (size_t i = 0; i < COUNT_OF(marks); i++)
    if (str_eq(name, str_from(marks[i].name))) return marks[i].mark;
  return NULL;
}

static int compare_numbers(int64_t a, int64_t b) {
  return (a > b) - (a < b);
}

int delivery_rank_compare(const struct delivery_rank *a, const struct delivery_rank *b) {
  int order = compare_numbers(a->terminal, b->terminal);
  if (order == 0) order = compare_numbers(a->sequence, b->sequence);
  if (order == 0) order = compare_numbers(a->timestamp_ms, b->timestamp_ms);
  if (order == 0) order = compare_numbers(a->status_order, b->status_order);
  return order;
}
