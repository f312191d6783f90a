/* twilio_webhook.c - checks Twilio's webhooks and turns them into a delivery.
 *
 *   form -> signature -> account -> fields: the first check that fails decides the refusal
 *
 * Invariants
 *  (1) No field is used before the signature and the account are found right.
 *  (2) All views of the delivery point into storage, which never moves: it is reserved in full before the first byte.
 *  (3) A parameter with the name of one of callreel's own fields is dropped: those names never come from outside.
 *  (4) Of several parameters with the same name the first counts, even if it is empty.
 *  (5) A delivery is refused for a field only if it has no usable SID: Twilio does not send it again. A value that can't be
 *      read counts as absent. */
#include "provider/twilio_webhook.h"

#include <stdlib.h>

#include "domain/fields.h"
#include "provider/twilio_delivery.h"
#include "provider/twilio_form.h"
#include "provider/twilio_media.h"
#include "provider/twilio_sid.h"
#include "provider/twilio_signature.h"

enum { MADE_TEXT_MAX = 1024 /* numbers in callreel's form, beside the url */ };

struct webhook_parser {
  const struct provider_account *account;
  const struct provider_webhook *hook;
  struct buf *storage;
  struct twilio_form form;
  size_t unknown_count; /* fields kept without a rule */
  struct delivery *delivery;
  const char *bad_field;
};

/* How a parameter becomes a field. */
struct rule {
  const char *name;
  const char *field; /* callreel's field; NULL: the delivery has the value elsewhere */
  enum twilio_verdict (*take)(struct str value, struct buf *storage, struct str *ret_text);
};

static enum twilio_verdict take_text(struct str value, struct buf *storage, struct str *ret_text) {
  (void)storage;
  *ret_text = value;
  return TWILIO_KEEP;
}

static enum twilio_verdict take_call_sid(struct str value, struct buf *storage, struct str *ret_text) {
  value = str_trim(value);
  return twilio_sid_is_call(value) ? take_text(value, storage, ret_text) : TWILIO_DROP;
}

static enum twilio_verdict take_parent_sid(struct str value, struct buf *storage, struct str *ret_text) {
  return take_call_sid(value, storage, ret_text);
}

static enum twilio_verdict take_conference_sid(struct str value, struct buf *storage, struct str *ret_text) {
  value = str_trim(value);
  return twilio_sid_is_conference(value) ? take_text(value, storage, ret_text) : TWILIO_DROP;
}

static const struct rule CALL_RULES[] = {
    {"CallSid", NULL, take_call_sid},
    {"AccountSid", CALL_FIELD_ACCOUNT, take_text},
    {"ParentCallSid", CALL_FIELD_PARENT, take_parent_sid},
    {"From", CALL_FIELD_FROM, take_text},
    {"To", CALL_FIELD_TO, take_text},
    {"CallerName", CALL_FIELD_CALLER_NAME, take_text},
    {"CallStatus", CALL_FIELD_STATUS, take_text},
    {"Direction", CALL_FIELD_PROVIDER_DIRECTION, take_text},
    {"CallDuration", CALL_FIELD_DURATION, twilio_call_duration},
    {"Timestamp", CALL_FIELD_TIMESTAMP, twilio_time},
};

/* The first RULES_OF_A_CALLS_RECORDING are those that a call's webhook may have of its recording. */
static const struct rule RECORDING_RULES[] = {
    {"RecordingSid", NULL, take_text},
    {"RecordingUrl", NULL, take_text},
    {"RecordingStatus", NULL, take_text},
    {"RecordingDuration", RECORDING_FIELD_DURATION, twilio_recording_duration},
    {"RecordingChannels", RECORDING_FIELD_CHANNELS, twilio_channels},
    {"RecordingStartTime", RECORDING_FIELD_STARTED, twilio_time},
    {"RecordingSource", RECORDING_FIELD_SOURCE, take_text},
    {"RecordingTrack", RECORDING_FIELD_TRACK, take_text},
    {"AccountSid", NULL, take_text},
    {"CallSid", NULL, take_call_sid},
    {"ConferenceSid", RECORDING_FIELD_CONFERENCE, take_conference_sid},
    {"ErrorCode", RECORDING_FIELD_ERROR, twilio_error_code},
};
enum { RULES_OF_A_CALLS_RECORDING = 8 };

