/* The stored content of a version of a transcript, with and without a telephone number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "speech/speech_content.h"

#define DIGITS STR("15005550111")
#define NEW_CONTENT(name) struct transcript_content name CLEANUP(transcript_content_done) = TRANSCRIPT_CONTENT

static void assert_text(const struct buf *b, const char *expected) {
  struct buf copy CLEANUP(buf_done) = BUF_INIT(b->n + 1);
  const char *text;
  assert_int_equal(buf_add(&copy, buf_str(b)), OK);
  assert_int_equal(buf_terminate(&copy, &text), OK);
  assert_string_equal(text, expected);
}

static void without(const char *document, struct transcript_content *c) {
  assert_int_equal(speech_content_without(7, str_from(document), DIGITS, c), OK);
}

static void a_number_goes_from_texts_words_and_speakers(void **state) {
  (void)state;
  NEW_CONTENT(c);
  without(
      "{\"duration\":9,\"segments\":[{\"start\":1,\"end\":2,\"channel\":0,\"speaker\":\"+15005550111\","
      "\"text\":\"Call +1 500 555-0111.\",\"confidence\":0.5,\"words\":["
      "{\"word\":\"Call\",\"start\":1,\"end\":1.2},{\"word\":\"+1 500\",\"start\":1.2,\"end\":1.5},"
      "{\"word\":\"555-0111.\",\"start\":1.5,\"end\":2}]},"
      "{\"start\":3,\"end\":4,\"channel\":1,\"speaker\":\"agent\",\"text\":\"I will\\n do.\",\"words\":["
      "{\"word\":\"I will\",\"start\":3,\"end\":3.5},{\"word\":\"do.\",\"start\":3.5,\"end\":4}]}],"
      "\"talk\":{\"speakers\":{\"+15005550111\":1,\"15005550111\":2,\"agent\":1},\"silence\":4,\"overlap\":0}}",
      &c);
  assert_text(&c.document,
              "{\"duration\":9,\"language\":null,\"text\":\"Call […].\\nI will do.\",\"segments\":["
              "{\"start\":1,\"end\":2,\"channel\":0,\"speaker\":\"[…]\",\"text\":\"Call […].\",\"confidence\":0.5,"
              "\"words\":null},"
              "{\"start\":3,\"end\":4,\"channel\":1,\"speaker\":\"agent\",\"text\":\"I will do.\",\"confidence\":null,"
              "\"words\":[{\"word\":\"I will\",\"start\":3,\"end\":3.5,\"confidence\":null},"
              "{\"word\":\"do.\",\"start\":3.5,\"end\":4,\"confidence\":null}]}],\"gaps\":[],"
              "\"talk\":{\"speakers\":{\"[…]\":3,\"agent\":1},\"silence\":4,\"overlap\":0}}");
  assert_text(&c.text, "Call […].\nI will do.\n");
  assert_text(&c.marks, "1000 2000 […]\n3000 4000 agent\n");
}

static void searches_find_no_word_of_it(void **state) {
  (void)state;
  NEW_CONTENT(with);
  NEW_CONTENT(c);
  const struct transcript_segment said[] = {{0, 1, STR(""), STR("Call […] now")}};
  assert_int_equal(transcript_content_make(7, STR("{}"), said, 1, &with), OK);
  without("{\"segments\":[{\"start\":0,\"end\":1,\"text\":\"Call 15005550111 now\"}]}", &c);
  assert_true(str_eq(buf_str(&c.words), buf_str(&with.words)));
}

static void a_document_that_can_not_be_read_loses_it_too(void **state) {
  (void)state;
  NEW_CONTENT(c);
  without("{\"text\":\"of +15005550111\",\"other\":15005550111}", &c);
  assert_text(&c.document, "{\"text\":\"of […]\",\"other\":null}");
  assert_int_equal(c.text.n + c.words.n + c.marks.n, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_number_goes_from_texts_words_and_speakers),
      cmocka_unit_test(searches_find_no_word_of_it),
      cmocka_unit_test(a_document_that_can_not_be_read_loses_it_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
