#include "provider_testing.h"

#include <ctype.h>
#include <stdio.h>

#include "provider/twilio_signature.h"

#define PREFIX "https://calls.example"
#define TARGET "/webhooks/twilio/7/recording"
#define RECEIVED_MS 1790000000000

struct pair {
  const char *name, *value;
};

/* A webhook as Twilio would send it, and its result. */
struct sent {
  struct buf body, signature, storage;
  struct delivery delivery;
  const char *field;
};

static void sent_done(struct sent *s) {
  buf_done(&s->body);
  buf_done(&s->signature);
  buf_done(&s->storage);
}

static void add_encoded(struct buf *b, const char *text) {
  for (; *text; text++) ok(buf_addf(b, "%%%02X", (unsigned char)*text));
}

static enum provider_refusal receive(struct sent *s, enum provider_webhook_kind kind) {
  const struct provider_account account = test_account();
  const struct provider_webhook hook = {
      .kind = kind,
      .signature = buf_str(&s->signature),
      .url_prefix = STR(PREFIX),
      .target = STR(TARGET),
      .body = buf_str(&s->body),
      .received_ms = RECEIVED_MS,
  };
  return provider_twilio.webhook(&account, &hook, &s->storage, &s->delivery, &s->field);
}

/* Pairs end with a NULL name; account and signature are added. */
static enum provider_refusal send_signed(struct sent *s, enum provider_webhook_kind kind, const struct pair *pairs,
                                         const char *account_sid, const char *token) {
  struct twilio_parameter parameters[2 * DELIVERY_FIELDS_MAX];
  struct twilio_signed what = {.url = STR(PREFIX TARGET), .parameters = parameters};
  buf_init(&s->body, 1 << 20);
  buf_init(&s->signature, 64);
  buf_init(&s->storage, 1 << 20);
  if (account_sid) {
    parameters[what.count++] = (struct twilio_parameter){STR("AccountSid"), str_from(account_sid)};
    ok(buf_addf(&s->body, "AccountSid=%s", account_sid));
  }
  for (; pairs->name; pairs++) {
    parameters[what.count++] = (struct twilio_parameter){str_from(pairs->name), str_from(pairs->value)};
    ok(buf_addf(&s->body, "&"));
    add_encoded(&s->body, pairs->name);
    ok(buf_addf(&s->body, "="));
    add_encoded(&s->body, pairs->value);
  }
  ok(twilio_signature_make(&what, str_from(token), &s->signature));
  return receive(s, kind);
}

#define CALL(...)                  \
  (struct pair[]) {                \
    {"CallSid", CA}, __VA_ARGS__ { \
      NULL, NULL                   \
    }                              \
  }
#define RECORDING(...)                                                                    \
  (struct pair[]) {                                                                       \
    {"RecordingSid", RE}, {"RecordingUrl", RECORDING_URL}, {"CallSid", CA}, __VA_ARGS__ { \
      NULL, NULL                                                                          \
    }                                                                                     \
  }

