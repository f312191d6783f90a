#include "provider_testing.h"

#include "provider/twilio_sid.h"

static void formats_are_parsed_in_their_order(void **state) {
  (void)state;
  enum provider_format formats[PROVIDER_FORMATS_MAX];
  size_t count;
  struct str word;
  ok(provider_formats_parse(STR("wav-dual, mp3,wav ,any"), formats, &count, &word));
  assert_int_equal(count, 4);
  assert_int_equal(formats[0], PROVIDER_WAV_DUAL);
  assert_int_equal(formats[1], PROVIDER_MP3);
  assert_int_equal(formats[2], PROVIDER_WAV);
  assert_int_equal(formats[3], PROVIDER_ANY);
}

static void an_unknown_format_is_refused_by_name(void **state) {
  (void)state;
  static const struct {
    const char *text, *word;
  } cases[] = {
      {"mp3,ogg", "ogg"}, {"", ""}, {"mp3,", ""}, {"MP3", "MP3"}, {"mp3,mp3,mp3,mp3,mp3,mp3,mp3,mp3,wav", "wav"}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    enum provider_format formats[PROVIDER_FORMATS_MAX];
    size_t count = 99;
    struct str word = STR("?");
    assert_int_equal(provider_formats_parse(str_from(cases[i].text), formats, &count, &word), ERR_INVALID);
    assert_int_equal(count, 99);
    assert_str(word, cases[i].word);
  }
}

static void providers_are_found_by_their_path(void **state) {
  (void)state;
  assert_ptr_equal(provider_find(STR("twilio")), &provider_twilio);
  assert_null(provider_find(STR("Twilio")));
  assert_null(provider_find(STR("")));
}

static void sids_are_two_capitals_and_32_hex_digits(void **state) {
  (void)state;
  static const struct {
    const char *text;
    bool call;
  } cases[] = {
      {CA, true},
      {"CA1111111111111111111111111111111F", true},
      {"", false},
      {"CA", false},
      {RE, false},
      {"ca11111111111111111111111111111111", false},
      {"CA1111111111111111111111111111111", false},
      {"CA111111111111111111111111111111111", false},
      {"CA1111111111111111111111111111111g", false},
      {"CA1111111111111111111111111111111/", false},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    assert_int_equal(provider_twilio.is_call_sid(str_from(cases[i].text)), cases[i].call);
  assert_true(provider_twilio.is_recording_sid(STR(RE)));
  assert_false(provider_twilio.is_recording_sid(STR(CA)));
  assert_true(provider_twilio.is_account_sid(STR(AC)));
  assert_true(twilio_sid_is_conference(STR(CF)));
  assert_false(twilio_sid_is_conference(STR_NONE));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(formats_are_parsed_in_their_order),
      cmocka_unit_test(an_unknown_format_is_refused_by_name),
      cmocka_unit_test(providers_are_found_by_their_path),
      cmocka_unit_test(sids_are_two_capitals_and_32_hex_digits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
