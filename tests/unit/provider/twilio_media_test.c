#include "provider_testing.h"

#include "provider/twilio_media.h"

static void urls_are_made_absolute_and_checked(void **state) {
  (void)state;
  static const struct {
    const char *told, *kept;
    bool forbidden;
  } cases[] = {
      {RECORDING_URL, RECORDING_URL, false},
      {RECORDING_URL ".mp3", RECORDING_URL, false},
      {RECORDING_URL ".wav", RECORDING_URL, false},
      {RECORDING_URL ".json", RECORDING_URL, false},
      {RECORDING_PATH ".json", RECORDING_URL, false},
      {"2010-04-01/Accounts/" AC "/Recordings/" RE, RECORDING_URL, false},
      {"http://api.twilio.com" RECORDING_PATH, RECORDING_URL, false},
      {"http://api.twilio.com:80" RECORDING_PATH, RECORDING_URL, false},
      {"https://api.twilio.com:443" RECORDING_PATH, "https://api.twilio.com:443" RECORDING_PATH, false},
      {BASE "/2008-08-01/Accounts/" AC "/Recordings/" RE, BASE "/2008-08-01/Accounts/" AC "/Recordings/" RE, false},
      {BASE "/2010-04-01/Accounts/" AC "/Calls/" CA "/Recordings/" RE,
       BASE "/2010-04-01/Accounts/" AC "/Calls/" CA "/Recordings/" RE, false},
      {RECORDING_URL ".mp3.mp3", RECORDING_URL ".mp3", true},
      {RECORDING_URL ".exe", RECORDING_URL ".exe", true},
      {RECORDING_URL "/", RECORDING_URL "/", true},
      {RECORDING_URL "?x=1", RECORDING_URL, false},
      {RECORDING_URL ".Wav?RequestedChannels=2", RECORDING_URL, false},
      {" \t" RECORDING_URL ".MP3\r\n", RECORDING_URL, false},
      {RECORDING_URL "#?x", RECORDING_URL "#?x", true},
      {RECORDING_URL "#x", RECORDING_URL "#x", true},
      {RECORDING_URL "/../../x", RECORDING_URL "/../../x", true},
      {BASE "/2010-04-01/Accounts/" AC_OTHER "/Recordings/" RE, BASE "/2010-04-01/Accounts/" AC_OTHER "/Recordings/" RE,
       true},
      {BASE "/2010-04-01/Accounts/" AC "/Recordings/" RE_OTHER, BASE "/2010-04-01/Accounts/" AC "/Recordings/" RE_OTHER,
       true},
      {BASE "/2010-04-01/Accounts/" AC "%2fRecordings/" RE, BASE "/2010-04-01/Accounts/" AC "%2fRecordings/" RE, true},
      {BASE "/2010-04-01/Accounts/" AC "\\Recordings/" RE, BASE "/2010-04-01/Accounts/" AC "\\Recordings/" RE, true},
      {BASE "/2010-04-01/./Accounts/" AC "/Recordings/" RE, BASE "/2010-04-01/./Accounts/" AC "/Recordings/" RE, true},
      {BASE "//2010-04-01/Accounts/" AC "/Recordings/" RE, BASE "//2010-04-01/Accounts/" AC "/Recordings/" RE, true},
      {BASE "/2010-04-01/Accounts/" AC "/Calls/x/Recordings/" RE,
       BASE "/2010-04-01/Accounts/" AC "/Calls/x/Recordings/" RE, true},
      {"https://user@api.twilio.com" RECORDING_PATH, "https://user@api.twilio.com" RECORDING_PATH, true},
      {"https://api.twilio.com:8443" RECORDING_PATH, "https://api.twilio.com:8443" RECORDING_PATH, true},
      {"https://evil.example" RECORDING_PATH, "https://evil.example" RECORDING_PATH, true},
      {"http://evil.example" RECORDING_PATH, "http://evil.example" RECORDING_PATH, true},
      {"https://api.twilio.com.evil.example" RECORDING_PATH, "https://api.twilio.com.evil.example" RECORDING_PATH,
       true},
      {"http://api.twilio.com@evil.example" RECORDING_PATH, "http://api.twilio.com@evil.example" RECORDING_PATH, true},
      {"//evil.example" RECORDING_PATH, "//evil.example" RECORDING_PATH, true},
      {"ftp://api.twilio.com" RECORDING_PATH, "ftp://api.twilio.com" RECORDING_PATH, true},
      {"file:///etc/passwd", "file:///etc/passwd", true},
      {"javascript:alert(1)", BASE "/javascript:alert(1)", true},
      {"http://api.twilio.com", "https://api.twilio.com", true},
      {"/", BASE "/", true},
  };
  const struct provider_account account = test_account();
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(8192);
    struct str url;
    bool forbidden;
    ok(twilio_media_url(&account, str_from(cases[i].told), STR(RE), &b, &url, &forbidden));
    assert_str(url, cases[i].kept);
    if (forbidden != cases[i].forbidden) fail_msg("%s", cases[i].told);
    struct provider_request request = {0};
    enum err e = provider_twilio.request(&account, url, STR(RE), PROVIDER_MP3, false, &request);
    assert_int_equal(e, cases[i].forbidden ? ERR_DENIED : OK);
    provider_request_done(&request);
  }
}