static void a_call_becomes_a_delivery(void **state) {
  (void)state;
  struct sent s CLEANUP(sent_done) = {0};
  assert_int_equal(send_signed(&s, PROVIDER_WEBHOOK_CALL,
                               CALL({"ParentCallSid", CA_PARENT}, {"From", "+15550001"}, {"To", "client:anna"},
                                    {"CallStatus", "completed"}, {"Direction", "outbound-dial"}, {"CallDuration", "0"},
                                    {"Duration", "1"}, {"CallerName", "Åsa"}, {"FromCity", ""}, {"SequenceNumber", "3"},
                                    {"Timestamp", "Thu, 01 Aug 2024 04:20:56 +0000"}, {"status", "forged"}, ),
                               AC, "first token"),
                   PROVIDER_ACCEPTED);
  const struct delivery_part *call = &s.delivery.call;
  assert_int_equal(s.delivery.business_id, 7);
  assert_int_equal(s.delivery.received_ms, RECEIVED_MS);
  assert_str(s.delivery.call_sid, CA);
  assert_str(s.delivery.recording_sid, "");
  assert_int_equal(s.delivery.recording.count, 0);
  assert_str(test_field(call, CALL_FIELD_ACCOUNT), AC);
  assert_str(test_field(call, CALL_FIELD_PARENT), CA_PARENT);
  assert_str(test_field(call, CALL_FIELD_FROM), "+15550001");
  assert_str(test_field(call, CALL_FIELD_TO), "client:anna");
  assert_str(test_field(call, CALL_FIELD_CALLER_NAME), "Åsa");
  assert_str(test_field(call, CALL_FIELD_STATUS), "completed");
  assert_str(test_field(call, CALL_FIELD_PROVIDER_DIRECTION), "outbound-dial");
  assert_str(test_field(call, CALL_FIELD_DIRECTION), "outbound");
  assert_str(test_field(call, CALL_FIELD_DURATION), "0");
  assert_str(test_field(call, CALL_FIELD_TIMESTAMP), "1722486056000");
  assert_str(test_field(call, "Duration"), "1");
  assert_str(test_field(call, "SequenceNumber"), "3");
  assert_str(test_field(call, "FromCity"), "(none)");
  assert_true(call->rank.terminal);
  assert_int_equal(call->rank.sequence, 3);
  assert_int_equal(call->rank.timestamp_ms, 1722486056000);
  assert_int_equal(call->rank.status_order, 4);
}

static void a_recording_becomes_a_delivery(void **state) {
  (void)state;
  struct sent s CLEANUP(sent_done) = {0};
  assert_int_equal(
      send_signed(&s, PROVIDER_WEBHOOK_RECORDING,
                  RECORDING({"RecordingDuration", "12"}, {"RecordingChannels", "2"},
                            {"RecordingStartTime", "Thu, 01 Aug 2024 04:20:56 +0000"}, {"RecordingSource", "DialVerb"},
                            {"RecordingTrack", "both"}, {"ErrorCode", "0"}, {"X-New", "kept"}, {"forbidden", "0"},
                            {"url", "https://evil.example"}, {"From", "+15005550111"}, {"To", "+15005550122"}, ),
                  AC, "second token"),
      PROVIDER_ACCEPTED);
  const struct delivery_part *recording = &s.delivery.recording;
  assert_str(s.delivery.call_sid, CA);
  assert_str(s.delivery.recording_sid, RE);
  assert_str(test_field(recording, RECORDING_FIELD_ACCOUNT), AC);
  assert_str(test_field(recording, RECORDING_FIELD_CALL), CA);
  assert_str(test_field(recording, RECORDING_FIELD_STATUS), "completed");
  assert_str(test_field(recording, RECORDING_FIELD_URL), RECORDING_URL);
  assert_str(test_field(recording, RECORDING_FIELD_FORBIDDEN), "0");
  assert_str(test_field(recording, RECORDING_FIELD_DURATION), "12");
  assert_str(test_field(recording, RECORDING_FIELD_CHANNELS), "2");
  assert_str(test_field(recording, RECORDING_FIELD_STARTED), "1722486056000");
  assert_str(test_field(recording, RECORDING_FIELD_SOURCE), "DialVerb");
  assert_str(test_field(recording, RECORDING_FIELD_TRACK), "both");
  assert_str(test_field(recording, RECORDING_FIELD_ERROR), "(none)");
  assert_str(test_field(recording, "X-New"), "kept");
  assert_true(recording->rank.terminal);
  assert_int_equal(recording->rank.status_order, 4);
  assert_int_equal(recording->rank.sequence, -1);
  assert_int_equal(recording->rank.timestamp_ms, -1);
  assert_int_equal(s.delivery.call.count, 3);
  assert_str(test_field(&s.delivery.call, CALL_FIELD_ACCOUNT), AC);
  assert_str(test_field(&s.delivery.call, CALL_FIELD_FROM), "+15005550111");
  assert_str(test_field(&s.delivery.call, CALL_FIELD_TO), "+15005550122");
  assert_str(test_field(recording, "From"), "(none)");
  const struct delivery_rank lowest = {.sequence = -1, .timestamp_ms = -1, .status_order = -1};
  assert_int_equal(delivery_rank_compare(&s.delivery.call.rank, &lowest), 0); /* the call's own webhook counts */
}