/* Whether the signature is that of the raw parameters or, if some were repaired, of their texts. */
static enum provider_refusal check_signature(const struct webhook_parser *r, bool raw) {
  struct buf url CLEANUP(buf_done) = BUF_INIT(TWILIO_SIGNED_MAX);
  bool valid;
  if (buf_add(&url, r->hook->url_prefix) != OK || buf_add(&url, r->hook->target) != OK) return PROVIDER_NO_MEMORY;
  struct twilio_parameter *sorted = calloc(r->form.count + 1, sizeof(sorted[0]));
  if (!sorted) return PROVIDER_NO_MEMORY;
  twilio_form_copy(&r->form, raw, sorted);
  const struct twilio_signed what = {
      .url = buf_str(&url), .host = r->hook->host, .parameters = sorted, .count = r->form.count};
  enum err e =
      twilio_signature_check(&what, r->hook->signature, r->account->tokens, COUNT_OF(r->account->tokens), &valid);
  free(sorted);
  if (e != OK) return PROVIDER_NO_MEMORY;
  if (!valid && raw && r->form.has_repairs) return check_signature(r, false);
  return valid ? PROVIDER_ACCEPTED : PROVIDER_BAD_SIGNATURE;
}

/* The value of a parameter without blanks around it, empty when it is missing. (4) */
static struct str parameter_value(const struct webhook_parser *r, const char *name) {
  return str_trim(twilio_form_value(&r->form, name));
}

static const struct rule *rule_find(const struct rule *rules, size_t count, struct str name) {
  for (size_t i = 0; i < count; i++)
    if (str_eq(name, str_from(rules[i].name))) return &rules[i];
  return NULL;
}

static enum provider_refusal bad_field(struct webhook_parser *r, const char *name) {
  r->bad_field = name;
  return PROVIDER_BAD_FIELD;
}

static enum provider_refusal add_field(struct delivery_part *part, const char *name, struct str value) {
  return twilio_part_add(part, name, value) == OK ? PROVIDER_ACCEPTED : PROVIDER_NO_MEMORY;
}

/* A parameter without a rule keeps its name. At most DELIVERY_FURTHER_MAX are kept, so that known fields always fit. */
static void add_unknown_field(struct webhook_parser *r, struct delivery_part *part, const struct twilio_parameter *p) {
  if (delivery_field_is_known(p->name) || p->name.n == 0) return; /* (3) */
  bool fits = p->name.n <= FIELDS_FURTHER_NAME_MAX && p->value.n <= FIELDS_FURTHER_VALUE_MAX;
  if (!fits || r->unknown_count == DELIVERY_FURTHER_MAX) {
    r->delivery->dropped++;
    return;
  }
  r->unknown_count++;
  part->fields[part->count++] = (struct delivery_field){.name = p->name, .value = p->value};
}

/* Adds one parameter to a part of the delivery. */
static enum provider_refusal add_parameter(struct webhook_parser *r, struct delivery_part *part,
                                           const struct rule *rule, const struct twilio_parameter *p) {
  struct str text;
  if (!rule) {
    add_unknown_field(r, part, p);
    return PROVIDER_ACCEPTED;
  }
  if (rule->take(p->value, r->storage, &text) == TWILIO_DROP || !rule->field) return PROVIDER_ACCEPTED; /* (5) */
  return add_field(part, rule->field, text);
}

/* The numbers are the call's, also where a recording's webhook has them: holds and erasures look for them there. */
static bool is_number(struct str name) {
  return str_eq(name, STR("From")) || str_eq(name, STR("To"));
}

