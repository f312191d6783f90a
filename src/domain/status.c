/* status.c - rows as JSON. Unknown values are null, counts are always numbers, `progress` is always present. */
#include "domain/status.h"

#include "base/clock.h"
#include "domain/removal.h"
#include "ledger/withheld.h"

static enum err add_literal(struct buf *b, const char *literal) {
  return buf_add(b, str_from(literal));
}

/* key: the name in quotes, with the colon and the comma or brace before it. */
static enum err add_text(struct buf *b, const char *key, struct str text) {
  TRY(add_literal(b, key));
  return text.n ? buf_add_json(b, text) : add_literal(b, "null");
}

static enum err add_time(struct buf *b, const char *key, int64_t at) {
  if (!at) return buf_addf(b, "%snull", key);
  char text[DATE_TEXT_SIZE];
  date_format_rfc3339(at, text);
  return buf_addf(b, "%s\"%s\"", key, text);
}

/* Writes null if value is less than least. */
static enum err add_number(struct buf *b, const char *key, int64_t value, int64_t least) {
  return value < least ? buf_addf(b, "%snull", key) : buf_addf(b, "%s%lld", key, (long long)value);
}

static enum err add_bool(struct buf *b, const char *key, bool value) {
  return buf_addf(b, "%s%s", key, value ? "true" : "false");
}

enum err status_write_duration(struct buf *b, const struct recording *row) {
  if (row->duration_ms < 0) return add_number(b, "", row->provider_duration_s, 1);
  long long whole = row->duration_ms / 1000, rest = row->duration_ms % 1000;
  TRY(buf_addf(b, "%lld", whole));
  if (rest == 0) return OK;
  int digits = 3;
  for (; rest % 10 == 0; rest /= 10) digits--;
  return buf_addf(b, ".%0*lld", digits, rest);
}

static enum err add_error(struct buf *b, const struct recording *row, const struct status_view *v) {
  enum recording_error error = recording_reason(row, v->waits_for, v->now);
  if (error == RECORDING_NONE) return add_literal(b, ",\"error\":null");
  TRY(add_text(b, ",\"error\":{\"code\":", str_from(recording_error_code(error))));
  TRY(add_text(b, ",\"message\":", str_from(recording_error_message(error))));
  return buf_add_char(b, '}');
}

static enum err add_stream_url(struct buf *b, const char *recording_sid, struct str path_base) {
  struct buf url CLEANUP(buf_done) = BUF_INIT(4096);
  TRY(buf_addf(&url, "%.*s/api/recordings/%s/stream", STR_ARG(path_base), recording_sid));
  return add_text(b, ",\"stream_url\":", buf_str(&url));
}

/* When it expires, or has expired; 0: never, or not while a hold covers it. */
static int64_t expires_at(const struct recording *row, const struct status_view *v) {
  if (row->status == RECORDING_EXPIRED) return row->expired_at;
  return row->hold[0] ? 0 : removal_due_at(row, v->retention_days);
}

enum err status_write(struct buf *b, const struct recording *row, const struct status_view *v) {
  TRY(add_text(b, "{\"call_sid\":", str_from(row->call_sid)));
  TRY(add_text(b, ",\"recording_sid\":", str_from(row->recording_sid)));
  TRY(add_text(b, ",\"status\":", str_from(recording_status_name(row->status))));
  TRY(add_number(b, ",\"retry_after\":", recording_retry_after_s(row, v->now), 1));
  TRY(add_number(b, ",\"progress\":{\"bytes\":", row->received_bytes, INT64_MIN));
  TRY(add_number(b, ",\"total\":", row->announced_bytes, 0));
  TRY(add_number(b, "},\"fail_count\":", row->fail_count, INT64_MIN));
  TRY(add_time(b, ",\"next_retry_at\":", row->next_retry_at));
  TRY(add_error(b, row, v));
  bool has_file = row->status == RECORDING_READY || row->status == RECORDING_EXPIRED;
  TRY(add_number(b, ",\"bytes\":", has_file ? row->bytes : 0, 1));
  TRY(add_text(b, ",\"content_type\":", str_from(row->content_type)));
  TRY(add_literal(b, ",\"duration\":"));
  TRY(status_write_duration(b, row));
  TRY(add_number(b, ",\"channels\":", row->channels ? row->channels : row->provider_channels, 1));
  TRY(add_time(b, ",\"started_at\":", row->started_at));
  TRY(add_time(b, ",\"expires_at\":", expires_at(row, v)));
  if (row->hold[0]) TRY(add_literal(b, ",\"hold\":"));
  TRY(add_literal(b, row->hold)); /* stored as a JSON object */
  if (row->transcript_asked) TRY(add_literal(b, ",\"transcript_asked\":true"));
  TRY(add_stream_url(b, row->recording_sid, v->path_base));
  return buf_add_char(b, '}');
}