static void a_calls_webhook_may_have_its_recording(void **state) {
  (void)state;
  struct sent s CLEANUP(sent_done) = {0};
  assert_int_equal(send_signed(&s, PROVIDER_WEBHOOK_CALL,
                               CALL({"RecordingUrl", RECORDING_URL ".wav"}, {"RecordingDuration", "9"},
                                    {"CallStatus", "in-progress"}, {"SequenceNumber", "2"}, {"ErrorCode", "12345"}, ),
                               AC, "first token"),
                   PROVIDER_ACCEPTED);
  assert_str(s.delivery.recording_sid, RE);
  assert_str(test_field(&s.delivery.recording, RECORDING_FIELD_URL), RECORDING_URL);
  assert_str(test_field(&s.delivery.recording, RECORDING_FIELD_STATUS), "completed");
  assert_str(test_field(&s.delivery.recording, RECORDING_FIELD_DURATION), "9");
  assert_str(test_field(&s.delivery.recording, RECORDING_FIELD_CALL), CA);
  assert_str(test_field(&s.delivery.recording, RECORDING_FIELD_ERROR), "(none)");
  const struct delivery_rank completed = {.terminal = true, .sequence = -1, .timestamp_ms = -1, .status_order = 4};
  assert_int_equal(delivery_rank_compare(&s.delivery.recording.rank, &completed), 0);
  assert_str(test_field(&s.delivery.call, "RecordingUrl"), "(none)");
  assert_str(test_field(&s.delivery.call, "ErrorCode"), "12345");
  assert_int_equal(s.delivery.call.rank.sequence, 2);
  assert_false(s.delivery.call.rank.terminal);
}

static void a_recording_may_have_no_call(void **state) {
  (void)state;
  struct sent s CLEANUP(sent_done) = {0};
  const struct pair pairs[] = {{"RecordingUrl", RECORDING_URL}, {"ConferenceSid", CF}, {"CallSid", ""}, {NULL, NULL}};
  assert_int_equal(send_signed(&s, PROVIDER_WEBHOOK_RECORDING, pairs, AC, "first token"), PROVIDER_ACCEPTED);
  assert_str(s.delivery.call_sid, "");
  assert_str(s.delivery.recording_sid, RE);
  assert_str(test_field(&s.delivery.recording, RECORDING_FIELD_CONFERENCE), CF);
  assert_str(test_field(&s.delivery.recording, RECORDING_FIELD_CALL), "(none)");
}

static void a_forbidden_url_is_stored_and_marked(void **state) {
  (void)state;
  struct sent s CLEANUP(sent_done) = {0};
  const struct pair pairs[] = {{"RecordingUrl", "http://169.254.169.254/" RE}, {NULL, NULL}};
  assert_int_equal(send_signed(&s, PROVIDER_WEBHOOK_RECORDING, pairs, AC, "first token"), PROVIDER_ACCEPTED);
  assert_str(test_field(&s.delivery.recording, RECORDING_FIELD_URL), "http://169.254.169.254/" RE);
  assert_str(test_field(&s.delivery.recording, RECORDING_FIELD_FORBIDDEN), "1");
}

