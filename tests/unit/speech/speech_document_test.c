/* Documents: written, read back, corrected; hostile ones are refused with the member's name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "speech/speech_document.h"
#include "speech/speech_text.h"

#define NEW_DOCUMENT(name) struct speech_document name CLEANUP(speech_document_done) = SPEECH_DOCUMENT_INIT
#define NEW_TEXT(name) struct buf name CLEANUP(buf_done) = BUF_INIT(SPEECH_DOCUMENT_MAX)

#define WHOLE                                                                                                              \
  "{\"duration\":12.5,\"language\":\"he\",\"text\":\"שלום \\\"Dana\\\"\\nHello.\",\"segments\":["                      \
  "{\"start\":0.1,\"end\":1,\"channel\":0,\"speaker\":\"customer\",\"text\":\"שלום \\\"Dana\\\"\",\"confidence\":0.9," \
  "\"words\":[{\"word\":\"שלום\",\"start\":0.1,\"end\":0.5,\"confidence\":1},"                                         \
  "{\"word\":\"\\\"Dana\\\"\",\"start\":0.5,\"end\":1,\"confidence\":null}]},"                                             \
  "{\"start\":2.034,\"end\":3,\"channel\":null,\"speaker\":null,\"text\":\"Hello.\",\"confidence\":null,"                  \
  "\"words\":null}],\"gaps\":[{\"start\":5,\"end\":7.25,\"reason\":\"engine_error\"}],"                                    \
  "\"talk\":{\"speakers\":{\"customer\":0.9,\"agent\":4},\"silence\":3.001,\"overlap\":0}}"

static void assert_written(const struct speech_document *d, const char *expected) {
  NEW_TEXT(b);
  const char *text;
  assert_int_equal(speech_document_write(d, &b), OK);
  assert_int_equal(buf_terminate(&b, &text), OK);
  assert_string_equal(text, expected);
}

static void parse(struct speech_document *d, const char *json) {
  struct speech_wrong wrong = {{0}};
  enum err e = speech_document_parse(str_from(json), d, &wrong);
  if (e != OK) fail_msg("%s: %s: %s", err_text(e), wrong.field, json);
}

static void what_was_written_is_read_back(void **state) {
  (void)state;
  NEW_DOCUMENT(d);
  parse(&d, WHOLE);
  assert_int_equal(d.duration_ms, 12500);
  assert_int_equal(d.segment_count, 2);
  assert_int_equal(d.segments[0].words[1].end_ms, 1000);
  assert_int_equal(d.segments[1].channel, -1);
  assert_int_equal(d.talk.speaker_count, 2);
  assert_written(&d, WHOLE);
}

static void an_empty_document_is_written_and_read(void **state) {
  (void)state;
  NEW_DOCUMENT(d);
  const char *empty =
      "{\"duration\":null,\"language\":null,\"text\":\"\",\"segments\":[],\"gaps\":[],"
      "\"talk\":{\"speakers\":{},\"silence\":null,\"overlap\":null}}";
  assert_written(&d, empty);
  parse(&d, empty);
  assert_written(&d, empty);
}

static void segments_are_sorted_and_equal_ones_keep_their_order(void **state) {
  (void)state;
  NEW_DOCUMENT(d);
  parse(&d,
        "{\"segments\":[{\"start\":3,\"end\":4,\"text\":\"c\"},{\"start\":1,\"end\":2,\"text\":\"a\"},"
        "{\"start\":1,\"end\":9,\"text\":\"b\"}],\"gaps\":[{\"start\":8,\"end\":9,\"reason\":\"x\"},"
        "{\"start\":7,\"end\":9,\"reason\":\"y\"}]}");
  assert_true(str_eq(d.segments[0].text, STR("a")) && str_eq(d.segments[1].text, STR("b")));
  assert_true(str_eq(d.segments[2].text, STR("c")) && str_eq(d.gaps[0].reason, STR("y")));
}

static void a_wrong_member_is_named(void **state) {
  (void)state;
#define ONE(members) "{\"segments\":[{\"start\":1,\"end\":2,\"text\":\"a\"},{" members "}]}"
  static const struct {
    const char *json, *field;
    enum err error;
  } cases[] = {
      {"", "", ERR_INVALID},
      {"[]", "", ERR_INVALID},
      {"{\"segments\":[]", "", ERR_INVALID},
      {"{\"segments\":[],\"segments\":[]}", "", ERR_INVALID},
      {"{}", "segments", ERR_INVALID},
      {"{\"segments\":{}}", "segments", ERR_INVALID},
      {"{\"segments\":[7]}", "segments[0].", ERR_INVALID},
      {"{\"segments\":[],\"duration\":-1}", "duration", ERR_INVALID},
      {"{\"segments\":[],\"duration\":\"1\"}", "duration", ERR_INVALID},
      {"{\"segments\":[],\"duration\":1e9}", "duration", ERR_INVALID},
      {"{\"segments\":[],\"language\":\"a language that is none\"}", "language", ERR_TOO_BIG},
      {"{\"segments\":[],\"language\":7}", "language", ERR_INVALID},
      {"{\"segments\":[],\"gaps\":[{}]}", "gaps[0].start", ERR_INVALID},
      {"{\"segments\":[],\"gaps\":[{\"start\":1,\"end\":2}]}", "gaps[0].reason", ERR_INVALID},
      {"{\"segments\":[],\"talk\":7}", "talk", ERR_INVALID},
      {"{\"segments\":[],\"talk\":{\"speakers\":[]}}", "talk.speakers", ERR_INVALID},
      {"{\"segments\":[],\"talk\":{\"speakers\":{\"a\":null}}}", "talk.a", ERR_INVALID},
      {"{\"segments\":[],\"talk\":{\"overlap\":-2}}", "talk.overlap", ERR_INVALID},
      {ONE("\"end\":2,\"text\":\"a\""), "segments[1].start", ERR_INVALID},
      {ONE("\"start\":3,\"end\":2,\"text\":\"a\""), "segments[1].end", ERR_INVALID},
      {ONE("\"start\":1,\"end\":2"), "segments[1].text", ERR_INVALID},
      {ONE("\"start\":1,\"end\":2,\"text\":\" \\n\""), "segments[1].text", ERR_INVALID},
      {ONE("\"start\":1,\"end\":2,\"text\":\"a\",\"channel\":2"), "segments[1].channel", ERR_INVALID},
      {ONE("\"start\":1,\"end\":2,\"text\":\"a\",\"channel\":0.5"), "segments[1].channel", ERR_INVALID},
      {ONE("\"start\":1,\"end\":2,\"text\":\"a\",\"speaker\":7"), "segments[1].speaker", ERR_INVALID},
      {ONE("\"start\":1,\"end\":2,\"text\":\"a\",\"confidence\":1.01"), "segments[1].confidence", ERR_INVALID},
      {ONE("\"start\":1,\"end\":2,\"text\":\"a\",\"words\":{}"), "segments[1].words", ERR_INVALID},
      {ONE("\"start\":1,\"end\":2,\"text\":\"a\",\"words\":[null]"), "segments[1].words[0].", ERR_INVALID},
      {ONE("\"start\":1,\"end\":2,\"text\":\"a\",\"words\":[{\"word\":\"a\",\"start\":1}]"), "segments[1].words[0].end",
       ERR_INVALID},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    NEW_DOCUMENT(d);
    struct speech_wrong wrong = {"untouched"};
    enum err e = speech_document_parse(str_from(cases[i].json), &d, &wrong);
    if (e != cases[i].error || strcmp(wrong.field, cases[i].field) != 0)
      fail_msg("%s: %s, \"%s\"", cases[i].json, err_text(e), wrong.field);
    assert_int_equal(d.arena.used, 0);
  }
}

static void what_is_too_much_is_refused(void **state) {
  (void)state;
  NEW_DOCUMENT(d);
  NEW_TEXT(b);
  struct speech_wrong wrong;
  assert_int_equal(buf_add(&b, STR("{\"segments\":[{\"start\":0,\"end\":1,\"text\":\"")), OK);
  for (int i = 0; i < SPEECH_TEXT_MAX + 1; i++) assert_int_equal(buf_add_char(&b, 'a'), OK);
  assert_int_equal(buf_add(&b, STR("\"}]}")), OK);
  assert_int_equal(speech_document_parse(buf_str(&b), &d, &wrong), ERR_TOO_BIG);
  assert_string_equal(wrong.field, "segments[0].text");
  buf_clear(&b);
  assert_int_equal(buf_add(&b, STR("{\"segments\":[0")), OK);
  for (int i = 0; i < SPEECH_SEGMENTS_MAX; i++) assert_int_equal(buf_add(&b, STR(",0")), OK);
  assert_int_equal(buf_add(&b, STR("]}")), OK);
  assert_int_equal(speech_document_parse(buf_str(&b), &d, &wrong), ERR_TOO_BIG);
  assert_string_equal(wrong.field, "segments");
  buf_clear(&b);
  for (int i = 0; i < 100000; i++) assert_int_equal(buf_add_char(&b, '['), OK); /* depth */
  assert_int_equal(speech_document_parse(buf_str(&b), &d, &wrong), ERR_INVALID);
}

