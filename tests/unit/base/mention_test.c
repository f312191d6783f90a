#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "base/mention.h"

#define NUMBER STR("972501234567")

static void require_kind(const char *text, enum mention_kind kind, const char *wanted) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(1000);
  const char *got;
  bool found, changes = strcmp(text, wanted) != 0;
  assert_int_equal(mention_erase(str_from(text), NUMBER, kind, &b, &found), OK);
  assert_int_equal(buf_terminate(&b, &got), OK);
  assert_string_equal(got, wanted);
  assert_int_equal(found, changes);
  assert_int_equal(mention_is_in(str_from(text), NUMBER, kind), changes);
  assert_true(strlen(got) <= strlen(text));
  if (kind == MENTION_PLAIN) return;
  json_t *read = json_loads(got, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(read);
  json_decref(read);
}

static void a_number_is_found_as_people_write_it(void **state) {
  (void)state;
  static const char *const texts[][2] = {
      {"", ""},
      {"972501234567", "[…]"},
      {"+972501234567", "[…]"},
      {"00972501234567", "[…]"},
      {"+972 (50) 123-45.67", "[…]"},
      {"call +972-50-123-4567, or +972501234567!", "call […], or […]!"},
      {"sip:+972501234567@a.example", "sip:[…]@a.example"},
      {"whatsapp:+972501234567", "whatsapp:[…]"},
      {"1 - 972501234567", "1 - […]"},
      {"1972501234567", "1972501234567"},
      {"9725012345678", "9725012345678"},
      {"97250123456", "97250123456"},
      {"972501234568", "972501234568"},
      {"972   501234567", "972   501234567"},
      {"972,501234567", "972,501234567"},
      {"972972501234567", "972972501234567"},
      {"972 972501234567", "972 […]"},
  };
  for (size_t i = 0; i < COUNT_OF(texts); i++) require_kind(texts[i][0], MENTION_PLAIN, texts[i][1]);
}

static void json_stays_json(void **state) {
  (void)state;
  static const char *const texts[][2] = {
      {"{\"a\":\"x +972501234567\"}", "{\"a\":\"x […]\"}"},
      {"{\"972501234567\":1}", "{\"[…]\":1}"},
      {"{\"a\":972501234567,\"b\":[972501234567]}", "{\"a\":null,\"b\":[null]}"},
      {"{\"a\":-972501234567,\"b\":972501234567.5,\"c\":972501234567e2,\"d\":1.972501234567}",
       "{\"a\":-972501234567,\"b\":972501234567.5,\"c\":972501234567e2,\"d\":1.972501234567}"},
      {"[972, 501234567]", "[972, 501234567]"},
      {"[\"\\u0039972501234567\\\"972501234567\\\\\"]", "[\"\\u0039[…]\\\"[…]\\\\\"]"},
      {"[\"\\n972501234567\"]", "[\"\\n[…]\"]"},
  };
  for (size_t i = 0; i < COUNT_OF(texts); i++) require_kind(texts[i][0], MENTION_JSON, texts[i][1]);
}

static enum err note_number(void *arg, struct str digits) {
  struct buf *b = arg;
  TRY(buf_add(b, digits));
  return buf_add_char(b, ' ');
}

static void the_numbers_that_a_text_names_are_given(void **state) {
  (void)state;
  static const char *const texts[][2] = {
      {"", ""},
      {"+972501234567", "972501234567 "},
      {"00972501234567", "972501234567 "},
      {"sip:+972501234567@a.example", "972501234567 "},
      {"client:972501234567", "972501234567 "},
      {"sip:alice@10.20.30.40:5060", "10203040 "},
      {"sip:123456@a.example", ""},
      {"0501234567", ""},
      {"9725012345678901", ""},
      {"tel:+1-500-555-0111", "1500555 15005550111 5005550111 5550111 "},
      {"1234567 1234567", "1234567 12345671234567 1234567 "},
  };
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(1000);
    const char *got;
    assert_int_equal(mention_each(str_from(texts[i][0]), note_number, &b), OK);
    assert_int_equal(buf_terminate(&b, &got), OK);
    assert_string_equal(got, texts[i][1]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_number_is_found_as_people_write_it),
                                     cmocka_unit_test(the_numbers_that_a_text_names_are_given),
                                     cmocka_unit_test(json_stays_json)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
