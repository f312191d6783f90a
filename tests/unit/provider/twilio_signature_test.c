#include "provider_testing.h"

#include <jansson.h>

#include "provider/twilio_signature.h"

enum { PARAMETERS_MAX = 32 };

/* A vector's parameters: texts, or lists of texts. */
static size_t load_parameters(json_t *object, struct twilio_parameter *ret) {
  const char *name;
  json_t *value;
  size_t count = 0;
  json_object_foreach(object, name, value) {
    size_t repeats = json_is_array(value) ? json_array_size(value) : 1;
    for (size_t i = 0; i < repeats; i++) {
      json_t *text = json_is_array(value) ? json_array_get(value, i) : value;
      assert_true(count < PARAMETERS_MAX);
      ret[count++] = (struct twilio_parameter){str_from(name), str_from(json_string_value(text))};
    }
  }
  return count;
}

static void every_vector_of_twilios_clients_has_the_same_result_as_there(void **state) {
  (void)state;
  json_error_t why;
  json_t *root = json_load_file(TWILIO_VECTORS, 0, &why), *vector;
  assert_non_null(root);
  const struct str token = str_from(json_string_value(json_object_get(root, "auth_token")));
  size_t i, walked = 0;
  json_array_foreach(json_object_get(root, "vectors"), i, vector) {
    struct twilio_parameter parameters[PARAMETERS_MAX];
    const struct twilio_signed what = {
        .url = str_from(json_string_value(json_object_get(vector, "url"))),
        .parameters = parameters,
        .count = load_parameters(json_object_get(vector, "params"), parameters),
        .body = str_from(json_string_value(json_object_get(vector, "body"))),
    };
    struct str signature = str_from(json_string_value(json_object_get(vector, "signature")));
    bool valid;
    ok(twilio_signature_check(&what, signature, &token, 1, &valid));
    if (valid != json_is_true(json_object_get(vector, "valid")))
      fail_msg("%s", json_string_value(json_object_get(vector, "id")));
    walked++;
  }
  assert_int_equal(walked, 25);
  json_decref(root);
}

static bool accepts(const char *asked_url, const char *signed_url) {
  struct twilio_parameter parameters[] = {{STR("b"), STR("2")}, {STR("a"), STR("1")}};
  struct twilio_signed what = {
      .url = str_from(signed_url), .host = STR("H.eXample:443"), .parameters = parameters, .count = 2};
  struct buf signature CLEANUP(buf_done) = BUF_INIT(64);
  const struct str tokens[] = {STR_NONE, STR("token")};
  bool valid;
  ok(twilio_signature_make(&what, STR("token"), &signature));
  what.url = str_from(asked_url);
  ok(twilio_signature_check(&what, buf_str(&signature), tokens, COUNT_OF(tokens), &valid));
  return valid;
}

static void the_port_may_be_missing_or_added(void **state) {
  (void)state;
  static const struct {
    const char *asked, *signed_;
    bool valid;
  } cases[] = {
      {"https://h.example/a?b=c", "https://h.example/a?b=c", true},
      {"https://h.example:8443/a", "https://h.example:8443/a", true},
      {"https://h.example:8443/a", "https://h.example/a", true},
      {"https://h.example/a", "https://h.example:443/a", true},
      {"http://h.example/a", "http://h.example:80/a", true},
      {"https://h.example:443/a", "https://h.example/a", true},
      {"https://h.example", "https://h.example:443", true},
      {"https://h.example?x=1:2", "https://h.example:443?x=1:2", true},
      {"https://[2001:db8::1]/a", "https://[2001:db8::1]:443/a", true},
      {"https://[2001:db8::1]:8443/a", "https://[2001:db8::1]/a", true},
      {"https://user:pass@h.example/a", "https://user:pass@h.example:443/a", true},
      {"https://user:pass@[::1]:1/a", "https://user:pass@[::1]/a", true},
      {"https://h.example/a:443", "https://h.example/a", false},
      {"https://h.example/a", "https://h.example:8443/a", false},
      {"https://h.example:8443/a", "https://h.example:443/a", false},
      {"https://h.example/a", "http://h.example/a", false},
      {"https://h.example/a%41", "https://h.example/aA", false},
      {"/a", "/a", true},
      {"https://H.Example/a", "https://h.example/a", true},
      {"https://H.Example:443/a", "https://h.example/a", true},
      {"https://h.example/a", "https://H.eXample/a", true}, /* as the request's Host has it */
      {"https://h.example/a", "https://H.eXample:443/a", true},
      {"https://User@H.Example/a", "https://User@h.example/a", true},
      {"https://User@H.Example/a", "https://user@h.example/a", false},
      {"https://H.Example/A", "https://h.example/a", false},
      {"https://h.exbmple/a", "https://H.Example/a", false},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    if (accepts(cases[i].asked, cases[i].signed_) != cases[i].valid) fail_msg("%s", cases[i].asked);
}

static void no_token_accepts_nothing(void **state) {
  (void)state;
  const struct twilio_signed what = {.url = STR("https://h.example/")};
  struct buf signature CLEANUP(buf_done) = BUF_INIT(64);
  const struct str none[] = {STR_NONE, STR_NONE};
  bool valid = true;
  ok(twilio_signature_make(&what, STR_NONE, &signature));
  ok(twilio_signature_check(&what, buf_str(&signature), none, COUNT_OF(none), &valid));
  assert_false(valid);
}

static void a_body_without_its_digest_in_the_url_is_refused(void **state) {
  (void)state;
  struct twilio_signed what = {.url = STR("https://h.example/"), .body = STR("{}")};
  struct buf signature CLEANUP(buf_done) = BUF_INIT(64);
  const struct str token = STR("token");
  bool valid = true;
  ok(twilio_signature_make(&what, token, &signature));
  ok(twilio_signature_check(&what, buf_str(&signature), &token, 1, &valid));
  assert_false(valid);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_vector_of_twilios_clients_has_the_same_result_as_there),
      cmocka_unit_test(the_port_may_be_missing_or_added),
      cmocka_unit_test(no_token_accepts_nothing),
      cmocka_unit_test(a_body_without_its_digest_in_the_url_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