static void texts_are_cleaned(void **state) {
  (void)state;
  static const struct {
    struct str raw;
    const char *clean;
  } cases[] = {
      {STR(""), ""},
      {STR("  a \t\r\n b\x01 "), "a b"},
      {STR("a\0b"), "a b"},
      {STR("\xe2\x80\xabשלום\xe2\x80\xac"), "שלום"}, /* U+202B, U+202C */
      {STR("a\xe2\x81\xa6\xe2\x80\x8f"
           "b\xd8\x9c"),
       "ab"},                                              /* U+2066, U+200F, U+061C */
      {STR("\xd7"), "\xef\xbf\xbd"},                       /* half a letter */
      {STR("a\xff\xfe b"), "a\xef\xbf\xbd\xef\xbf\xbd b"}, /* no letters */
      {STR("\xed\xa0\x80"), "\xef\xbf\xbd"},               /* a surrogate */
      {STR("\xe2\x80\x8d"), "\xe2\x80\x8d"},               /* U+200D joins letters: it stays */
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    NEW_TEXT(b);
    const char *text;
    assert_int_equal(speech_text_clean(cases[i].raw, &b), OK);
    assert_true(speech_text_is_clean(buf_str(&b)));
    assert_int_equal(buf_terminate(&b, &text), OK);
    assert_string_equal(text, cases[i].clean);
  }
  assert_false(speech_text_is_clean(STR(" a")));
  assert_false(speech_text_is_clean(STR("a  b")));
  assert_false(speech_text_is_clean(STR("a\xe2\x80\xab")));
}

