/* twilio_delivery.c - turns Twilio's values into callreel's. */
#include "provider/twilio_delivery.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"

enum { DURATION_MAX_S = 1000 * 1000 * 1000 };

struct status {
  const char *text;
  bool terminal;
};

/* In the order of Twilio's own lists. */
static const struct status CALL_STATUSES[] = {
    {"queued", false}, {"initiated", false}, {"ringing", false},  {"in-progress", false}, {"completed", true},
    {"busy", true},    {"failed", true},     {"no-answer", true}, {"canceled", true},
};
static const struct status RECORDING_STATUSES[] = {
    {"in-progress", false}, {"paused", false}, {"stopped", false}, {"processing", false},
    {"completed", true},    {"absent", true},  {"deleted", true},  {"failed", true},
};

/* The status of a call or a recording as Twilio's lists spell it; an unknown one as it is. */
static struct str status_spelled(struct str status) {
  for (size_t i = 0; i < COUNT_OF(CALL_STATUSES); i++)
    if (str_eq_nocase(status, str_from(CALL_STATUSES[i].text))) return str_from(CALL_STATUSES[i].text);
  for (size_t i = 0; i < COUNT_OF(RECORDING_STATUSES); i++)
    if (str_eq_nocase(status, str_from(RECORDING_STATUSES[i].text))) return str_from(RECORDING_STATUSES[i].text);
  return status;
}

enum err twilio_part_add(struct delivery_part *part, const char *name, struct str value) {
  if (strcmp(name, CALL_FIELD_STATUS) == 0 || strcmp(name, RECORDING_FIELD_STATUS) == 0) value = status_spelled(value);
  const char *mark = value.n > DELIVERY_TEXT_MAX ? delivery_field_cut_mark(str_from(name)) : NULL;
  if (value.n == 0) return OK;
  if (part->count + (mark ? 2 : 1) > DELIVERY_FIELDS_MAX) return ERR_TOO_BIG;
  if (mark) value = str_head_utf8(value, DELIVERY_TEXT_MAX);
  part->fields[part->count++] = (struct delivery_field){.name = str_from(name), .value = value};
  if (mark) part->fields[part->count++] = (struct delivery_field){.name = str_from(mark), .value = STR("1")};
  return OK;
}

static enum err status_rank(const struct status *list, size_t count, struct str status, struct delivery_rank *rank) {
  for (size_t i = 0; i < count; i++) {
    if (!str_eq_nocase(status, str_from(list[i].text))) continue;
    rank->terminal = list[i].terminal;
    rank->status_order = (int)i;
    return OK;
  }
  return ERR_INVALID;
}

void twilio_call_rank(struct str status, struct delivery_rank *rank) {
  if (status_rank(CALL_STATUSES, COUNT_OF(CALL_STATUSES), status, rank) == OK) return;
  rank->terminal = false;
  rank->status_order = status.n == 0 ? 0 : (int)COUNT_OF(CALL_STATUSES);
}

void twilio_recording_rank(struct str status, struct delivery_rank *rank) {
  if (status_rank(RECORDING_STATUSES, COUNT_OF(RECORDING_STATUSES), status, rank) == OK) return;
  *rank = (struct delivery_rank){.sequence = -1, .timestamp_ms = -1, .status_order = -1};
}

struct str twilio_direction(struct str provider_direction) {
  /* A trunk's "originating" leg comes from the telephone network, its "terminating" one goes there. */
  bool inbound = str_eq_nocase(provider_direction, STR("inbound")) ||
                 str_eq_nocase(provider_direction, STR("trunking-originating"));
  return inbound ? STR("inbound") : STR("outbound");
}

static enum twilio_verdict number_text(int64_t value, struct buf *storage, struct str *ret_text) {
  size_t start = storage->n;
  if (buf_addf(storage, "%" PRId64, value) != OK) return TWILIO_DROP;
  *ret_text = str_of(storage->p + start, storage->n - start);
  return TWILIO_KEEP;
}

static enum twilio_verdict duration_text(struct str value, int64_t least, struct buf *storage, struct str *ret_text) {
  int64_t seconds;
  if (value.n == 0 || str_eq(value, STR("null"))) return TWILIO_DROP;
  if (str_to_i64(value, -1, DURATION_MAX_S, &seconds) != OK) return TWILIO_DROP;
  return seconds < least ? TWILIO_DROP : number_text(seconds, storage, ret_text);
}

enum twilio_verdict twilio_call_duration(struct str value, struct buf *storage, struct str *ret_text) {
  return duration_text(value, 0, storage, ret_text);
}

enum twilio_verdict twilio_recording_duration(struct str value, struct buf *storage, struct str *ret_text) {
  return duration_text(value, 1, storage, ret_text);
}

enum twilio_verdict twilio_channels(struct str value, struct buf *storage, struct str *ret_text) {
  (void)storage;
  if (!str_eq(value, STR("1")) && !str_eq(value, STR("2"))) return TWILIO_DROP;
  *ret_text = value;
  return TWILIO_KEEP;
}

enum twilio_verdict twilio_error_code(struct str value, struct buf *storage, struct str *ret_text) {
  uint64_t code;
  if (str_to_u64(value, INT32_MAX, &code) != OK || code == 0) return TWILIO_DROP;
  return number_text((int64_t)code, storage, ret_text);
}

enum twilio_verdict twilio_time(struct str value, struct buf *storage, struct str *ret_text) {
  int64_t ms;
  if (date_parse_rfc2822(value, &ms) != OK && date_parse_rfc3339(value, &ms) != OK) return TWILIO_DROP;
  return number_text(ms, storage, ret_text);
}
