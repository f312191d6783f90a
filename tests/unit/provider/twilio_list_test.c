#include "provider_testing.h"

#include "provider/twilio_list.h"

#define NEXT "/2010-04-01/Accounts/" AC "/Recordings.json?PageSize=2&Page=1&PageToken=PA1"

static enum err parse(const struct provider_account *account, enum twilio_list list, const char *json,
                      struct twilio_page **ret_page) {
  return twilio_page_parse(account, list, str_from(json), 1790000000000, ret_page);
}

static void page_done(struct twilio_page **page) {
  *page = twilio_page_free(*page);
}

static void the_first_page_is_asked_for_by_day(void **state) {
  (void)state;
  const struct provider_account account = test_account();
  struct buf b CLEANUP(buf_done) = BUF_INIT(1024);
  ok(twilio_list_url(&account, TWILIO_LIST_RECORDINGS, 1722486056000, 1000, &b));
  assert_str(buf_str(&b), BASE "/2010-04-01/Accounts/" AC "/Recordings.json?PageSize=1000&DateCreated%3E=2024-08-01");
  buf_clear(&b);
  ok(twilio_list_url(&account, TWILIO_LIST_CALLS, 1722486056000, 50, &b));
  assert_str(buf_str(&b), BASE "/2010-04-01/Accounts/" AC "/Calls.json?PageSize=50&StartTime%3E=2024-08-01");
  assert_int_equal(twilio_list_url(&account, TWILIO_LIST_CALLS, 0, 1001, &b), ERR_INVALID);
}

static void a_page_of_recordings_becomes_deliveries(void **state) {
  (void)state;
  const struct provider_account account = test_account();
  struct twilio_page *page CLEANUP(page_done) = NULL;
  struct buf storage CLEANUP(buf_done) = BUF_INIT(8192);
  struct delivery d;
  ok(parse(
      &account, TWILIO_LIST_RECORDINGS,
      "{\"recordings\":[{\"sid\":\"" RE "\",\"account_sid\":\"" AC "\",\"call_sid\":\"" CA
      "\",\"status\":\"completed\","
      "\"duration\":\"12\",\"channels\":2,\"start_time\":\"Thu, 01 Aug 2024 04:20:56 +0000\",\"source\":\"DialVerb\","
      "\"error_code\":null,\"media_url\":\"http://api.twilio.com" RECORDING_PATH
      "\"},"
      "{\"sid\":\"" RE_OTHER "\",\"account_sid\":\"" AC "\",\"call_sid\":null,\"conference_sid\":\"" CF
      "\","
      "\"status\":\"absent\",\"duration\":null,\"channels\":1,\"error_code\":16101}],\"next_page_uri\":\"" NEXT "\"}",
      &page));
  assert_int_equal(twilio_page_count(page), 2);
  assert_str(twilio_page_next(page), BASE NEXT);

  ok(twilio_page_delivery(page, 0, &storage, &d));
  assert_int_equal(d.business_id, 7);
  assert_int_equal(d.received_ms, 1790000000000);
  assert_str(d.call_sid, CA);
  assert_str(d.recording_sid, RE);
  assert_str(test_field(&d.recording, RECORDING_FIELD_STATUS), "completed");
  assert_str(test_field(&d.recording, RECORDING_FIELD_URL), RECORDING_URL);
  assert_str(test_field(&d.recording, RECORDING_FIELD_FORBIDDEN), "0");
  assert_str(test_field(&d.recording, RECORDING_FIELD_DURATION), "12");
  assert_str(test_field(&d.recording, RECORDING_FIELD_CHANNELS), "2");
  assert_str(test_field(&d.recording, RECORDING_FIELD_STARTED), "1722486056000");
  assert_str(test_field(&d.recording, RECORDING_FIELD_CALL), CA);
  assert_true(d.recording.rank.terminal);
  assert_str(test_field(&d.call, CALL_FIELD_ACCOUNT), AC);

  buf_clear(&storage);
  ok(twilio_page_delivery(page, 1, &storage, &d));
  assert_str(d.call_sid, "");
  assert_str(test_field(&d.recording, RECORDING_FIELD_CONFERENCE), CF);
  assert_str(test_field(&d.recording, RECORDING_FIELD_ERROR), "16101");
  assert_str(test_field(&d.recording, RECORDING_FIELD_DURATION), "(none)");
  assert_str(test_field(&d.recording, RECORDING_FIELD_URL), BASE "/2010-04-01/Accounts/" AC "/Recordings/" RE_OTHER);
  assert_str(test_field(&d.recording, RECORDING_FIELD_FORBIDDEN), "0");
}