static void the_first_letter_gives_the_direction(void **state) {
  (void)state;
  assert_true(speech_text_is_right_to_left(STR("שלום Dana")));
  assert_true(speech_text_is_right_to_left(STR("\"123 - مرحبا")));
  assert_false(speech_text_is_right_to_left(STR("Dana אמרה")));
  assert_false(speech_text_is_right_to_left(STR("123")));
  assert_false(speech_text_is_right_to_left(STR("Привет")));
}

static const char *edited(const struct speech_document *before, const char *json, struct speech_document *d) {
  static struct speech_wrong wrong;
  wrong.field[0] = '\0';
  return speech_document_edit(before, str_from(json), d, &wrong) == OK ? NULL : wrong.field;
}

static void one_press_swaps_the_speakers(void **state) {
  (void)state;
  NEW_DOCUMENT(before);
  NEW_DOCUMENT(d);
  parse(&before, WHOLE);
  assert_null(edited(&before, "{\"speakers\":{\"customer\":\"agent\",\"agent\":\"customer\"}}", &d));
  speech_document_done(&before); /* d is a copy */
  assert_true(str_eq(d.segments[0].speaker, STR("agent")));
  assert_int_equal(d.segments[0].word_count, 2);
  assert_int_equal(d.segments[1].speaker.n, 0);
  assert_true(str_eq(d.talk.speakers[0].speaker, STR("agent")) && d.talk.speakers[0].ms == 900);
  assert_true(str_eq(d.talk.speakers[1].speaker, STR("customer")) && d.talk.speakers[1].ms == 4000);
  assert_int_equal(d.gap_count, 1);
  assert_int_equal(d.duration_ms, 12500);
  assert_string_equal(d.language, "he");
}