enum err status_write_none(struct buf *b, struct str call_sid) {
  TRY(add_text(b, "{\"call_sid\":", call_sid));
  return add_literal(b,
                     ",\"recording_sid\":null,\"status\":\"missing\",\"retry_after\":null,"
                     "\"progress\":{\"bytes\":0,\"total\":null},\"fail_count\":0,\"next_retry_at\":null,\"error\":null,"
                     "\"bytes\":null,\"content_type\":null,\"duration\":null,\"channels\":null,\"started_at\":null,"
                     "\"expires_at\":null,\"stream_url\":null}");
}

static enum err add_call_facts(struct buf *b, const struct status_call *s) {
  const struct call *c = s->call;
  TRY(add_text(b, "{\"call_sid\":", str_from(c->call_sid)));
  TRY(add_text(b, ",\"parent_call_sid\":", str_from(c->parent_call_sid)));
  TRY(add_text(b, ",\"direction\":", str_from(s->top->direction)));
  TRY(add_text(b, ",\"provider_direction\":", str_from(c->provider_direction)));
  TRY(add_text(b, ",\"from\":", str_from(c->from_number)));
  TRY(add_text(b, ",\"to\":", str_from(c->to_number)));
  TRY(add_text(b, ",\"customer_number\":", s->customer_number));
  TRY(add_text(b, ",\"own_number\":", str_from(c->own_number)));
  TRY(add_text(b, ",\"agent\":", str_from(c->agent)));
  TRY(add_text(b, ",\"caller_name\":", str_from(c->caller_name)));
  TRY(add_text(b, ",\"customer_name\":", str_from(c->customer_name)));
  TRY(add_text(b, ",\"ref\":", str_from(c->ref)));
  TRY(buf_addf(b, ",\"tags\":%s", c->tags[0] ? c->tags : "[]"));               /* stored as a JSON array */
  TRY(buf_addf(b, ",\"metadata\":%s", c->metadata[0] ? c->metadata : "null")); /* stored as a JSON object */
  TRY(add_text(b, ",\"status\":", str_from(c->status)));
  TRY(add_time(b, ",\"started_at\":", c->started_at));
  TRY(add_time(b, ",\"ended_at\":", c->ended_at));
  TRY(add_number(b, ",\"duration\":", c->duration_s, 0));
  if (c->hold[0]) TRY(buf_addf(b, ",\"hold\":%s", c->hold)); /* stored as a JSON object */
  TRY(add_bool(b, ",\"has_recording\":", s->recording_count > 0));
  bool has_transcript = false;
  for (size_t i = 0; i < s->recording_count; i++) has_transcript = has_transcript || s->recordings[i]->has_transcript;
  return add_bool(b, ",\"has_transcript\":", has_transcript);
}

enum err status_write_call(struct buf *b, const struct status_call *c, const struct status_view *v) {
  TRY(add_call_facts(b, c));
  TRY(add_literal(b, ",\"recordings\":["));
  for (size_t i = 0; i < c->recording_count; i++) {
    if (i) TRY(buf_add_char(b, ','));
    TRY(status_write(b, c->recordings[i], v));
  }
  TRY(buf_add_char(b, ']'));
  if (c->legs) TRY(add_literal(b, ",\"legs\":["));
  for (size_t i = 0; c->legs && i < c->leg_count; i++) {
    if (i) TRY(buf_add_char(b, ','));
    TRY(buf_add_json(b, c->legs[i]));
  }
  return add_literal(b, c->legs ? "]}" : "}");
}

/* ---- the customer's number ---- */

/* Digits with '+', '-', '(', ')', '.' or spaces. */
static bool is_telephone_number(struct str s) {
  size_t digits = 0;
  for (size_t i = 0; i < s.n; i++) {
    if (str_is_digit(s.p[i]))
      digits++;
    else if (str_index(STR("+-(). "), s.p[i], 0) == STR("+-(). ").n)
      return false;
  }
  return digits > 0;
}

static bool next_digit(struct str s, size_t *at, char *ret_digit) {
  while (*at < s.n && !str_is_digit(s.p[*at])) ++*at;
  if (*at == s.n) return false;
  *ret_digit = s.p[(*at)++];
  return true;
}

static bool same_number(struct str a, struct str b) {
  size_t i = 0, k = 0;
  char x = 0, y = 0;
  for (;;) {
    bool more_a = next_digit(a, &i, &x), more_b = next_digit(b, &k, &y);
    if (more_a != more_b || (more_a && x != y)) return false;
    if (!more_a) return true;
  }
}

static struct str without_withheld(struct str number) {
  return withheld_number(number) ? STR_NONE : number;
}

struct str status_customer_number(const struct call *top, const struct call *first_child, const struct str *own_numbers,
                                  size_t own_count) {
  struct str to = str_from(top->to_number);
  if (str_eq(str_from(top->direction), STR("inbound"))) return without_withheld(str_from(top->from_number));
  if (!str_eq(str_from(top->direction), STR("outbound"))) return STR_NONE;
  bool outside = is_telephone_number(to);
  for (size_t i = 0; outside && i < own_count; i++)
    outside = !is_telephone_number(own_numbers[i]) || !same_number(to, own_numbers[i]);
  if (outside) return without_withheld(to);
  return first_child ? without_withheld(str_from(first_child->to_number)) : STR_NONE;
}
