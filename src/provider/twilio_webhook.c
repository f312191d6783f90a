/* twilio_webhook.c - checks Twilio's webhooks and turns them into a delivery.
 *
 *   form -> signature -> account -> fields: the first check that fails decides the refusal
 *
 * Invariants
 *  (1) No field is used before the signature and the account are found right.
 *  (2) All views of the delivery point into storage, which never moves: it is reserved in full before the first byte.
 *  (3) A parameter with the name of one of callreel's own fields is dropped: those names never come from outside.
 *  (4) Of several parameters with the same name the first counts, even if it is empty. */
#include "provider/twilio_webhook.h"

#include "http/route.h"
#include "provider/twilio_delivery.h"
#include "provider/twilio_media.h"
#include "provider/twilio_sid.h"
#include "provider/twilio_signature.h"

enum { MADE_TEXT_MAX = 1024 /* numbers in callreel's form, beside the url */, PARAMETERS_MAX = 1000 };

struct webhook_parser {
  const struct provider_account *account;
  const struct provider_webhook *hook;
  struct buf *storage;
  struct twilio_parameter parameters[PARAMETERS_MAX]; /* in the order of the body */
  size_t count;
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
  return twilio_sid_is_call(value) ? take_text(value, storage, ret_text) : TWILIO_BAD;
}

static enum twilio_verdict take_parent_sid(struct str value, struct buf *storage, struct str *ret_text) {
  return take_call_sid(value, storage, ret_text);
}