static void a_correction_replaces_segments_and_keeps_the_rest(void **state) {
  (void)state;
  NEW_DOCUMENT(before);
  NEW_DOCUMENT(d);
  parse(&before, WHOLE);
  assert_null(
      edited(&before,
             "{\"segments\":[{\"start\":1,\"end\":2,\"speaker\":\"agent\",\"text\":\"Good evening.\",\"words\":["
             "{\"word\":\"Good\",\"start\":1,\"end\":1.5},{\"word\":\"evening\",\"start\":1.5,\"end\":2}]},"
             "{\"start\":3,\"end\":4,\"speaker\":\"customer\",\"text\":\"Good morning.\",\"words\":["
             "{\"word\":\"Good\",\"start\":3,\"end\":3.5},{\"word\":\"evening\",\"start\":3.5,\"end\":4}]}],"
             "\"speakers\":{\"agent\":\" Eli\"}}",
             &d));
  assert_int_equal(d.segment_count, 2);
  assert_int_equal(d.segments[0].word_count, 2);
  assert_int_equal(d.segments[1].word_count, 0); /* the words are of another text */
  assert_true(str_eq(d.segments[0].speaker, STR("Eli")));
  assert_true(str_eq(d.talk.speakers[1].speaker, STR("Eli")));
  assert_int_equal(d.talk.silence_ms, 3001);
}

static void two_names_that_become_one_have_one_time(void **state) {
  (void)state;
  NEW_DOCUMENT(before);
  NEW_DOCUMENT(d);
  parse(&before, WHOLE);
  assert_null(edited(&before, "{\"speakers\":{\"customer\":\"agent\"}}", &d));
  assert_int_equal(d.talk.speaker_count, 1);
  assert_int_equal(d.talk.speakers[0].ms, 4900);
}

static void a_wrong_correction_names_its_member(void **state) {
  (void)state;
  NEW_DOCUMENT(before);
  parse(&before, WHOLE);
  static const struct {
    const char *json, *field;
  } cases[] = {{"7", ""},
               {"{\"version\":1}", "version"},
               {"{\"segments\":null}", "segments"},
               {"{\"speakers\":[]}", "speakers"},
               {"{\"speakers\":{\"a\":null}}", "speakers.a"},
               {"{\"speakers\":{\"a\":\"\"}}", "speakers.a"}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    NEW_DOCUMENT(d);
    const char *field = edited(&before, cases[i].json, &d);
    assert_non_null(field);
    assert_string_equal(field, cases[i].field);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_was_written_is_read_back),
      cmocka_unit_test(an_empty_document_is_written_and_read),
      cmocka_unit_test(segments_are_sorted_and_equal_ones_keep_their_order),
      cmocka_unit_test(a_wrong_member_is_named),
      cmocka_unit_test(what_is_too_much_is_refused),
      cmocka_unit_test(texts_are_cleaned),
      cmocka_unit_test(the_first_letter_gives_the_direction),
      cmocka_unit_test(one_press_swaps_the_speakers),
      cmocka_unit_test(a_correction_replaces_segments_and_keeps_the_rest),
      cmocka_unit_test(two_names_that_become_one_have_one_time),
      cmocka_unit_test(a_wrong_correction_names_its_member),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