static void values_without_meaning_are_left_out(void **state) {
  (void)state;
  static const struct {
    const char *name, *value, *field, *kept;
  } cases[] = {
      {"RecordingDuration", "null", RECORDING_FIELD_DURATION, "(none)"},
      {"RecordingDuration", "", RECORDING_FIELD_DURATION, "(none)"},
      {"RecordingDuration", "-1", RECORDING_FIELD_DURATION, "(none)"},
      {"RecordingDuration", "0", RECORDING_FIELD_DURATION, "(none)"},
      {"RecordingDuration", "007", RECORDING_FIELD_DURATION, "7"},
      {"RecordingDuration", "12.34", RECORDING_FIELD_DURATION, "(none)"},
      {"RecordingDuration", " 12", RECORDING_FIELD_DURATION, "(none)"},
      {"RecordingDuration", "NaN", RECORDING_FIELD_DURATION, "(none)"},
      {"RecordingDuration", "-2", RECORDING_FIELD_DURATION, "(none)"},
      {"RecordingDuration", "abc", RECORDING_FIELD_DURATION, "(none)"},
      {"RecordingDuration", "99999999999999999999", RECORDING_FIELD_DURATION, "(none)"},
      {"ConferenceSid", "x", RECORDING_FIELD_CONFERENCE, "(none)"},
      {"RecordingChannels", "3", RECORDING_FIELD_CHANNELS, "(none)"},
      {"RecordingChannels", "1", RECORDING_FIELD_CHANNELS, "1"},
      {"RecordingStartTime", "yesterday", RECORDING_FIELD_STARTED, "(none)"},
      {"RecordingStartTime", "2024-08-01T04:20:56Z", RECORDING_FIELD_STARTED, "1722486056000"},
      {"ErrorCode", "16101", RECORDING_FIELD_ERROR, "16101"},
      {"ErrorCode", "none", RECORDING_FIELD_ERROR, "(none)"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct sent s CLEANUP(sent_done) = {0};
    assert_int_equal(
        send_signed(&s, PROVIDER_WEBHOOK_RECORDING, RECORDING({cases[i].name, cases[i].value}, ), AC, "first token"),
        PROVIDER_ACCEPTED);
    assert_str(test_field(&s.delivery.recording, cases[i].field), cases[i].kept);
  }
}

static void recordings_statuses_have_their_rank(void **state) {
  (void)state;
  static const struct {
    const char *status;
    bool terminal;
  } cases[] = {{"in-progress", false}, {"paused", false}, {"stopped", false}, {"processing", false},
               {"completed", true},    {"absent", true},  {"deleted", true},  {"failed", true}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char other_case[20];
    snprintf(other_case, sizeof(other_case), "%s", cases[i].status);
    other_case[i % 4] = (char)toupper((unsigned char)other_case[i % 4]);
    for (int is_other = 0; is_other <= 1; is_other++) {
      struct sent s CLEANUP(sent_done) = {0};
      const char *sent = is_other ? other_case : cases[i].status;
      assert_int_equal(
          send_signed(&s, PROVIDER_WEBHOOK_RECORDING, RECORDING({"RecordingStatus", sent}, ), AC, "first token"),
          PROVIDER_ACCEPTED);
      assert_int_equal(s.delivery.recording.rank.terminal, cases[i].terminal);
      assert_int_equal(s.delivery.recording.rank.status_order, i);
      assert_str(test_field(&s.delivery.recording, RECORDING_FIELD_STATUS), cases[i].status);
    }
  }
}

static void an_unknown_status_of_a_recording_is_kept_and_ranks_below_the_known_ones(void **state) {
  (void)state;
  struct sent unknown CLEANUP(sent_done) = {0}, known CLEANUP(sent_done) = {0};
  assert_int_equal(send_signed(&unknown, PROVIDER_WEBHOOK_RECORDING,
                               RECORDING({"RecordingStatus", "lost"}, {"SequenceNumber", "9"}, ), AC, "first token"),
                   PROVIDER_ACCEPTED);
  assert_int_equal(send_signed(&known, PROVIDER_WEBHOOK_RECORDING, RECORDING({"RecordingStatus", "in-progress"}, ), AC,
                               "first token"),
                   PROVIDER_ACCEPTED);
  assert_str(test_field(&unknown.delivery.recording, RECORDING_FIELD_STATUS), "lost");
  assert_true(delivery_rank_compare(&unknown.delivery.recording.rank, &known.delivery.recording.rank) < 0);
}

static void a_known_field_is_cut_at_a_character_and_marked(void **state) {
  (void)state;
  static char longest[1025], longer[1200] = "sip:", letters[2050];
  memset(longest, 'a', 1024);
  memset(longer + 4, 'b', sizeof(longer) - 5);
  for (size_t i = 0; i + 1 < sizeof(letters); i++) letters[i] = i % 2 ? '\x93' : '\xd7';
  letters[sizeof(letters) - 2] = '\0';
  letters[0] = 'x', letters[1] = 'x', letters[2] = 'x'; /* an odd number of bytes before letters of two */
  memmove(letters + 3, letters + 4, sizeof(letters) - 4);
  struct sent s CLEANUP(sent_done) = {0};
  assert_int_equal(send_signed(&s, PROVIDER_WEBHOOK_CALL,
                               CALL({"From", longest}, {"To", longer}, {"CallerName", letters}, ), AC, "first token"),
                   PROVIDER_ACCEPTED);
  const struct delivery_part *call = &s.delivery.call;
  assert_str(test_field(call, CALL_FIELD_FROM), longest);
  assert_str(test_field(call, CALL_FIELD_FROM_CUT), "(none)");
  longer[1024] = '\0';
  assert_str(test_field(call, CALL_FIELD_TO), longer);
  assert_str(test_field(call, CALL_FIELD_TO_CUT), "1");
  letters[1023] = '\0'; /* the letter of two bytes at 1,023 does not fit */
  assert_str(test_field(call, CALL_FIELD_CALLER_NAME), letters);
  assert_str(test_field(call, CALL_FIELD_CALLER_NAME_CUT), "1");
}

static void unknown_statuses_and_directions_of_calls_are_accepted(void **state) {
  (void)state;
  static const struct {
    const char *status;
    bool terminal;
    int order;
    const char *told, *direction;
  } cases[] = {
      {"queued", false, 0, "inbound", "inbound"},
      {"initiated", false, 1, "outbound-api", "outbound"},
      {"ringing", false, 2, "outbound-dial", "outbound"},
      {"in-progress", false, 3, "trunking-originating", "inbound"},
      {"completed", true, 4, "trunking-terminating", "outbound"},
      {"busy", true, 5, "inbound", "inbound"},
      {"failed", true, 6, "inbound", "inbound"},
      {"no-answer", true, 7, "inbound", "inbound"},
      {"canceled", true, 8, "inbound", "inbound"},
      {"teleported", false, 9, "sideways", "outbound"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct sent s CLEANUP(sent_done) = {0};
    assert_int_equal(
        send_signed(&s, PROVIDER_WEBHOOK_CALL, CALL({"CallStatus", cases[i].status}, {"Direction", cases[i].told}, ),
                    AC, "first token"),
        PROVIDER_ACCEPTED);
    assert_str(test_field(&s.delivery.call, CALL_FIELD_STATUS), cases[i].status);
    assert_str(test_field(&s.delivery.call, CALL_FIELD_DIRECTION), cases[i].direction);
    assert_int_equal(s.delivery.call.rank.terminal, cases[i].terminal);
    assert_int_equal(s.delivery.call.rank.status_order, cases[i].order);
  }
}

static void a_delivery_without_a_usable_sid_is_refused_by_name(void **state) {
  (void)state;
  static const struct {
    enum provider_webhook_kind kind;
    struct pair pairs[4];
    const char *field;
  } cases[] = {
      {PROVIDER_WEBHOOK_CALL, {{"CallStatus", "completed"}}, "CallSid"},
      {PROVIDER_WEBHOOK_CALL, {{"CallSid", RE}}, "CallSid"},
      {PROVIDER_WEBHOOK_CALL, {{"CallSid", "x"}, {"RecordingUrl", "https://x.example/"}}, "CallSid"},
      {PROVIDER_WEBHOOK_RECORDING, {{"CallSid", CA}}, "RecordingSid"},
      {PROVIDER_WEBHOOK_RECORDING, {{"CallSid", CA}, {"RecordingSid", "x"}}, "RecordingSid"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct sent s CLEANUP(sent_done) = {0};
    assert_int_equal(send_signed(&s, cases[i].kind, cases[i].pairs, AC, "first token"), PROVIDER_BAD_FIELD);
    assert_string_equal(s.field, cases[i].field);
  }
}

static void one_usable_sid_is_enough(void **state) {
  (void)state;
  static const struct {
    enum provider_webhook_kind kind;
    struct pair pairs[4];
    const char *call_sid, *recording_sid;
  } cases[] = {
      {PROVIDER_WEBHOOK_CALL, {{"CallSid", CA}, {"ParentCallSid", "x"}, {"CallDuration", "long"}}, CA, ""},
      {PROVIDER_WEBHOOK_CALL, {{"CallSid", CA}, {"RecordingUrl", "https://x.example/"}}, CA, ""},
      {PROVIDER_WEBHOOK_CALL, {{"CallSid", CA}, {"RecordingUrl", RECORDING_URL}, {"RecordingSid", "x"}}, CA, RE},
      {PROVIDER_WEBHOOK_CALL, {{"CallSid", "x"}, {"RecordingUrl", RECORDING_URL}}, "", RE},
      {PROVIDER_WEBHOOK_RECORDING, {{"CallSid", "x"}, {"RecordingSid", RE}}, "", RE},
      {PROVIDER_WEBHOOK_RECORDING, {{"RecordingSid", "x"}, {"RecordingUrl", " " RECORDING_URL ".MP3?a=b "}}, "", RE},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct sent s CLEANUP(sent_done) = {0};
    assert_int_equal(send_signed(&s, cases[i].kind, cases[i].pairs, AC, "first token"), PROVIDER_ACCEPTED);
    assert_str(s.delivery.call_sid, cases[i].call_sid);
    assert_str(s.delivery.recording_sid, cases[i].recording_sid);
  }
}

static void the_first_refusal_that_applies_decides(void **state) {
  (void)state;
  static const struct pair bad_field[] = {{"CallSid", "x"}, {NULL, NULL}};
  static const struct {
    const char *account, *token;
    enum provider_refusal refusal;
  } cases[] = {
      {AC_OTHER, "wrong", PROVIDER_BAD_SIGNATURE},   {AC_OTHER, "first token", PROVIDER_OTHER_ACCOUNT},
      {NULL, "first token", PROVIDER_OTHER_ACCOUNT}, {"", "first token", PROVIDER_OTHER_ACCOUNT},
      {AC, "first token", PROVIDER_BAD_FIELD},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct sent s CLEANUP(sent_done) = {0};
    assert_int_equal(send_signed(&s, PROVIDER_WEBHOOK_CALL, bad_field, cases[i].account, cases[i].token),
                     cases[i].refusal);
  }
}

/* Signs what the body means, and receives the body as it is. */
static enum provider_refusal receive_bytes(struct sent *s, const char *body, struct str name, struct str value) {
  struct twilio_parameter parameters[] = {{STR("AccountSid"), STR(AC)}, {STR("CallSid"), STR(CA)}, {name, value}};
  struct twilio_signed what = {.url = STR(PREFIX TARGET), .parameters = parameters, .count = 3};
  buf_init(&s->body, 1000);
  buf_init(&s->signature, 64);
  buf_init(&s->storage, 1 << 16);
  ok(buf_addf(&s->body, "AccountSid=" AC "&CallSid=" CA "&%s", body));
  ok(twilio_signature_make(&what, STR("first token"), &s->signature));
  return receive(s, PROVIDER_WEBHOOK_CALL);
}

static void a_form_of_any_bytes_is_read(void **state) {
  (void)state;
  static const struct {
    const char *body;
    struct str raw_name, raw_value;
    const char *name, *value;
  } cases[] = {
      {"From=%", {"From", 4}, {"%", 1}, CALL_FIELD_FROM, "%"},
      {"From=%4&", {"From", 4}, {"%4", 2}, CALL_FIELD_FROM, "%4"},
      {"From=1%zz", {"From", 4}, {"1%zz", 4}, CALL_FIELD_FROM, "1%zz"},
      {"From=a%00b", {"From", 4}, {"a\0b", 3}, CALL_FIELD_FROM, "ab"},
      {"From=%00", {"From", 4}, {"\0", 1}, CALL_FIELD_FROM, "(none)"},
      {"Fr%00om=a", {"Fr\0om", 5}, {"a", 1}, CALL_FIELD_FROM, "a"},
      {"X=%ff", {"X", 1}, {"\xff", 1}, "X", "\xef\xbf\xbd"},
      {"X=a\xe9t", {"X", 1}, {"a\xe9t", 3}, "X", "a\xef\xbf\xbdt"},
      {"X=%f0%9f%92!", {"X", 1}, {"\xf0\x9f\x92!", 4}, "X", "\xef\xbf\xbd!"},
      {"X=%c0%80", {"X", 1}, {"\xc0\x80", 2}, "X", "\xef\xbf\xbd\xef\xbf\xbd"},
      {"X=%ed%a0%80", {"X", 1}, {"\xed\xa0\x80", 3}, "X", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"%c3=x", {"\xc3", 1}, {"x", 1}, "\xef\xbf\xbd", "x"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct sent raw CLEANUP(sent_done) = {0}, repaired CLEANUP(sent_done) = {0};
    assert_int_equal(receive_bytes(&raw, cases[i].body, cases[i].raw_name, cases[i].raw_value), PROVIDER_ACCEPTED);
    assert_str(test_field(&raw.delivery.call, cases[i].name), cases[i].value);
    if (strcmp(cases[i].name, "X") != 0) continue;
    assert_int_equal(receive_bytes(&repaired, cases[i].body, STR("X"), str_from(cases[i].value)), PROVIDER_ACCEPTED);
    assert_str(test_field(&repaired.delivery.call, "X"), cases[i].value);
  }
}

static void a_body_full_of_fields_is_read_whole(void **state) {
  (void)state;
  enum { COUNT = 20000 };
  static struct twilio_parameter parameters[COUNT + 3];
  static char names[COUNT][8];
  struct sent s CLEANUP(sent_done) = {0};
  struct twilio_signed what = {.url = STR(PREFIX TARGET), .parameters = parameters};
  buf_init(&s.body, 1 << 20);
  buf_init(&s.signature, 64);
  buf_init(&s.storage, 1 << 21);
  for (size_t i = 0; i < COUNT; i++) {
    (void)snprintf(names[i], sizeof(names[i]), "%zu", i % 15000);
    parameters[what.count++] = (struct twilio_parameter){str_from(names[i]), STR("v")};
    ok(buf_addf(&s.body, "%s=v&", names[i]));
  }
  parameters[what.count++] = (struct twilio_parameter){STR("From"), STR("+15550100")};
  parameters[what.count++] = (struct twilio_parameter){STR("AccountSid"), STR(AC)};
  parameters[what.count++] = (struct twilio_parameter){STR("CallSid"), STR(CA)};
  ok(buf_addf(&s.body, "From=%%2B15550100&AccountSid=" AC "&CallSid=" CA));
  ok(twilio_signature_make(&what, STR("first token"), &s.signature));
  assert_int_equal(receive(&s, PROVIDER_WEBHOOK_CALL), PROVIDER_ACCEPTED);
  assert_str(test_field(&s.delivery.call, CALL_FIELD_FROM), "+15550100");
  assert_int_equal(s.delivery.dropped, 15000 - DELIVERY_FURTHER_MAX);
}

static void fields_that_are_too_long_take_no_place_of_others(void **state) {
  (void)state;
  static char name[130], value[4098];
  memset(name, 'n', sizeof(name) - 1);
  memset(value, 'v', sizeof(value) - 1);
  struct sent s CLEANUP(sent_done) = {0};
  assert_int_equal(
      send_signed(&s, PROVIDER_WEBHOOK_CALL, CALL({name, "x"}, {"Long", value}, {"Short", "x"}, ), AC, "first token"),
      PROVIDER_ACCEPTED);
  assert_int_equal(s.delivery.dropped, 2);
  assert_str(test_field(&s.delivery.call, "Short"), "x");
}

static void a_refused_delivery_names_its_sids(void **state) {
  (void)state;
  struct sent s CLEANUP(sent_done) = {0}, without CLEANUP(sent_done) = {0};
  assert_int_equal(send_signed(&s, PROVIDER_WEBHOOK_RECORDING, RECORDING(), AC, "wrong"), PROVIDER_BAD_SIGNATURE);
  assert_str(s.delivery.call_sid, CA);
  assert_str(s.delivery.recording_sid, RE);
  assert_int_equal(send_signed(&without, PROVIDER_WEBHOOK_RECORDING, (struct pair[]){{"CallSid", CA}, {NULL, NULL}}, AC,
                               "first token"),
                   PROVIDER_BAD_FIELD);
  assert_str(without.delivery.call_sid, CA);
}

static void unknown_fields_past_the_ceiling_are_dropped_and_known_ones_are_not(void **state) {
  (void)state;
  enum { COUNT = DELIVERY_FURTHER_MAX + 7 };
  static char names[COUNT][16];
  static struct pair pairs[COUNT + 3] = {{"CallSid", CA}};
  for (size_t i = 0; i < COUNT; i++) {
    (void)snprintf(names[i], sizeof(names[i]), "Extra%zu", i);
    pairs[1 + i] = (struct pair){names[i], "x"};
  }
  pairs[1 + COUNT] = (struct pair){"From", "+15550100"};
  struct sent s CLEANUP(sent_done) = {0};
  assert_int_equal(send_signed(&s, PROVIDER_WEBHOOK_CALL, pairs, AC, "first token"), PROVIDER_ACCEPTED);
  assert_int_equal(s.delivery.dropped, 7);
  assert_int_equal(s.delivery.call.count, DELIVERY_FURTHER_MAX + 2); /* account_sid, from */
}

static void of_repeated_names_the_first_counts(void **state) {
  (void)state;
  struct sent s CLEANUP(sent_done) = {0};
  assert_int_equal(send_signed(&s, PROVIDER_WEBHOOK_CALL,
                               CALL({"CallSid", CA_PARENT}, {"From", "1"}, {"From", "2"}, {"To", ""}, {"To", "3"}, ),
                               AC, "first token"),
                   PROVIDER_ACCEPTED);
  assert_str(s.delivery.call_sid, CA);
  assert_str(test_field(&s.delivery.call, CALL_FIELD_FROM), "1");
  assert_str(test_field(&s.delivery.call, CALL_FIELD_TO), "(none)");
}

static void a_leg_is_not_its_own_parent(void **state) {
  (void)state;
  struct sent s CLEANUP(sent_done) = {0};
  assert_int_equal(send_signed(&s, PROVIDER_WEBHOOK_CALL, CALL({"ParentCallSid", CA}, ), AC, "first token"),
                   PROVIDER_ACCEPTED);
  assert_str(test_field(&s.delivery.call, CALL_FIELD_PARENT), "(none)");
}

static void without_memory_a_webhook_is_refused_as_busy(void **state) {
  (void)state;
  struct sent s CLEANUP(sent_done) = {.body.max = 100, .signature.max = 100, .storage.max = 16};
  ok(buf_add(&s.body, STR("CallSid=" CA)));
  assert_int_equal(receive(&s, PROVIDER_WEBHOOK_CALL), PROVIDER_NO_MEMORY);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_call_becomes_a_delivery),
      cmocka_unit_test(a_recording_becomes_a_delivery),
      cmocka_unit_test(a_calls_webhook_may_have_its_recording),
      cmocka_unit_test(a_recording_may_have_no_call),
      cmocka_unit_test(a_forbidden_url_is_stored_and_marked),
      cmocka_unit_test(values_without_meaning_are_left_out),
      cmocka_unit_test(recordings_statuses_have_their_rank),
      cmocka_unit_test(unknown_statuses_and_directions_of_calls_are_accepted),
      cmocka_unit_test(an_unknown_status_of_a_recording_is_kept_and_ranks_below_the_known_ones),
      cmocka_unit_test(a_known_field_is_cut_at_a_character_and_marked),
      cmocka_unit_test(a_delivery_without_a_usable_sid_is_refused_by_name),
      cmocka_unit_test(one_usable_sid_is_enough),
      cmocka_unit_test(the_first_refusal_that_applies_decides),
      cmocka_unit_test(a_form_of_any_bytes_is_read),
      cmocka_unit_test(a_body_full_of_fields_is_read_whole),
      cmocka_unit_test(fields_that_are_too_long_take_no_place_of_others),
      cmocka_unit_test(a_refused_delivery_names_its_sids),
      cmocka_unit_test(unknown_fields_past_the_ceiling_are_dropped_and_known_ones_are_not),
      cmocka_unit_test(of_repeated_names_the_first_counts),
      cmocka_unit_test(a_leg_is_not_its_own_parent),
      cmocka_unit_test(without_memory_a_webhook_is_refused_as_busy),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