static enum twilio_verdict take_conference_sid(struct str value, struct buf *storage, struct str *ret_text) {
  return twilio_sid_is_conference(value) ? take_text(value, storage, ret_text) : TWILIO_BAD;
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

static enum provider_refusal parse_form(struct webhook_parser *r) {
  struct http_form form = {.rest = r->hook->body};
  for (;;) {
    struct str name, value;
    enum err e = http_form_next(&form, r->storage, &name, &value);
    if (e == ERR_NOT_FOUND) return PROVIDER_ACCEPTED;
    if (e == ERR_NOMEM || e == ERR_TOO_BIG) return PROVIDER_NO_MEMORY;
    if (e != OK || r->count == PARAMETERS_MAX) return PROVIDER_BAD_FORM;
    if (!str_is_utf8(name) || !str_is_utf8(value)) return PROVIDER_BAD_FORM;
    r->parameters[r->count++] = (struct twilio_parameter){.name = name, .value = value};
  }
}

static enum provider_refusal check_signature(const struct webhook_parser *r) {
  struct twilio_parameter ordered[PARAMETERS_MAX];
  struct buf url CLEANUP(buf_done) = BUF_INIT(TWILIO_SIGNED_MAX);
  bool valid;
  for (size_t i = 0; i < r->count; i++) ordered[i] = r->parameters[i];
  if (buf_add(&url, r->hook->url_prefix) != OK || buf_add(&url, r->hook->target) != OK) return PROVIDER_NO_MEMORY;
  const struct twilio_signed what = {.url = buf_str(&url), .parameters = ordered, .count = r->count};
  if (twilio_signature_check(&what, r->hook->signature, r->account->tokens, COUNT_OF(r->account->tokens), &valid) != OK)
    return PROVIDER_NO_MEMORY;
  return valid ? PROVIDER_ACCEPTED : PROVIDER_BAD_SIGNATURE;
}

/* The value of a parameter, empty when it is missing. (4) */
static struct str parameter_value(const struct webhook_parser *r, const char *name) {
  for (size_t i = 0; i < r->count; i++)
    if (str_eq(r->parameters[i].name, str_from(name))) return r->parameters[i].value;
  return STR_NONE;
}

static bool parameter_is_repeated(const struct webhook_parser *r, size_t index) {
  for (size_t i = 0; i < index; i++)
    if (str_eq(r->parameters[i].name, r->parameters[index].name)) return true;
  return false;
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
  return twilio_part_add(part, name, value) == OK ? PROVIDER_ACCEPTED : PROVIDER_BAD_FORM;
}

/* A parameter without a rule keeps its name. At most DELIVERY_FURTHER_MAX are kept, so that known fields always fit. */
static void add_unknown_field(struct webhook_parser *r, struct delivery_part *part, const struct twilio_parameter *p) {
  if (delivery_field_is_known(p->name) || p->name.n == 0) return; /* (3) */
  if (r->unknown_count == DELIVERY_FURTHER_MAX) {
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
  enum twilio_verdict verdict = rule->take(p->value, r->storage, &text);
  if (verdict == TWILIO_BAD) return bad_field(r, rule->name);
  if (verdict == TWILIO_DROP || !rule->field) return PROVIDER_ACCEPTED;
  return add_field(part, rule->field, text);
}

/* Adds every parameter to the call or, if a rule of recordings names it, to the recording. */
static enum provider_refusal add_parameters(struct webhook_parser *r, bool has_recording) {
  struct delivery *d = r->delivery;
  bool is_call = r->hook->kind == PROVIDER_WEBHOOK_CALL;
  size_t recording_rules = is_call ? (has_recording ? RULES_OF_A_CALLS_RECORDING : 0) : COUNT_OF(RECORDING_RULES);
  for (size_t i = 0; i < r->count; i++) {
    const struct twilio_parameter *p = &r->parameters[i];
    if (p->value.n == 0 || parameter_is_repeated(r, i)) continue;
    const struct rule *rule = rule_find(RECORDING_RULES, recording_rules, p->name);
    bool to_recording = rule || !is_call;
    if (!to_recording) rule = rule_find(CALL_RULES, COUNT_OF(CALL_RULES), p->name);
    if (rule && rule->take == take_parent_sid && str_eq(p->value, d->call_sid))
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
  d->recording_sid = parameter_value(r, "RecordingSid");
  if (d->recording_sid.n == 0) d->recording_sid = twilio_media_sid(url_parameter);
  if (!twilio_sid_is_recording(d->recording_sid)) return bad_field(r, "RecordingSid");
  if (status.n == 0) status = STR("completed");
  parse_rank(r, &d->recording.rank);
  if (r->hook->kind == PROVIDER_WEBHOOK_CALL)
    d->recording.rank = (struct delivery_rank){.sequence = -1, .timestamp_ms = -1};
  if (twilio_recording_rank(status, &d->recording.rank) != OK) return bad_field(r, "RecordingStatus");
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
  if (!twilio_sid_is_call(d->call_sid)) return bad_field(r, "CallSid");
  parse_rank(r, &d->call.rank);
  twilio_call_rank(parameter_value(r, "CallStatus"), &d->call.rank);
  if (direction.n == 0) return PROVIDER_ACCEPTED;
  return add_field(&d->call, CALL_FIELD_DIRECTION, twilio_direction(direction));
}

static enum provider_refusal parse_fields(struct webhook_parser *r) {
  struct delivery *d = r->delivery;
  struct str url = parameter_value(r, "RecordingUrl");
  bool is_call = r->hook->kind == PROVIDER_WEBHOOK_CALL;
  bool has_recording = !is_call || url.n > 0;
  enum provider_refusal refusal = PROVIDER_ACCEPTED;
  d->call_sid = parameter_value(r, "CallSid");
  if (d->call_sid.n > 0 && !twilio_sid_is_call(d->call_sid)) return bad_field(r, "CallSid");
  if (is_call) refusal = parse_call(r);
  if (refusal == PROVIDER_ACCEPTED && has_recording) refusal = parse_recording(r, url);
  if (refusal == PROVIDER_ACCEPTED) refusal = add_parameters(r, has_recording);
  if (refusal != PROVIDER_ACCEPTED || is_call) return refusal;
  d->call.rank = d->recording.rank;
  return add_field(&d->call, CALL_FIELD_ACCOUNT, r->account->account_sid);
}

enum provider_refusal twilio_webhook(const struct provider_account *account, const struct provider_webhook *hook,
                                     struct buf *storage, struct delivery *ret_delivery, const char **ret_field) {
  struct webhook_parser r = {.account = account, .hook = hook, .storage = storage, .delivery = ret_delivery};
  /* (2) Decoding does not make the body longer. */
  if (buf_reserve(storage, hook->body.n + account->base_url.n + TWILIO_URL_MAX + MADE_TEXT_MAX) != OK)
    return PROVIDER_NO_MEMORY;
  ret_delivery->business_id = account->business_id;
  ret_delivery->received_ms = hook->received_ms;
  ret_delivery->call_sid = ret_delivery->recording_sid = STR_NONE;
  ret_delivery->call.count = ret_delivery->recording.count = ret_delivery->dropped = 0;
  ret_delivery->call.rank = ret_delivery->recording.rank = (struct delivery_rank){.sequence = -1, .timestamp_ms = -1};

  enum provider_refusal refusal = parse_form(&r);
  if (refusal == PROVIDER_ACCEPTED) refusal = check_signature(&r);
  if (refusal != PROVIDER_ACCEPTED) return refusal;
  struct str account_sid = parameter_value(&r, "AccountSid");
  if (account_sid.n == 0 || !str_eq(account_sid, account->account_sid)) return PROVIDER_OTHER_ACCOUNT;
  refusal = parse_fields(&r);
  if (refusal == PROVIDER_BAD_FIELD) *ret_field = r.bad_field;
  return refusal;
}