static void a_page_of_calls_becomes_deliveries(void **state) {
  (void)state;
  const struct provider_account account = test_account();
  struct twilio_page *page CLEANUP(page_done) = NULL;
  struct buf storage CLEANUP(buf_done) = BUF_INIT(8192);
  struct delivery d;
  ok(parse(&account, TWILIO_LIST_CALLS,
           "{\"calls\":[{\"sid\":\"" CA "\",\"account_sid\":\"" AC "\",\"parent_call_sid\":\"" CA_PARENT
           "\",\"from\":\"+1\","
           "\"to\":\"+2\",\"status\":\"busy\",\"direction\":\"outbound-dial\",\"duration\":\"0\",\"caller_name\":null,"
           "\"start_time\":\"Thu, 01 Aug 2024 04:20:56 +0000\"}],\"next_page_uri\":null}",
           &page));
  assert_str(twilio_page_next(page), "");
  ok(twilio_page_delivery(page, 0, &storage, &d));
  assert_str(d.call_sid, CA);
  assert_str(d.recording_sid, "");
  assert_str(test_field(&d.call, CALL_FIELD_PARENT), CA_PARENT);
  assert_str(test_field(&d.call, CALL_FIELD_FROM), "+1");
  assert_str(test_field(&d.call, CALL_FIELD_TO), "+2");
  assert_str(test_field(&d.call, CALL_FIELD_STATUS), "busy");
  assert_str(test_field(&d.call, CALL_FIELD_PROVIDER_DIRECTION), "outbound-dial");
  assert_str(test_field(&d.call, CALL_FIELD_DIRECTION), "outbound");
  assert_str(test_field(&d.call, CALL_FIELD_DURATION), "0");
  assert_str(test_field(&d.call, CALL_FIELD_STARTED), "1722486056000");
  assert_true(d.call.rank.terminal);
}

static void a_page_with_broken_texts_is_used(void **state) {
  (void)state;
  static const struct {
    const char *json, *name;
  } cases[] = {
      {"Jos\xe9", "Jos\xef\xbf\xbd"},
      {"\xff\xc3\xa9\xe2\x82", "\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd"},
      {"a\nb\x01",
       "a\xef\xbf\xbd"
       "b\xef\xbf\xbd"},
      {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
      {"\\ud83d x \\ude00\xff", "\xef\xbf\xbd x \xef\xbf\xbd\xef\xbf\xbd"},
      {"\\\"\\\\\xe9", "\"\\\xef\xbf\xbd"},
  };
  const struct provider_account account = test_account();
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct twilio_page *page CLEANUP(page_done) = NULL;
    struct buf storage CLEANUP(buf_done) = BUF_INIT(8192);
    struct delivery d;
    char json[1024];
    (void)snprintf(json, sizeof(json),
                   "{\"calls\":[{\"sid\":\"" CA "\",\"account_sid\":\"" AC
                   "\",\"caller_name\":\"%s\",\"to\":\"+972\",\"x\xf0\":1}],\"next_page_uri\":null}",
                   cases[i].json);
    ok(parse(&account, TWILIO_LIST_CALLS, json, &page));
    ok(twilio_page_delivery(page, 0, &storage, &d));
    assert_str(test_field(&d.call, CALL_FIELD_TO), "+972");
    assert_str(test_field(&d.call, CALL_FIELD_CALLER_NAME), cases[i].name);
  }
}