static void a_url_that_is_too_long_is_cut_and_never_fetched(void **state) {
  (void)state;
  const struct provider_account account = test_account();
  for (size_t n = TWILIO_URL_MAX - 100; n < TWILIO_URL_MAX + 100; n++) {
    char *told = malloc(n);
    struct buf b CLEANUP(buf_done) = BUF_INIT(8192);
    struct str url;
    bool forbidden = false;
    memset(told, 'a', n);
    memcpy(told, "/", 1);
    ok(twilio_media_url(&account, str_of(told, n), STR(RE), &b, &url, &forbidden));
    assert_true(url.n <= TWILIO_URL_MAX);
    assert_true(forbidden);
    free(told);
  }
}

static void a_recording_sid_is_read_from_the_end_of_a_url(void **state) {
  (void)state;
  assert_str(twilio_media_sid(STR(RECORDING_URL)), RE);
  assert_str(twilio_media_sid(STR("https://elsewhere.example/" RE ".wav")), RE);
  assert_str(twilio_media_sid(STR(RE)), RE);
  assert_str(twilio_media_sid(STR("https://elsewhere.example/" CA)), "");
  assert_str(twilio_media_sid(STR_NONE), "");
}

static void a_request_has_the_formats_url_and_the_accounts_credentials(void **state) {
  (void)state;
  static const struct {
    enum provider_format format;
    bool two_channels, key;
    const char *url, *user, *password;
  } cases[] = {
      {PROVIDER_MP3, false, false, RECORDING_URL ".mp3", AC, "first token"},
      {PROVIDER_WAV, false, true, RECORDING_URL ".wav", "SKkey", "secret"},
      {PROVIDER_WAV, true, false, RECORDING_URL ".wav", AC, "first token"},
      {PROVIDER_WAV_DUAL, true, false, RECORDING_URL ".wav?RequestedChannels=2", AC, "first token"},
      {PROVIDER_WAV_DUAL, false, false, RECORDING_URL ".wav", AC, "first token"},
      {PROVIDER_ANY, false, false, RECORDING_URL, AC, "first token"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct provider_account account = test_account();
    struct provider_request request = {0};
    if (cases[i].key) {
      account.api_key = STR("SKkey");
      account.api_secret = STR("secret");
    }
    ok(provider_twilio.request(&account, STR(RECORDING_URL), STR(RE), cases[i].format, cases[i].two_channels,
                               &request));
    assert_string_equal(request.url, cases[i].url);
    assert_str(request.user, cases[i].user);
    assert_str(request.password, cases[i].password);
    provider_request_done(&request);
  }
}

static void every_status_of_an_answer_has_its_meaning(void **state) {
  (void)state;
  static const struct {
    int status;
    const char *encoding;
    enum provider_answer answer;
    enum recording_error error;
  } cases[] = {
      {200, "", PROVIDER_AUDIO, RECORDING_NONE},
      {206, "identity", PROVIDER_AUDIO, RECORDING_NONE},
      {200, " ", PROVIDER_AUDIO, RECORDING_NONE},
      {200, "aws-chunked", PROVIDER_AUDIO, RECORDING_NONE},
      {200, "AWS-Chunked, identity,", PROVIDER_AUDIO, RECORDING_NONE},
      {200, "aws-chunked, gzip", PROVIDER_FAILED, RECORDING_PROVIDER_ERROR},
      {200, "gzip", PROVIDER_FAILED, RECORDING_PROVIDER_ERROR},
      {204, "", PROVIDER_FAILED, RECORDING_PROVIDER_ERROR},
      {302, "", PROVIDER_FAILED, RECORDING_PROVIDER_ERROR},
      {400, "", PROVIDER_OTHER_FORMAT, RECORDING_NONE},
      {401, "", PROVIDER_FAILED, RECORDING_AUTH_FAILED},
      {403, "", PROVIDER_FAILED, RECORDING_DENIED_BY_PROVIDER},
      {404, "gzip", PROVIDER_NOT_FOUND, RECORDING_NONE},
      {406, "", PROVIDER_OTHER_FORMAT, RECORDING_NONE},
      {410, "", PROVIDER_NOT_FOUND, RECORDING_NONE},
      {415, "", PROVIDER_OTHER_FORMAT, RECORDING_NONE},
      {429, "", PROVIDER_FAILED, RECORDING_RATE_LIMITED},
      {500, "", PROVIDER_FAILED, RECORDING_PROVIDER_ERROR},
      {503, "", PROVIDER_FAILED, RECORDING_PROVIDER_ERROR},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    enum recording_error error = RECORDING_NONE;
    assert_int_equal(provider_twilio.answer(cases[i].status, str_from(cases[i].encoding), &error), cases[i].answer);
    assert_int_equal(error, cases[i].error);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(urls_are_made_absolute_and_checked),
      cmocka_unit_test(a_url_that_is_too_long_is_cut_and_never_fetched),
      cmocka_unit_test(a_recording_sid_is_read_from_the_end_of_a_url),
      cmocka_unit_test(a_request_has_the_formats_url_and_the_accounts_credentials),
      cmocka_unit_test(every_status_of_an_answer_has_its_meaning),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