/* Adds every parameter to the call or, if a rule of recordings names it, to the recording. */
static enum provider_refusal add_parameters(struct webhook_parser *r, bool has_recording) {
  struct delivery *d = r->delivery;
  bool is_call = r->hook->kind == PROVIDER_WEBHOOK_CALL;
  size_t recording_rules = is_call ? (has_recording ? RULES_OF_A_CALLS_RECORDING : 0) : COUNT_OF(RECORDING_RULES);
  for (size_t i = 0; i < r->form.count; i++) {
    const struct twilio_parameter *p = &r->form.entries[i].text;
    if (p->value.n == 0 || r->form.entries[i].is_repeated) continue;
    const struct rule *rule = rule_find(RECORDING_RULES, recording_rules, p->name);
    bool to_recording = rule || (!is_call && !(is_number(p->name) && d->call_sid.n));
    if (!to_recording) rule = rule_find(CALL_RULES, COUNT_OF(CALL_RULES), p->name);
    if (rule && rule->take == take_parent_sid && str_eq(str_trim(p->value), d->call_sid))
      continue; /* a call is not its own parent */
    enum provider_refusal refusal = add_parameter(r, to_recording ? &d->recording : &d->call, rule, p);
    if (refusal != PROVIDER_ACCEPTED) return refusal;
  }
  return PROVIDER_ACCEPTED;
}

static void parse_rank(const struct webhook_parser *r, struct delivery_rank *rank) {
  uint64_t sequence;
  struct str digits;
  int64_t timestamp_ms;
  rank->sequence = -1;
  rank->timestamp_ms = -1;
  if (str_to_u64(parameter_value(r, "SequenceNumber"), INT32_MAX, &sequence) == OK) rank->sequence = (int64_t)sequence;
  if (twilio_time(parameter_value(r, "Timestamp"), r->storage, &digits) == TWILIO_KEEP &&
      str_to_i64(digits, INT64_MIN, INT64_MAX, &timestamp_ms) == OK)
    rank->timestamp_ms = timestamp_ms;
}

/* The fields that every recording has: account, call, status, url. */
static enum provider_refusal parse_recording(struct webhook_parser *r, struct str url_parameter) {
  struct delivery *d = r->delivery;
  struct str status = parameter_value(r, "RecordingStatus"), url;
  bool forbidden;
  if (status.n == 0) status = STR("completed");
  parse_rank(r, &d->recording.rank);
  if (r->hook->kind == PROVIDER_WEBHOOK_CALL)
    d->recording.rank = (struct delivery_rank){.sequence = -1, .timestamp_ms = -1};
  twilio_recording_rank(status, &d->recording.rank);
  enum provider_refusal refusal = add_field(&d->recording, RECORDING_FIELD_ACCOUNT, r->account->account_sid);
  if (refusal == PROVIDER_ACCEPTED) refusal = add_field(&d->recording, RECORDING_FIELD_CALL, d->call_sid);
  if (refusal == PROVIDER_ACCEPTED) refusal = add_field(&d->recording, RECORDING_FIELD_STATUS, status);
  if (refusal != PROVIDER_ACCEPTED || url_parameter.n == 0) return refusal;
  if (twilio_media_url(r->account, url_parameter, d->recording_sid, r->storage, &url, &forbidden) != OK)
    return PROVIDER_NO_MEMORY;
  refusal = add_field(&d->recording, RECORDING_FIELD_URL, url);
  if (refusal == PROVIDER_ACCEPTED)
    refusal = add_field(&d->recording, RECORDING_FIELD_FORBIDDEN, forbidden ? STR("1") : STR("0"));
  return refusal;
}

static enum provider_refusal parse_call(struct webhook_parser *r) {
  struct delivery *d = r->delivery;
  struct str direction = parameter_value(r, "Direction");
  parse_rank(r, &d->call.rank);
  twilio_call_rank(parameter_value(r, "CallStatus"), &d->call.rank);
  if (direction.n == 0) return PROVIDER_ACCEPTED;
  return add_field(&d->call, CALL_FIELD_DIRECTION, twilio_direction(direction));
}

