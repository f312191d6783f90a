/* Answers at the recording's times, without what engines make up; and the document that pieces become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "speech/speech_filter.h"
#include "speech/speech_map.h"
#include "speech/speech_merge.h"

#define NEW_DOCUMENT(name) struct speech_document name CLEANUP(speech_document_done) = SPEECH_DOCUMENT_INIT

/* A piece of three spans: 0-3 s at 10 s, 3.3-6.3 s at 60 s, 6.6-9.6 s at 61.4 s. */
static const struct speech_span SPANS[] = {{0, 10000, 13000}, {3300, 60000, 63000}, {6600, 64400, 67400}};
static const struct speech_place PLACE = {.piece_ms = 9600, .spans = SPANS, .span_count = COUNT_OF(SPANS)};

static struct speech_engine *engine;
static int16_t samples[9600 * 16];

static int make_engine(void **state) {
  (void)state;
  struct speech_settings settings = {.engine = "openai"};
  return speech_engine_new(&settings, &engine) == OK ? 0 : -1;
}

static int free_engine(void **state) {
  (void)state;
  engine = speech_engine_free(engine);
  return 0;
}

/* The document of an engine's JSON, as lines: "start-end text [word start-end|…]". */
static struct speech_mapped map(const char *json, const struct speech_place *place, struct speech_document *d) {
  struct speech_input input = {.samples = samples, .count = COUNT_OF(samples)};
  struct speech_reply reply = {.end = FETCH_DONE, .status = 200, .body = str_from(json)};
  struct speech_answer a;
  struct speech_mapped mapped = {0};
  assert_int_equal(speech_engine_answer(engine, &input, &reply, &a), SPEECH_OK);
  assert_int_equal(speech_map_answer(&a, place, d, &mapped), OK);
  speech_answer_done(&a);
  return mapped;
}

static const char *described(const struct speech_document *d) {
  static struct buf b = BUF_INIT(1 << 20);
  const char *text;
  buf_clear(&b);
  for (size_t i = 0; i < d->segment_count; i++) {
    const struct speech_segment *s = &d->segments[i];
    enum err e = buf_addf(&b, "%s%lld-%lld %.*s%s%.*s", i ? "\n" : "", (long long)s->start_ms, (long long)s->end_ms,
                          STR_ARG(s->speaker), s->speaker.n ? ": " : "", STR_ARG(s->text));
    for (size_t k = 0; e == OK && k < s->word_count; k++)
      e = buf_addf(&b, "%s%.*s %lld-%lld", k ? "|" : " [", STR_ARG(s->words[k].text), (long long)s->words[k].start_ms,
                   (long long)s->words[k].end_ms);
    if (e == OK && s->word_count) e = buf_add_char(&b, ']');
    assert_int_equal(e, OK);
  }
  assert_int_equal(buf_terminate(&b, &text), OK);
  return text;
}

static void assert_mapped(const char *name, const char *json, const char *expected) {
  NEW_DOCUMENT(d);
  (void)map(json, &PLACE, &d);
  if (strcmp(described(&d), expected) != 0) fail_msg("%s:\n%s\nis not\n%s", name, described(&d), expected);
}

#define SEGMENT(start, end, text) "{\"start\":" #start ",\"end\":" #end ",\"text\":\"" text "\"}"
#define WITH_WORDS(start, end, text, words) \
  "{\"start\":" #start ",\"end\":" #end ",\"text\":\"" text "\",\"words\":[" words "]}"
#define UNSURE_LANGUAGE "{\"language\":\"khmer\",\"detected_language_probability\":0.3,"
#define WORD(text, start, end) "{\"word\":\" " text "\",\"start\":" #start ",\"end\":" #end "}"

