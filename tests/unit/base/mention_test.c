#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "base/fold.h"
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
      {"972         501234567", "972         501234567"},
      {"972:501234567", "972:501234567"},
      {"972x501234567", "972x501234567"},
      {"972,501234567", "[…]"},
      {"call +972 - 50 - 123_45,67", "call […]"},
      {"+972\t50\n1234567", "[…]"},
      {"+972\u201150\u2011123\u20114567", "[…]"},
      {"+972\u00a050\u00a01234567", "[…]"},
      {"+972\u201350\u2013123\u20134567", "[…]"},
      {"972\u200e501234567", "[…]"},
      {"\uff0b\uff19\uff17\uff12\uff15\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17!", "[…]!"},
      {"\u0669\u0667\u0662\u0665\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667", "[…]"},
      {"011972501234567", "[…]"},
      {"0011 972 50 1234567", "[…]"},
      {"00 972 50 1234567", "[…]"},
      {"011-972-50-1234567", "[…]"},
      {"\uff10972501234567", "\uff10972501234567"},
      {"972501234567\u0660", "972501234567\u0660"},
      {"97250 972501234567 1234567", "97250 […] 1234567"},
      {"972501\377234567", "972501\377234567"},
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
      {"[\"\\u0039972501234567\\\"972501234567\\\\\"]", "[\"\\u0039972501234567\\\"[…]\\\\\"]"},
      {"[\"\\u0039\\u0037\\u00322501234567 972501234567\"]", "[\"\\u0039\\u0037\\u00322501234567 […]\"]"},
      {"[\"\\u0039\\u0037\\u0032501234567\"]", "[\"[…]\"]"},
      {"[\"\\u002b972\\t50\\u00a01234567\"]", "[\"[…]\"]"},
      {"[\"972\",\"501234567\"]", "[\"972\",\"501234567\"]"},
      {"[\"972\\\"501234567\"]", "[\"[…]\"]"},
      {"[\"\\n972501234567\"]", "[\"\\n[…]\"]"},
  };
  for (size_t i = 0; i < COUNT_OF(texts); i++) require_kind(texts[i][0], MENTION_JSON, texts[i][1]);
}

static size_t put_utf8(uint32_t code, char *p) {
  if (code < 0x80) return *p = (char)code, 1;
  size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (size_t i = n; i-- > 1; code >>= 6) p[i] = (char)(0x80 | (code & 0x3f));
  p[0] = (char)((0xf00 >> n & 0xff) | code);
  return n;
}

/* Searches compare folded text. */
static void what_a_search_finds_is_found(void **state) {
  (void)state;
  int searched = 0;
  for (uint32_t code = 1; code < 0x20000; code++) {
    char text[40] = "+97250";
    size_t n = strlen(text);
    if (code >= 0xd800 && code < 0xe000) continue;
    n += put_utf8(code, text + n);
    memcpy(text + n, "1234567", sizeof("1234567"));
    struct buf folded CLEANUP(buf_done) = BUF_INIT(200);
    const char *got;
    assert_int_equal(fold_text(str_from(text), FOLD_JOIN, &folded), OK);
    assert_int_equal(buf_terminate(&folded, &got), OK);
    if (!strstr(got, "972501234567")) continue;
    searched++;
    assert_true(mention_is_in(str_from(text), NUMBER, MENTION_PLAIN));
  }
  assert_true(searched > 10);
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
      {"011 972501234567", "972501234567 972501234567 "},
      {"+972\u2011501234567", "972501234567 501234567 "},
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
                                     cmocka_unit_test(what_a_search_finds_is_found), cmocka_unit_test(json_stays_json)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
