/* A document as plain text, SRT and WebVTT. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "speech/speech_export.h"

#define RLE "\xe2\x80\xab"
#define PDF "\xe2\x80\xac"
#define RLI "\xe2\x81\xa7"
#define PDI "\xe2\x81\xa9"

static void assert_export(const char *json, enum speech_export export, const char *expected) {
  struct speech_document d CLEANUP(speech_document_done) = SPEECH_DOCUMENT_INIT;
  struct speech_wrong wrong;
  struct buf b CLEANUP(buf_done) = BUF_INIT(1 << 20);
  const char *text;
  assert_int_equal(speech_document_parse(str_from(json), &d, &wrong), OK);
  assert_int_equal(speech_export_write(&d, export, &b), OK);
  assert_int_equal(buf_terminate(&b, &text), OK);
  assert_string_equal(text, expected);
}

#define CALL                                                                                                                       \
  "{\"segments\":[{\"start\":1.25,\"end\":3,\"speaker\":\"customer\",\"text\":\"Hello, Dana.\"},"                                  \
  "{\"start\":3723.004,\"end\":3725,\"speaker\":\"נציג\",\"text\":\"שלום Dana, כאן 3 מנויים.\"},{\"start\":3726," \
  "\"end\":3726,\"text\":\"Bye.\"}]}"

static void speakers_and_times_are_in_each_form(void **state) {
  (void)state;
  assert_export(CALL, SPEECH_EXPORT_TXT,
                "[0:00:01] customer: Hello, Dana.\n"
                "[1:02:03] " RLI "נציג" PDI ": " RLI "שלום Dana, כאן 3 מנויים." PDI
                "\n"
                "[1:02:06] Bye.\n");
  assert_export(CALL, SPEECH_EXPORT_SRT,
                "1\n00:00:01,250 --> 00:00:03,000\ncustomer: Hello, Dana.\n\n"
                "2\n01:02:03,004 --> 01:02:05,000\n" RLE "נציג: שלום Dana, כאן 3 מנויים." PDF
                "\n\n"
                "3\n01:02:06,000 --> 01:02:06,200\nBye.\n\n");
  assert_export(CALL, SPEECH_EXPORT_VTT,
                "WEBVTT\n\n"
                "00:00:01.250 --> 00:00:03.000\n<v customer>Hello, Dana.\n\n"
                "01:02:03.004 --> 01:02:05.000\n<v נציג>" RLE "שלום Dana, כאן 3 מנויים." PDF
                "\n\n"
                "01:02:06.000 --> 01:02:06.200\nBye.\n\n");
}

static void no_text_can_end_a_cue_or_begin_a_tag(void **state) {
  (void)state;
  const char *json =
      "{\"segments\":[{\"start\":0,\"end\":1,\"speaker\":\"a>b\",\"text\":\"<b>1 --> 2</b> {\\\\an8} & \\n\\nNOTE\"}]}";
  assert_export(
      json, SPEECH_EXPORT_VTT,
      "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n<v a&gt;b>&lt;b&gt;1 --&gt; 2&lt;/b&gt; {\\an8} &amp; NOTE\n\n");
  assert_export(json, SPEECH_EXPORT_SRT,
                "1\n00:00:00,000 --> 00:00:01,000\na\xe2\x80\xba"
                "b: \xe2\x80\xb9"
                "b\xe2\x80\xba"
                "1 --\xe2\x80\xba 2\xe2\x80\xb9/b\xe2\x80\xba (\\an8) & NOTE\n\n");
}

static void long_segments_are_cut_where_words_have_times(void **state) {
  (void)state;
  struct buf b CLEANUP(buf_done) = BUF_INIT(1 << 16), text CLEANUP(buf_done) = BUF_INIT(1 << 16);
  struct buf out CLEANUP(buf_done) = BUF_INIT(1 << 16);
  struct speech_document d CLEANUP(speech_document_done) = SPEECH_DOCUMENT_INIT;
  struct speech_wrong wrong;
  assert_int_equal(buf_add(&b, STR("{\"segments\":[{\"start\":0,\"end\":20,\"text\":\"")), OK);
  for (int i = 0; i < 40; i++) assert_int_equal(buf_addf(&b, "%sword%02d", i ? " " : "", i), OK);
  assert_int_equal(buf_add(&b, STR("\",\"words\":[")), OK);
  for (int i = 0; i < 40; i++)
    assert_int_equal(
        buf_addf(&b, "%s{\"word\":\"word%02d\",\"start\":%.1f,\"end\":%.1f}", i ? "," : "", i, i * 0.5, i * 0.5 + 0.5),
        OK);
  assert_int_equal(buf_add(&b, STR("]}]}")), OK);
  assert_int_equal(speech_document_parse(buf_str(&b), &d, &wrong), OK);
  assert_int_equal(speech_export_write(&d, SPEECH_EXPORT_SRT, &out), OK);
  const char *all;
  assert_int_equal(buf_terminate(&out, &all), OK);
  assert_non_null(strstr(all, "1\n00:00:00,000 --> 00:00:06,000\nword00 word01 word02 word03 word04 word05\nword06"));
  assert_non_null(strstr(all, "2\n00:00:06,000 --> 00:00:12,000\nword12 "));
  assert_non_null(strstr(all, "4\n00:00:18,000 --> 00:00:20,000\nword36 word37 word38 word39\n\n"));
  assert_null(strstr(all, "\n5\n"));
  buf_done(&text);
}

static void forms_have_names(void **state) {
  (void)state;
  enum speech_export export = SPEECH_EXPORT_TXT;
  assert_true(speech_export_find(STR("vtt"), &export) && export == SPEECH_EXPORT_VTT);
  assert_string_equal(speech_export_content_type(export), "text/vtt; charset=utf-8");
  assert_false(speech_export_find(STR("json"), &export));
  assert_false(speech_export_find(STR(""), &export));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(speakers_and_times_are_in_each_form),
      cmocka_unit_test(no_text_can_end_a_cue_or_begin_a_tag),
      cmocka_unit_test(long_segments_are_cut_where_words_have_times),
      cmocka_unit_test(forms_have_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