/* The SIDs that the form names, empty where there is none of the right form. */
static void parse_sids(const struct webhook_parser *r, struct delivery *d) {
  struct str call = parameter_value(r, "CallSid"), recording = parameter_value(r, "RecordingSid");
  struct str url = parameter_value(r, "RecordingUrl");
  if (!twilio_sid_is_recording(recording)) recording = twilio_media_sid(url);
  bool has_recording = r->hook->kind == PROVIDER_WEBHOOK_RECORDING || url.n > 0;
  d->call_sid = twilio_sid_is_call(call) ? call : STR_NONE;
  d->recording_sid = has_recording ? recording : STR_NONE;
}

/* (5) */
static enum provider_refusal parse_fields(struct webhook_parser *r) {
  struct delivery *d = r->delivery;
  bool is_call = r->hook->kind == PROVIDER_WEBHOOK_CALL, has_recording = d->recording_sid.n > 0;
  enum provider_refusal refusal = PROVIDER_ACCEPTED;
  if (!has_recording && !is_call) return bad_field(r, "RecordingSid");
  if (!has_recording && d->call_sid.n == 0) return bad_field(r, "CallSid");
  if (is_call) refusal = parse_call(r);
  if (refusal == PROVIDER_ACCEPTED && has_recording) refusal = parse_recording(r, parameter_value(r, "RecordingUrl"));
  if (refusal == PROVIDER_ACCEPTED) refusal = add_parameters(r, has_recording);
  if (refusal != PROVIDER_ACCEPTED || is_call) return refusal;
  d->call.rank =
      (struct delivery_rank){.sequence = -1, .timestamp_ms = -1, .status_order = -1}; /* a call's own webhook counts */
  return add_field(&d->call, CALL_FIELD_ACCOUNT, r->account->account_sid);
}

/* (1) */
static enum provider_refusal check_and_parse(struct webhook_parser *r) {
  enum provider_refusal refusal = check_signature(r, true);
  if (refusal != PROVIDER_ACCEPTED) return refusal;
  struct str account_sid = parameter_value(r, "AccountSid");
  if (account_sid.n == 0 || !str_eq(account_sid, r->account->account_sid)) return PROVIDER_OTHER_ACCOUNT;
  return twilio_form_mark_repeated(&r->form) == OK ? parse_fields(r) : PROVIDER_NO_MEMORY;
}

enum provider_refusal twilio_webhook(const struct provider_account *account, const struct provider_webhook *hook,
                                     struct buf *storage, struct delivery *ret_delivery, const char **ret_field) {
  struct webhook_parser r = {.account = account, .hook = hook, .storage = storage, .delivery = ret_delivery};
  /* (2) */
  if (buf_reserve(storage, TWILIO_FORM_ROOM * hook->body.n + account->base_url.n + TWILIO_URL_MAX + MADE_TEXT_MAX) !=
      OK)
    return PROVIDER_NO_MEMORY;
  ret_delivery->business_id = account->business_id;
  ret_delivery->received_ms = hook->received_ms;
  ret_delivery->is_backfill = false;
  ret_delivery->found = NULL;
  ret_delivery->call_sid = ret_delivery->recording_sid = STR_NONE;
  ret_delivery->call.count = ret_delivery->recording.count = ret_delivery->dropped = 0;
  ret_delivery->call.rank = ret_delivery->recording.rank = (struct delivery_rank){.sequence = -1, .timestamp_ms = -1};

  if (twilio_form_parse(hook->body, storage, &r.form) != OK) return PROVIDER_NO_MEMORY;
  parse_sids(&r, ret_delivery);
  enum provider_refusal refusal = check_and_parse(&r);
  twilio_form_done(&r.form);
  if (refusal == PROVIDER_BAD_FIELD) *ret_field = r.bad_field;
  return refusal;
}
