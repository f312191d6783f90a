/* twilio_webhook.c - Twilio's callbacks: checked, and told in our own words.
 *
 *   form -> signature -> account -> fields, the first that refuses decides
 *
 * Invariants
 *  (1) No field is believed before the signature and the account are.
 *  (2) All views of the delivery are into storage, which never moves: it has its whole room before the first byte.
 *  (3) A name of ours never comes from outside: a parameter that is called like one of our fields is left out.
 *  (4) Of parameters with the same name the first counts, also when it is empty. */
#include "provider/twilio_webhook.h"

#include "http/route.h"
#include "provider/twilio_delivery.h"
#include "provider/twilio_media.h"
#include "provider/twilio_sid.h"
#include "provider/twilio_signature.h"

enum { MADE_TEXT_MAX = 1024 /* numbers written anew, beside the url */, PARAMETERS_MAX = 1000 };

struct reading {
  const struct provider_account *account;
  const struct provider_webhook *hook;
  struct buf *storage;
  struct twilio_parameter parameters[PARAMETERS_MAX]; /* in the order of their coming */
  size_t count;
  size_t further; /* those that were kept without a rule */
  struct delivery *delivery;
  const char *bad_field;
};

/* What becomes of a parameter. */
struct rule {
  const char *name;
  const char *field; /* ours; NULL: told elsewhere in the delivery */
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

/* Those that a call's webhook tells of its recording come first. */
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

static enum provider_refusal parse_form(struct reading *r) {
  struct http_form form = {.rest = r->hook->body};
  for (;;) {
    struct str name, value;
    enum err e = http_form_next(&form, r->storage, &name, &value);
    if (e == ERR_NOT_FOUND) return PROVIDER_TAKEN;
    if (e == ERR_NOMEM || e == ERR_TOO_BIG) return PROVIDER_NO_ROOM;
    if (e != OK || r->count == PARAMETERS_MAX) return PROVIDER_BAD_FORM;
    if (!str_is_utf8(name) || !str_is_utf8(value)) return PROVIDER_BAD_FORM;
    r->parameters[r->count++] = (struct twilio_parameter){.name = name, .value = value};
  }
}

static enum provider_refusal check_signature(const struct reading *r) {
  struct twilio_parameter ordered[PARAMETERS_MAX];
  struct buf url CLEANUP(buf_done) = BUF_INIT(TWILIO_SIGNED_MAX);
  bool valid;
  for (size_t i = 0; i < r->count; i++) ordered[i] = r->parameters[i];
  if (buf_add(&url, r->hook->url_prefix) != OK || buf_add(&url, r->hook->target) != OK) return PROVIDER_NO_ROOM;
  const struct twilio_signed what = {.url = buf_str(&url), .parameters = ordered, .count = r->count};
  if (twilio_signature_check(&what, r->hook->signature, r->account->tokens, COUNT_OF(r->account->tokens), &valid) != OK)
    return PROVIDER_NO_ROOM;
  return valid ? PROVIDER_TAKEN : PROVIDER_BAD_SIGNATURE;
}

/* The value of a parameter, empty when it is missing. (4) */
static struct str value_of(const struct reading *r, const char *name) {
  for (size_t i = 0; i < r->count; i++)
    if (str_eq(r->parameters[i].name, str_from(name))) return r->parameters[i].value;
  return STR_NONE;
}

static bool is_repeated(const struct reading *r, size_t index) {
  for (size_t i = 0; i < index; i++)
    if (str_eq(r->parameters[i].name, r->parameters[index].name)) return true;
  return false;
}

static const struct rule *find_rule(const struct rule *rules, size_t count, struct str name) {
  for (size_t i = 0; i < count; i++)
    if (str_eq(name, str_from(rules[i].name))) return &rules[i];
  return NULL;
}

static enum provider_refusal bad_field(struct reading *r, const char *name) {
  r->bad_field = name;
  return PROVIDER_BAD_FIELD;
}

static enum provider_refusal add(struct delivery_part *part, const char *name, struct str value) {
  return twilio_part_add(part, name, value) == OK ? PROVIDER_TAKEN : PROVIDER_BAD_FORM;
}

/* A parameter that callreel does not know keeps its name; there is always room for those that it knows. */
static void add_further(struct reading *r, struct delivery_part *part, const struct twilio_parameter *p) {
  if (delivery_field_is_known(p->name) || p->name.n == 0) return; /* (3) */
  if (r->further == DELIVERY_FURTHER_MAX) {
    r->delivery->dropped++;
    return;
  }
  r->further++;
  part->fields[part->count++] = (struct delivery_field){.name = p->name, .value = p->value};
}

/* One parameter into a part. */
static enum provider_refusal add_parameter(struct reading *r, struct delivery_part *part, const struct rule *rule,
                                           const struct twilio_parameter *p) {
  struct str text;
  if (!rule) {
    add_further(r, part, p);
    return PROVIDER_TAKEN;
  }
  enum twilio_verdict verdict = rule->take(p->value, r->storage, &text);
  if (verdict == TWILIO_BAD) return bad_field(r, rule->name);
  if (verdict == TWILIO_DROP || !rule->field) return PROVIDER_TAKEN;
  return add(part, rule->field, text);
}

/* All parameters: to the call, or to its recording what is told of that. */
static enum provider_refusal add_parameters(struct reading *r, bool has_recording) {
  struct delivery *d = r->delivery;
  bool is_call = r->hook->kind == PROVIDER_WEBHOOK_CALL;
  size_t recording_rules = is_call ? (has_recording ? RULES_OF_A_CALLS_RECORDING : 0) : COUNT_OF(RECORDING_RULES);
  for (size_t i = 0; i < r->count; i++) {
    const struct twilio_parameter *p = &r->parameters[i];
    if (p->value.n == 0 || is_repeated(r, i)) continue;
    const struct rule *rule = find_rule(RECORDING_RULES, recording_rules, p->name);
    bool to_recording = rule || !is_call;
    if (!to_recording) rule = find_rule(CALL_RULES, COUNT_OF(CALL_RULES), p->name);
    if (rule && rule->take == take_parent_sid && str_eq(p->value, d->call_sid)) continue; /* no leg is its own parent */
    enum provider_refusal refusal = add_parameter(r, to_recording ? &d->recording : &d->call, rule, p);
    if (refusal != PROVIDER_TAKEN) return refusal;
  }
  return PROVIDER_TAKEN;
}

static void read_rank(const struct reading *r, struct delivery_rank *rank) {
  uint64_t sequence;
  struct str digits;
  int64_t timestamp_ms;
  rank->sequence = -1;
  rank->timestamp_ms = -1;
  if (str_to_u64(value_of(r, "SequenceNumber"), INT32_MAX, &sequence) == OK) rank->sequence = (int64_t)sequence;
  if (twilio_time(value_of(r, "Timestamp"), r->storage, &digits) == TWILIO_KEEP &&
      str_to_i64(digits, INT64_MIN, INT64_MAX, &timestamp_ms) == OK)
    rank->timestamp_ms = timestamp_ms;
}

/* What every recording has: its account, call, status, url. */
static enum provider_refusal read_recording(struct reading *r, struct str told_url) {
  struct delivery *d = r->delivery;
  struct str status = value_of(r, "RecordingStatus"), url;
  bool forbidden;
  d->recording_sid = value_of(r, "RecordingSid");
  if (d->recording_sid.n == 0) d->recording_sid = twilio_media_sid(told_url);
  if (!twilio_sid_is_recording(d->recording_sid)) return bad_field(r, "RecordingSid");
  if (status.n == 0) status = STR("completed");
  read_rank(r, &d->recording.rank);
  if (r->hook->kind == PROVIDER_WEBHOOK_CALL)
    d->recording.rank = (struct delivery_rank){.sequence = -1, .timestamp_ms = -1};
  if (twilio_recording_rank(status, &d->recording.rank) != OK) return bad_field(r, "RecordingStatus");
  enum provider_refusal refusal = add(&d->recording, RECORDING_FIELD_ACCOUNT, r->account->account_sid);
  if (refusal == PROVIDER_TAKEN) refusal = add(&d->recording, RECORDING_FIELD_CALL, d->call_sid);
  if (refusal == PROVIDER_TAKEN) refusal = add(&d->recording, RECORDING_FIELD_STATUS, status);
  if (refusal != PROVIDER_TAKEN || told_url.n == 0) return refusal;
  if (twilio_media_url(r->account, told_url, d->recording_sid, r->storage, &url, &forbidden) != OK)
    return PROVIDER_NO_ROOM;
  refusal = add(&d->recording, RECORDING_FIELD_URL, url);
  if (refusal == PROVIDER_TAKEN)
    refusal = add(&d->recording, RECORDING_FIELD_FORBIDDEN, forbidden ? STR("1") : STR("0"));
  return refusal;
}

static enum provider_refusal read_call(struct reading *r) {
  struct delivery *d = r->delivery;
  struct str direction = value_of(r, "Direction");
  if (!twilio_sid_is_call(d->call_sid)) return bad_field(r, "CallSid");
  read_rank(r, &d->call.rank);
  twilio_call_rank(value_of(r, "CallStatus"), &d->call.rank);
  if (direction.n == 0) return PROVIDER_TAKEN;
  return add(&d->call, CALL_FIELD_DIRECTION, twilio_direction(direction));
}

static enum provider_refusal read_fields(struct reading *r) {
  struct delivery *d = r->delivery;
  struct str url = value_of(r, "RecordingUrl");
  bool is_call = r->hook->kind == PROVIDER_WEBHOOK_CALL;
  bool has_recording = !is_call || url.n > 0;
  enum provider_refusal refusal = PROVIDER_TAKEN;
  d->call_sid = value_of(r, "CallSid");
  if (d->call_sid.n > 0 && !twilio_sid_is_call(d->call_sid)) return bad_field(r, "CallSid");
  if (is_call) refusal = read_call(r);
  if (refusal == PROVIDER_TAKEN && has_recording) refusal = read_recording(r, url);
  if (refusal == PROVIDER_TAKEN) refusal = add_parameters(r, has_recording);
  if (refusal != PROVIDER_TAKEN || is_call) return refusal;
  d->call.rank = d->recording.rank;
  return add(&d->call, CALL_FIELD_ACCOUNT, r->account->account_sid);
}

enum provider_refusal twilio_webhook(const struct provider_account *account, const struct provider_webhook *hook,
                                     struct buf *storage, struct delivery *ret_delivery, const char **ret_field) {
  struct reading r = {.account = account, .hook = hook, .storage = storage, .delivery = ret_delivery};
  /* (2) The body decoded is no longer than it was. */
  if (buf_reserve(storage, hook->body.n + account->base_url.n + TWILIO_URL_MAX + MADE_TEXT_MAX) != OK)
    return PROVIDER_NO_ROOM;
  ret_delivery->business_id = account->business_id;
  ret_delivery->received_ms = hook->received_ms;
  ret_delivery->call_sid = ret_delivery->recording_sid = STR_NONE;
  ret_delivery->call.count = ret_delivery->recording.count = ret_delivery->dropped = 0;
  ret_delivery->call.rank = ret_delivery->recording.rank = (struct delivery_rank){.sequence = -1, .timestamp_ms = -1};

  enum provider_refusal refusal = parse_form(&r);
  if (refusal == PROVIDER_TAKEN) refusal = check_signature(&r);
  if (refusal != PROVIDER_TAKEN) return refusal;
  struct str told_account = value_of(&r, "AccountSid");
  if (told_account.n == 0 || !str_eq(told_account, account->account_sid)) return PROVIDER_OTHER_ACCOUNT;
  refusal = read_fields(&r);
  if (refusal == PROVIDER_BAD_FIELD) *ret_field = r.bad_field;
  return refusal;
}