static void phrases_go_to_their_spans(void **state) {
  (void)state;
  static const struct {
    const char *name, *json, *expected;
  } cases[] = {
      {"within a span",
       "{\"segments\":[" WITH_WORDS(3.5, 4.5, "Good morning.", WORD("Good", 3.5, 4) "," WORD("morning.", 4, 4.5)) "]}",
       "60200-61200 Good morning. [Good 60200-60700|morning. 60700-61200]"},
      {"two words are placed before the silence that was cut out: they belong to the phrase",
       "{\"segments\":[" WITH_WORDS(2.6, 5, "How are you all today?",
                                    WORD("How", 2.6, 2.8) "," WORD("are", 2.8, 3) "," WORD("you", 3.4, 4) "," WORD(
                                        "all", 4, 4.5) "," WORD("today?", 4.5, 5)) "]}",
       "60000-61700 How are you all today? [How 60000-60000|are 60000-60000|you 60100-60700|all 60700-61200|today? "
       "61200-61700]"},
      {"a phrase over two spans: each word by its middle, and a segment each",
       "{\"segments\":[" WITH_WORDS(1, 5.4, "one two three",
                                    WORD("one", 1, 2) "," WORD("two", 2, 2.9) "," WORD("three", 3.4, 5.4)) "]}",
       "11000-12900 one two [one 11000-12000|two 12000-12900]\n60100-62100 three [three 60100-62100]"},
      {"words at the silent end of a span are where the rest of the phrase is",
       "{\"segments\":[" WITH_WORDS(2.7, 5, "You will now be placed",
                                    WORD("You", 2.7, 3) "," WORD("will", 3, 3.1) "," WORD("now", 3.7, 4) "," WORD(
                                        "be", 4, 4.1) "," WORD("placed", 4.1, 4.2)) "]}",
       "60000-60900 You will now be placed [You 60000-60000|will 60000-60000|now 60400-60700|be 60700-60800|placed "
       "60800-60900]"},
      {"a phrase that the engine cut in the middle of a sentence",
       "{\"segments\":[" WITH_WORDS(
           2, 4, "I see. You will now be",
           WORD("I", 2, 2.2) "," WORD("see.", 2.2, 2.4) "," WORD("You", 2.6, 2.75) "," WORD("will", 2.75, 3.3) "," WORD(
               "now", 3.5, 3.8) "," WORD("be", 3.8, 4)) "," WITH_WORDS(4, 5, "placed.", WORD("placed.", 4, 5)) "]}",
       "12000-12400 I see. [I 12000-12200|see. 12200-12400]\n60000-61700 You will now be placed. [You 60000-60000|will "
       "60000-60000|now 60200-60500|be 60500-60700|placed. 60700-61700]"},
      {"at a comma, parts are placed apart",
       "{\"segments\":[" WITH_WORDS(
           2, 7.8, "yes, no, all right",
           WORD("yes,", 2, 2.5) "," WORD("no,", 4, 4.5) "," WORD("all", 7, 7.4) "," WORD("right", 7.4, 7.8)) "]}",
       "12000-12500 yes, [yes, 12000-12500]\n60700-61200 no, [no, 60700-61200]\n64800-65600 all right [all "
       "64800-65200|right 65200-65600]"},
      {"a segment without words, within a span", "{\"segments\":[" SEGMENT(7, 9, "Good morning.") "]}",
       "64800-66800 Good morning."},
      {"a segment without words, over two spans: shared out by length",
       "{\"segments\":[" SEGMENT(0, 6.3, "Good morning. Whom am I talking to?") "]}",
       "10000-12228 Good morning.\n60000-63000 Whom am I talking to?"},
      {"a text without times", "{\"text\":\"Good morning to you. How are you all today? Fine, and yourself?\"}", NULL},
      {"times beyond the piece", "{\"segments\":[" SEGMENT(9, 900, "bye now") "]}", "66800-67400 bye now"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    NEW_DOCUMENT(d);
    (void)map(cases[i].json, &PLACE, &d);
    if (!cases[i].expected) {
      assert_true(d.segment_count >= 3 && d.segments[0].start_ms == 10000 && d.segments[0].end_ms < 13001);
      assert_true(d.segments[d.segment_count - 1].start_ms > 60000);
      assert_int_equal(d.segments[0].word_count, 0);
      continue;
    }
    assert_mapped(cases[i].name, cases[i].json, cases[i].expected);
  }
}

static void what_an_engine_makes_up_is_left_out(void **state) {
  (void)state;
  static const struct {
    const char *name, *json, *expected;
  } cases[] = {
      {"a marker", "{\"segments\":[" SEGMENT(0, 3, "[BLANK_AUDIO]") "," SEGMENT(3.3, 4, "Hello.") "]}",
       "60000-60700 Hello."},
      {"music and brackets",
       "{\"segments\":[" SEGMENT(0, 3, "(cars honking)") "," SEGMENT(4, 5, "*laughs* [Bell]") "]}", ""},
      {"the engine believes that nobody speaks",
       "{\"segments\":[{\"start\":0,\"end\":2,\"text\":\"Thank you.\",\"no_speech_prob\":0.7,\"avg_logprob\":-1.2}]}",
       ""},
      {"it doubts, but not enough",
       "{\"segments\":[{\"start\":0,\"end\":2,\"text\":\"Thank you.\",\"no_speech_prob\":0.7,\"avg_logprob\":-0.3}]}",
       "10000-12000 Thank you."},
      {"words that the engine itself finds all but improbable",
       "{\"segments\":[{\"start\":0,\"end\":2,\"text\":\"8.S entre png\",\"avg_logprob\":-3.4},"
       "{\"start\":3.5,\"end\":4.5,\"text\":\"Hello.\",\"avg_logprob\":-0.9}]}",
       "60200-61200 Hello."},
      {"neither the language nor the words are sure, but for some that follow from those before",
       UNSURE_LANGUAGE
       "\"segments\":[{\"start\":0,\"end\":2,\"text\":\"I'm not a fan of the movie\",\"avg_logprob\":-1.3},"
       "{\"start\":2,\"end\":2.5,\"text\":\"she said.\",\"avg_logprob\":-0.06}]}",
       ""},
      {"the same where the language is a little surer",
       "{\"language\":\"khmer\",\"detected_language_probability\":0.59,\"segments\":[{\"start\":0,\"end\":2,\"text\":"
       "\"I'm not "
       "a fan of the movie\",\"avg_logprob\":-0.65}]}",
       ""},
      {"the language is not sure, the words are",
       UNSURE_LANGUAGE "\"segments\":[{\"start\":0,\"end\":2,\"text\":\"Hello there.\",\"avg_logprob\":-0.2}]}",
       "10000-12000 Hello there."},
      {"the language is not sure, and of the words nothing is known",
       UNSURE_LANGUAGE "\"segments\":[" SEGMENT(0, 2, "Hello.") "]}", "10000-12000 Hello."},
      {"the language was found, but is not that of the words, which a model for one language writes",
       "{\"language\":\"english\",\"detected_language\":\"dutch\",\"detected_language_probability\":0.01,"
       "\"segments\":[{\"start\":0,\"end\":2,\"text\":\"Hello there.\",\"avg_logprob\":-1}]}",
       "10000-12000 Hello there."},
      {"the language is sure, the words are not",
       "{\"detected_language_probability\":0.9,\"segments\":[{\"start\":0,\"end\":2,\"text\":\"Hello "
       "there.\",\"avg_logprob\":-1}]}",
       "10000-12000 Hello there."},
      {"text over the silence between two spans", "{\"segments\":[" SEGMENT(2.85, 3.45, "Thanks for watching!") "]}",
       ""},
      {"the end of a sentence that is put over the silence behind it",
       "{\"segments\":[" SEGMENT(0, 2.8, "the first free operator") "," SEGMENT(3.15, 3.15, "calls.") "]}",
       "10000-12800 the first free operator\n13000-13000 calls."},
      {"text behind the piece's end", "{\"segments\":[" SEGMENT(7, 9, "Bye.") "," SEGMENT(9.6, 12, "Thank you.") "]}",
       "64800-66800 Bye."},
      {"the same where the engine lost the sound's time: it may be speech",
       "{\"segments\":[" WITH_WORDS(7, 9.6, "a b c d e",
                                    WORD("a", 7, 8) "," WORD("b", 9.6, 9.6) "," WORD("c", 9.6, 9.6) "," WORD(
                                        "d", 9.6, 9.6) "," WORD("e", 9.6, 9.6)) "," SEGMENT(9.6, 12, "f g") "]}",
       "64800-65800 a [a 64800-65800]\n"
       "67400-67400 b c d e [b 67400-67400|c 67400-67400|d 67400-67400|e 67400-67400]\n67400-67400 f g"},
      {"the same three times without sound of its own",
       "{\"segments\":[" SEGMENT(0.1, 0.9, "I'm sorry.") "," SEGMENT(1, 1.9, "I'm sorry.") "," SEGMENT(
           2, 2.9, "i'm sorry") "," SEGMENT(4, 5, "Yes.") "]}",
       "10100-10900 I'm sorry.\n60700-61700 Yes."},
      {"the same three times, each with sound of its own",
       "{\"segments\":[" SEGMENT(0.1, 1, "Hello?") "," SEGMENT(4, 5, "Hello?") "," SEGMENT(7, 8, "Hello?") "]}",
       "10100-11000 Hello?\n60700-61700 Hello?\n64800-65800 Hello?"},
      {"a word three times, each in its own time",
       "{\"segments\":[" SEGMENT(0.1, 0.5, "No.") "," SEGMENT(0.6, 1, "No.") "," SEGMENT(1.2, 1.6, "No.") "]}",
       "10100-10500 No.\n10600-11000 No.\n11200-11600 No."},
      {"a word again and again, in no time",
       "{\"segments\":[" SEGMENT(0.1, 0.5, "No.") "," SEGMENT(0.5, 0.5, "No.") "," SEGMENT(0.5, 0.5, "No.") "]}",
       "10100-10500 No."},
      {"twice is what people say", "{\"segments\":[" SEGMENT(0.1, 1, "No.") "," SEGMENT(1, 2, "No.") "]}",
       "10100-11000 No.\n11000-12000 No."},
      {"a real repetition in one segment", "{\"segments\":[" SEGMENT(0, 3, "no, no, no") "]}",
       "10000-10750 no,\n11125-11875 no,\n12250-13000 no"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    NEW_DOCUMENT(d);
    (void)map(cases[i].json, &PLACE, &d);
    if (strstr(cases[i].name, "real repetition")) {
      assert_int_equal(d.segment_count, 3);
      continue;
    }
    assert_mapped(cases[i].name, cases[i].json, cases[i].expected);
  }
}

static void more_text_than_anybody_says_in_that_time_is_left_out(void **state) {
  (void)state;
  static const struct speech_span span = {0, 5000, 5600};
  const struct speech_place place = {.piece_ms = 600, .spans = &span, .span_count = 1};
  NEW_DOCUMENT(d);
  NEW_DOCUMENT(e);
  struct speech_mapped mapped = map(
      "{\"segments\":[{\"start\":0,\"end\":0.6,\"text\":\"Thanks for watching, please subscribe to my channel!\"}]}",
      &place, &d);
  assert_int_equal(d.segment_count, 0);
  assert_int_equal(mapped.dropped, 1);
  mapped = map("{\"segments\":[{\"start\":0,\"end\":0.6,\"text\":\"Yes, please do that.\"}]}", &place, &e);
  assert_int_equal(e.segment_count, 2);
  assert_int_equal(mapped.dropped, 0);
}

static void the_prompt_that_comes_back_is_left_out(void **state) {
  (void)state;
  static const struct {
    const char *text;
    bool is_kept;
  } cases[] = {{"Dana, Menui, Eli. and then I will call you back", false},
               {"Dana Menui Eli and then I will CALL you back!", false},
               {"I will call you back.", false},      /* its end */
               {"Dana, Menui, Eli, and then", false}, /* its start */
               {"call you back", true},               /* too short to tell */
               {"Dana, I will call you back", true},
               {"Eli", true}};
  struct speech_place place = PLACE;
  place.prompt = STR("Dana, Menui, Eli. and then I will call you back");
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    NEW_DOCUMENT(d);
    struct buf json CLEANUP(buf_done) = BUF_INIT(4096);
    const char *text;
    assert_int_equal(buf_addf(&json, "{\"segments\":[{\"start\":0,\"end\":3,\"text\":\"%s\"}]}", cases[i].text), OK);
    assert_int_equal(buf_terminate(&json, &text), OK);
    struct speech_mapped mapped = map(text, &place, &d);
    if ((mapped.dropped == 0) != cases[i].is_kept) fail_msg("%s", cases[i].text);
  }
}

static void markers_are_known_from_speech(void **state) {
  (void)state;
  static const char *const markers[] = {"[BLANK_AUDIO]", "[Music]",      "(music)", "[Bell] [Bell]", "♪ la la la ♪",
                                        "*door closes*", "[ Silence ].", "♪",       "【音楽】",      "(מוזיקה)"};
  static const char *const speech[] = {"Hello [laughs]", "(yes) and no", "Hello", "[unclosed", "2 * 3", "-", ""};
  for (size_t i = 0; i < COUNT_OF(markers); i++) {
    if (!speech_filter_is_marker(str_from(markers[i]))) fail_msg("%s", markers[i]);
  }
  for (size_t i = 0; i < COUNT_OF(speech); i++) {
    if (speech_filter_is_marker(str_from(speech[i]))) fail_msg("%s", speech[i]);
  }
}

static void the_prompt_is_the_vocabulary_and_bounded(void **state) {
  (void)state;
  struct buf b CLEANUP(buf_done) = BUF_INIT(SPEECH_PROMPT_MAX), long_one CLEANUP(buf_done) = BUF_INIT(1 << 16);
  assert_int_equal(speech_map_prompt(STR(" Dana,\n מנוי "), &b), OK);
  assert_true(str_eq(buf_str(&b), STR("Dana, מנוי")));
  buf_clear(&b);
  assert_int_equal(speech_map_prompt(STR("Dana\nמנוי, Acme\n"), &b), OK);
  assert_true(str_eq(buf_str(&b), STR("Dana, מנוי, Acme")));
  buf_clear(&b);
  assert_int_equal(speech_map_prompt(STR(""), &b), OK);
  assert_int_equal(b.n, 0);
  for (int i = 0; i < 3000; i++) assert_int_equal(buf_add(&long_one, STR("מנוי\xff")), OK);
  assert_int_equal(speech_map_prompt(buf_str(&long_one), &b), OK);
  assert_true(b.n > 500 && b.n <= SPEECH_PROMPT_MAX && str_is_utf8(buf_str(&b)));
}

static void the_language_is_found_once(void **state) {
  (void)state;
  struct speech_language l = {0};
  assert_string_equal(speech_language_next(&l, 0, 20000), "auto");
  speech_language_note(&l, 1, 2000, "cy"); /* a short clip is often taken for Welsh */
  assert_string_equal(speech_language_next(&l, 0, 1000), "cy");
  assert_string_equal(speech_language_next(&l, 0, 20000), "auto");
  speech_language_note(&l, 0, 20000, "de");
  assert_string_equal(speech_language_next(&l, 0, 500), "de");
  assert_string_equal(speech_language_next(&l, 0, 28000), "de");
  assert_string_equal(speech_language_next(&l, 1, 2500), "de"); /* the other's, while its own is not settled */
  assert_string_equal(speech_language_next(&l, 1, 15000), "auto");
  speech_language_note(&l, 1, 15000, "tr"); /* they speak two languages */
  assert_string_equal(speech_language_next(&l, 1, 500), "tr");
  speech_language_note(&l, 1, 25000, "en"); /* settled */
  assert_string_equal(speech_language_next(&l, 1, 500), "tr");
  assert_string_equal(speech_language_of_recording(&l), "de");
  speech_language_note(&l, 7, 25000, "en");
  assert_string_equal(speech_language_next(&l, 7, 25000), "auto");
}

/* ---- merging ---- */

static struct speech_summary two_channels(void) {
  return (struct speech_summary){.channels = 2,
                                 .duration_ms = 100000,
                                 .decoded_ms = 100000,
                                 .speech_ms = {30000, 40000},
                                 .silence_ms = 35000,
                                 .overlap_ms = 5000,
                                 .has_speech = true};
}

static void add_piece(struct speech_merge *m, const char *json) {
  NEW_DOCUMENT(d);
  struct speech_wrong wrong;
  assert_int_equal(speech_document_parse(str_from(json), &d, &wrong), OK);
  assert_int_equal(speech_merge_add(m, &d), OK);
}

static struct speech_merge *merge_new(const char *first, const char *second) {
  struct speech_merge_config config = {.speakers = {first, second}, .language = "he"};
  struct speech_merge *m;
  assert_int_equal(speech_merge_new(&config, &m), OK);
  return m;
}

#define PART(channel, start, end, text)                                                                                \
  "{\"start\":" #start ",\"end\":" #end ",\"channel\":" #channel ",\"text\":\"" text "\",\"words\":[{\"word\":\"" text \
  "\",\"start\":" #start ",\"end\":" #end "}]}"

static void pieces_become_turns_in_order_of_time(void **state) {
  (void)state;
  NEW_DOCUMENT(d);
  struct speech_merge *m = merge_new("customer", "agent");
  struct speech_summary s = two_channels();
  add_piece(m,
            "{\"segments\":[" PART(1, 4, 5, "Yes,") "," PART(1, 5.5, 6, "please.") "," PART(1, 20, 101, "Bye.") "]}");
  add_piece(m,
            "{\"segments\":[" PART(0, 1, 2, "Hello,") "," PART(0, 2.5, 3, "Dana.") "," PART(0, 4.2, 4.5, "Mhm.") "]}");
  assert_int_equal(speech_merge_add_gap(m, 50000, 100020, "engine_error"), OK);
  assert_int_equal(speech_merge_finish(m, &s, &d), OK);
  speech_merge_free(m); /* d owns what it has */
  assert_string_equal(described(&d),
                      "1000-3000 customer: Hello, Dana. [Hello, 1000-2000|Dana. 2500-3000]\n"
                      "4000-5000 agent: Yes, [Yes, 4000-5000]\n"
                      "4200-4500 customer: Mhm. [Mhm. 4200-4500]\n"
                      "5500-6000 agent: please. [please. 5500-6000]\n"
                      "20000-100000 agent: Bye. [Bye. 20000-100000]");
  assert_true(d.gap_count == 1 && d.gaps[0].start_ms == 50000 && d.gaps[0].end_ms == 100000 &&
              str_eq(d.gaps[0].reason, STR("engine_error")));
  assert_true(d.talk.speaker_count == 2 && str_eq(d.talk.speakers[1].speaker, STR("agent")));
  assert_true(d.talk.speakers[0].ms == 30000 && d.talk.silence_ms == 35000 && d.talk.overlap_ms == 5000);
  assert_string_equal(d.language, "he");
  assert_int_equal(d.duration_ms, 100000);
}

static void a_pause_or_a_long_turn_ends_a_segment(void **state) {
  (void)state;
  NEW_DOCUMENT(d);
  struct speech_merge *m = merge_new("1", "2");
  struct speech_summary s = two_channels();
  add_piece(m,
            "{\"segments\":[" PART(0, 0, 1, "One.") "," PART(0, 2, 3, "Two.") "," PART(0, 4.1, 10, "Three,") "," PART(
                0, 10, 16, "four,") "," PART(0, 16, 20, "five.") "," PART(0, 20, 22, "Six.") "]}");
  assert_int_equal(speech_merge_finish(m, &s, &d), OK);
  speech_merge_free(m);
  assert_int_equal(d.segment_count, 3);
  assert_true(str_eq(d.segments[0].text, STR("One. Two.")));
  assert_true(str_eq(d.segments[1].text, STR("Three, four, five.")));
  assert_true(str_eq(d.segments[2].text, STR("Six.")));
}

static void nobody_is_named_where_nothing_tells_them_apart(void **state) {
  (void)state;
  for (int alike = 0; alike < 2; alike++) {
    NEW_DOCUMENT(d);
    struct speech_merge *m = merge_new("customer", "agent");
    struct speech_summary s = two_channels();
    s.channels = alike ? 2 : 1;
    s.channels_alike = alike;
    add_piece(m, "{\"segments\":[" PART(0, 1, 2, "Hello.") "]}");
    assert_int_equal(speech_merge_finish(m, &s, &d), OK);
    speech_merge_free(m);
    assert_int_equal(d.segments[0].speaker.n, 0);
    assert_int_equal(d.segments[0].channel, alike ? -1 : 0);
    assert_int_equal(d.talk.speaker_count, 0);
  }
}

static void damaged_sound_is_a_gap_and_nothing_is_an_empty_document(void **state) {
  (void)state;
  NEW_DOCUMENT(d);
  struct speech_merge *m = merge_new("1", "2");
  struct speech_summary s = two_channels();
  s.decoded_ms = 60000;
  assert_int_equal(speech_merge_finish(m, &s, &d), OK);
  speech_merge_free(m);
  assert_int_equal(d.segment_count, 0);
  assert_true(d.gap_count == 1 && d.gaps[0].start_ms == 60000 && d.gaps[0].end_ms == 100000);
  assert_true(str_eq(d.gaps[0].reason, STR("damaged")));
}

static void three_hours_of_words_are_merged_in_order(void **state) {
  (void)state;
  enum { PIECES = 400, WORDS = 80 };
  NEW_DOCUMENT(d);
  struct speech_merge *m = merge_new("customer", "agent");
  struct speech_summary s = two_channels();
  s.duration_ms = s.decoded_ms = 3 * 3600 * 1000;
  for (int i = PIECES - 1; i >= 0; i--) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(1 << 20);
    const char *text;
    assert_int_equal(buf_add(&b, STR("{\"segments\":[")), OK);
    for (int k = 0; k < WORDS; k++) {
      double at = i * 27 + k * 0.3;
      assert_int_equal(buf_addf(&b,
                                "%s{\"start\":%.3f,\"end\":%.3f,\"channel\":%d,\"text\":\"word\",\"words\":[{\"word\":"
                                "\"word\",\"start\":%.3f,\"end\":%.3f}]}",
                                k ? "," : "", at, at + 0.3, i % 2, at, at + 0.3),
                       OK);
    }
    assert_int_equal(buf_add(&b, STR("]}")), OK);
    assert_int_equal(buf_terminate(&b, &text), OK);
    add_piece(m, text);
  }
  assert_int_equal(speech_merge_finish(m, &s, &d), OK);
  speech_merge_free(m);
  size_t words = 0;
  for (size_t i = 0; i < d.segment_count; i++) {
    words += d.segments[i].word_count;
    if (i > 0) assert_true(d.segments[i].start_ms >= d.segments[i - 1].start_ms);
    assert_true(d.segments[i].end_ms - d.segments[i].start_ms <= 45000);
  }
  assert_int_equal(words, PIECES * WORDS);
  assert_true(d.arena.used < 10 << 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(phrases_go_to_their_spans),
      cmocka_unit_test(what_an_engine_makes_up_is_left_out),
      cmocka_unit_test(more_text_than_anybody_says_in_that_time_is_left_out),
      cmocka_unit_test(the_prompt_that_comes_back_is_left_out),
      cmocka_unit_test(markers_are_known_from_speech),
      cmocka_unit_test(the_prompt_is_the_vocabulary_and_bounded),
      cmocka_unit_test(the_language_is_found_once),
      cmocka_unit_test(pieces_become_turns_in_order_of_time),
      cmocka_unit_test(a_pause_or_a_long_turn_ends_a_segment),
      cmocka_unit_test(nobody_is_named_where_nothing_tells_them_apart),
      cmocka_unit_test(damaged_sound_is_a_gap_and_nothing_is_an_empty_document),
      cmocka_unit_test(three_hours_of_words_are_merged_in_order),
  };
  return cmocka_run_group_tests(tests, make_engine, free_engine);
}