static void a_next_page_elsewhere_refuses_the_page(void **state) {
  (void)state;
  static const struct {
    const char *next;
    enum err e;
  } cases[] = {
      {"\"/2010-04-01/x\"", OK},
      {"\"https://api.twilio.com/2010-04-01/x\"", OK},
      {"null", OK},
      {"\"https://evil.example/x\"", ERR_DENIED},
      {"\"http://api.twilio.com/x\"", ERR_DENIED},
      {"\"https://api.twilio.com:8443/x\"", ERR_DENIED},
      {"\"https://user@api.twilio.com/x\"", ERR_DENIED},
      {"\"@evil.example/x\"", ERR_DENIED},
      {"\".evil.example/x\"", ERR_DENIED},
  };
  const struct provider_account account = test_account();
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct twilio_page *page CLEANUP(page_done) = NULL;
    char json[256];
    (void)snprintf(json, sizeof(json), "{\"recordings\":[],\"next_page_uri\":%s}", cases[i].next);
    if (parse(&account, TWILIO_LIST_RECORDINGS, json, &page) != cases[i].e) fail_msg("%s", cases[i].next);
  }
}

static void a_body_that_is_no_list_is_refused(void **state) {
  (void)state;
  static const char *const bodies[] = {
      "", "x", "[]", "{}", "{\"calls\":[]}", "{\"recordings\":{}}", "{\"recordings\":[]", "<TwilioResponse/>"};
  const struct provider_account account = test_account();
  for (size_t i = 0; i < COUNT_OF(bodies); i++) {
    struct twilio_page *page = NULL;
    assert_int_equal(parse(&account, TWILIO_LIST_RECORDINGS, bodies[i], &page), ERR_INVALID);
    assert_null(page);
  }
}

static void entries_without_their_sid_or_account_are_refused_one_by_one(void **state) {
  (void)state;
  static const struct {
    const char *entry;
    enum err e;
  } cases[] = {
      {"{\"sid\":\"" RE "\",\"account_sid\":\"" AC "\",\"status\":\"completed\"}", OK},
      {"{\"sid\":\"" RE "\",\"account_sid\":\"" AC_OTHER "\",\"status\":\"completed\"}", ERR_DENIED},
      {"{\"sid\":\"" CA "\",\"account_sid\":\"" AC "\",\"status\":\"completed\"}", ERR_INVALID},
      {"{\"sid\":\"" RE "\",\"account_sid\":\"" AC "\",\"status\":\"completed\",\"call_sid\":\"x\"}", OK},
      {"{\"sid\":\"" RE "\",\"account_sid\":\"" AC "\",\"status\":\"lost\"}", OK},
      {"{\"sid\":\"" RE "\",\"account_sid\":\"" AC "\",\"status\":\"completed\",\"track\":\"a\\u0000b\"}", OK},
      {"{\"sid\":\"" RE "\",\"account_sid\":\"" AC "\",\"status\":\"completed\",\"duration\":\"1.5\"}", OK},
      {"null", ERR_INVALID},
      {"[]", ERR_INVALID},
  };
  const struct provider_account account = test_account();
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct twilio_page *page CLEANUP(page_done) = NULL;
    struct buf storage CLEANUP(buf_done) = BUF_INIT(8192);
    struct delivery d;
    char json[512];
    (void)snprintf(json, sizeof(json), "{\"recordings\":[%s]}", cases[i].entry);
    ok(parse(&account, TWILIO_LIST_RECORDINGS, json, &page));
    if (twilio_page_delivery(page, 0, &storage, &d) != cases[i].e) fail_msg("%s", cases[i].entry);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_first_page_is_asked_for_by_day),
      cmocka_unit_test(a_page_of_recordings_becomes_deliveries),
      cmocka_unit_test(a_page_of_calls_becomes_deliveries),
      cmocka_unit_test(a_page_with_broken_texts_is_used),
      cmocka_unit_test(a_next_page_elsewhere_refuses_the_page),
      cmocka_unit_test(a_body_that_is_no_list_is_refused),
      cmocka_unit_test(entries_without_their_sid_or_account_are_refused_one_by_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
