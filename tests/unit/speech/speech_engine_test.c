/* Requests to engines, and how their answers are read: any shape, any fault. */
#include "speech_testing.h"

#include <math.h>

#include "speech/speech_json.h"

static struct speech_engine *openai_new(const char *key) {
  struct speech_settings settings = {.engine = "openai", .api_key = key};
  struct speech_engine *e;
  assert_int_equal(speech_engine_new(&settings, &e), OK);
  return e;
}

/* ---- requests ---- */

static void a_request_has_the_fields_and_the_sound(void **state) {
  (void)state;
  struct speech_engine *e = openai_new("sk-secret");
  struct speech_input input = input_of("he-IL");
  struct speech_request r;
  input.prompt = STR("Dana, מנוי");
  samples[0] = 0x1234;
  assert_int_equal(speech_engine_request(e, &input, &r), OK);
  assert_string_equal(r.fetch.url, "http://127.0.0.1:8080/v1/audio/transcriptions");
  assert_string_equal(r.fetch.method, "POST");
  assert_non_null(strstr(r.headers[0], "Content-Type: multipart/form-data; boundary="));
  assert_string_equal(r.headers[1], "Authorization: Bearer sk-secret");
  assert_null(r.headers[2]);
  const char *wanted[] = {"name=\"model\"\r\n\r\nwhisper-1\r\n",
                          "name=\"language\"\r\n\r\nhe\r\n",
                          "name=\"response_format\"\r\n\r\nverbose_json\r\n",
                          "name=\"timestamp_granularities[]\"\r\n\r\nword\r\n",
                          "name=\"split_on_word\"\r\n\r\ntrue\r\n",
                          "name=\"prompt\"\r\n\r\nDana, מנוי\r\n",
                          "name=\"file\"; filename=\"piece.wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFF"};
  for (size_t i = 0; i < COUNT_OF(wanted); i++) {
    if (!body_of(&r, wanted[i])) fail_msg("%s", wanted[i]);
  }
  const char *wav = body_of(&r, "RIFF");
  assert_memory_equal(wav + 44, "\x34\x12", 2);
  assert_true(r.fetch.body.n > PIECE_SAMPLES * 2 && r.fetch.first_byte_ms == 160000);
  assert_true(str_ends(r.fetch.body, STR("--\r\n")));
  speech_request_done(&r);
  speech_engine_free(e);
}

static void urls_and_languages_are_as_servers_want_them(void **state) {
  (void)state;
  static const struct {
    const char *url, *language, *sent_to, *field;
  } cases[] = {
      {"http://a:1/", "auto", "http://a:1/v1/audio/transcriptions", "\r\n\r\nauto\r\n"},
      {"http://a:1/v1", NULL, "http://a:1/v1/audio/transcriptions", "\r\n\r\nauto\r\n"},
      {"http://a/x/v1/audio/transcriptions", "iw", "http://a/x/v1/audio/transcriptions", "\r\n\r\nhe\r\n"},
      {"https://api.openai.com", "auto", "https://api.openai.com/v1/audio/transcriptions", NULL},
      {"https://api.openai.com", "EN", "https://api.openai.com/v1/audio/transcriptions", "\r\n\r\nen\r\n"},
      {"ftp://a", "en", NULL, NULL},
      {"http://a?b", "en", NULL, NULL},
      {"http://u:p@a", "en", NULL, NULL},
      {"", "en", NULL, NULL},
      {"http://a", "en\r\n", NULL, NULL},
  };
  struct speech_engine *e = openai_new(NULL);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct speech_input input = input_of(cases[i].language);
    struct speech_request r;
    input.url = cases[i].url;
    enum err error = speech_engine_request(e, &input, &r);
    assert_int_equal(error, cases[i].sent_to ? OK : ERR_INVALID);
    if (error != OK) continue;
    const char *field = body_of(&r, "name=\"language\"");
    assert_string_equal(r.fetch.url, cases[i].sent_to);
    assert_int_equal(field ? 1 : 0, cases[i].field ? 1 : 0);
    if (field) assert_non_null(memmem(field, 40, cases[i].field, strlen(cases[i].field)));
    assert_null(r.headers[1]);
    speech_request_done(&r);
  }
  struct speech_input input = input_of("en");
  struct speech_request r;
  input.count = 0;
  assert_int_equal(speech_engine_request(e, &input, &r), ERR_INVALID);
  input.count = (size_t)SPEECH_RATE * 31;
  assert_int_equal(speech_engine_request(e, &input, &r), ERR_TOO_BIG);
  speech_engine_free(e);
}

static void a_long_prompt_keeps_its_end(void **state) {
  (void)state;
  struct speech_engine *e = openai_new(NULL);
  struct speech_input input = input_of("he");
  struct speech_request r;
  struct buf prompt CLEANUP(buf_done) = BUF_INIT(8192);
  for (int i = 0; i < 1000; i++) assert_int_equal(buf_add(&prompt, STR("א")), OK);
  assert_int_equal(buf_add(&prompt, STR(" end")), OK);
  input.prompt = buf_str(&prompt);
  assert_int_equal(speech_engine_request(e, &input, &r), OK);
  const char *field = body_of(&r, "name=\"prompt\"");
  assert_memory_equal(field + strlen("name=\"prompt\"\r\n\r\n"), "א", 2); /* no half letter */
  assert_non_null(body_of(&r, "א end\r\n"));
  speech_request_done(&r);
  speech_engine_free(e);
}

static void settings_that_can_not_work_are_refused(void **state) {
  (void)state;
  static const struct speech_settings bad[] = {{.engine = "none"},
                                               {.engine = NULL},
                                               {.engine = "openai", .api_key = "a\r\nb"},
                                               {.engine = "openai", .model = "a b"},
                                               {.engine = "google"},
                                               {.engine = "google", .google_key = {"{}", 2}}};
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    struct speech_engine *e;
    assert_int_equal(speech_engine_new(&bad[i], &e), ERR_INVALID);
  }
}

/* ---- answers ---- */

static void every_shape_of_answer_is_read(void **state) {
  (void)state;
  static const struct {
    const char *name, *body, *heard;
  } cases[] = {
      {"whisper.cpp: words in segments",
       "{\"language\":\"english\",\"segments\":[{\"start\":0.5,\"end\":1.9,\"text\":\" Hello there,\\n "
       "Dana.\",\"words\":["
       "{\"word\":\" Hello\",\"start\":0.5,\"end\":0.9,\"probability\":0.5},{\"word\":\" "
       "there\",\"start\":0.9,\"end\":1.2},"
       "{\"word\":\",\",\"start\":1.2,\"end\":1.3},{\"word\":\" Da\",\"start\":1.3,\"end\":1.5},"
       "{\"word\":\"na\",\"start\":1.5,\"end\":1.8},{\"word\":\".\",\"start\":1.8,\"end\":1.9}]}]}",
       "500-1900 Hello there, Dana. [Hello 500-900|there, 900-1300|Dana. 1300-1900]"},
      {"tokens of Hebrew",
       "{\"segments\":[{\"start\":0,\"end\":2,\"text\":\" פולטר, שלום\",\"words\":["
       "{\"word\":\" פ\",\"start\":0,\"end\":0.2},{\"word\":\"ול\",\"start\":0.2,\"end\":0.4},"
       "{\"word\":\"ט\",\"start\":0.4,\"end\":0.6},{\"word\":\"ר\",\"start\":0.6,\"end\":0.8},"
       "{\"word\":\",\",\"start\":0.8,\"end\":0.8},{\"word\":\" שלום\",\"start\":1,\"end\":2}]}]}",
       "0-2000 פולטר, שלום [פולטר, 0-800|שלום 1000-2000]"},
      {"OpenAI: words at the top level, without punctuation",
       "{\"language\":\"en\",\"text\":\"Hello there. Yes!\",\"segments\":[{\"start\":0,\"end\":1,\"text\":\" Hello "
       "there.\"},"
       "{\"start\":2,\"end\":3,\"text\":\" Yes!\"}],\"words\":[{\"word\":\"Hello\",\"start\":0,\"end\":0.4},"
       "{\"word\":\"there\",\"start\":0.4,\"end\":1},{\"word\":\"Yes\",\"start\":2,\"end\":3}]}",
       "0-1000 Hello there. [Hello 0-400|there. 400-1000]\n2000-3000 Yes! [Yes! 2000-3000]"},
      {"words at the top level, no segments",
       "{\"text\":\"Hello there.\",\"words\":[{\"word\":\"Hello\",\"start\":1,\"end\":1.4},"
       "{\"word\":\"there\",\"start\":1.4,\"end\":2}]}",
       "0-10000 Hello there. [Hello 1000-1400|there. 1400-2000]"},
      {"faster-whisper: no words, an end beyond the piece",
       "{\"segments\":[{\"start\":0.0,\"end\":17.0,\"text\":\"Hello\",\"avg_logprob\":NaN}]}", "0-10000 Hello"},
      {"words without text",
       "{\"segments\":[{\"start\":1,\"end\":2,\"text\":\"Hello\",\"words\":[{},{\"word\":\"\"},7]}]}",
       "1000-2000 Hello"},
      {"null words", "{\"words\":null,\"segments\":[{\"start\":1,\"end\":2,\"text\":\"Hello\",\"words\":null}]}",
       "1000-2000 Hello"},
      {"plain json", "{\"text\":\" Hello\\nthere \"}", "0-10000 Hello there"},
      {"plain text", " Hello\nthere\n", "0-10000 Hello there"},
      {"nothing was heard", "{\"text\":\"\",\"segments\":[]}", ""},
      {"nothing was heard, plain", "", ""},
      {"no segments, but text", "{\"text\":\"Hello\",\"segments\":[]}", "0-10000 Hello"},
      {"an empty segment",
       "{\"segments\":[{\"text\":\"  \",\"start\":1,\"end\":2},{\"text\":\"a\",\"start\":2,\"end\":3}]}",
       "2000-3000 a"},
  };
  struct speech_engine *e = openai_new(NULL);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    print_message("# %s\n", cases[i].name);
    assert_heard(e, str_from(cases[i].body), cases[i].heard);
  }
  speech_engine_free(e);
}

static void broken_texts_are_mended_and_lose_nothing_else(void **state) {
  (void)state;
#define WORD(text) "{\"word\":\"" text "\",\"start\":1,\"end\":2}"
#define SEGMENT(text, words) "{\"start\":1,\"end\":2,\"text\":\"" text "\",\"words\":[" words "]}"
  static const struct {
    const char *name;
    struct str body;
    const char *heard;
  } cases[] = {
      {"a letter's bytes in two tokens",
       STR("{\"segments\":[" SEGMENT(" \xd7\xa9\xd7\x9c", WORD(" \xd7\xa9\xd7") "," WORD("\x9c")) "]}"),
       "1000-2000 של [של 1000-2000]"},
      {"the text is torn, the words are not",
       STR("{\"segments\":[" SEGMENT(" \xd7 \x9c", WORD(" \xd7\xa9\xd7\x9c") "," WORD(" a")) "]}"),
       "1000-2000 של a [של 1000-2000|a 1000-2000]"},
      {"a letter's bytes at the border of two segments",
       STR("{\"segments\":[" SEGMENT(" a\xd7", "") "," SEGMENT("\x9c b", "") "]}"), "1000-2000 aל\n1000-2000 b"},
      {"the same in words",
       STR("{\"segments\":[" SEGMENT(" a\xd7", WORD(" a\xd7")) "," SEGMENT("\x9c b", WORD("\x9c") "," WORD(" b")) "]}"),
       "1000-2000 aל [aל 1000-2000]\n1000-2000 b [b 1000-2000]"},
      {"what stays broken", STR("{\"segments\":[" SEGMENT(" a\xd7 b\xff", "") "]}"),
       "1000-2000 a\xef\xbf\xbd b\xef\xbf\xbd"},
      {"half a surrogate pair", STR("{\"text\":\"a\\ud83d b \\ude00 \\ud83d\\ude00\"}"),
       "0-10000 a\xef\xbf\xbd b \xef\xbf\xbd \xf0\x9f\x98\x80"},
      {"control characters",
       STR("{\"text\":\"a\x01\x02"
           "b\\u0000c\\u001bd\"}"),
       "0-10000 a b c d"},
      {"marks of direction", STR("{\"text\":\"\xe2\x80\xab\xd7\xa9\xe2\x80\xac a\xe2\x81\xa6\"}"), "0-10000 ש a"},
      {"a character of plane 16 is no trick", STR("{\"text\":\"a\xf4\x8f\xbf\x97z\"}"), "0-10000 a\xef\xbf\xbdz"},
      {"NaN and Infinity",
       STR("{\"segments\":[{\"start\":NaN,\"end\":Infinity,\"text\":\"a NaN\",\"avg_logprob\":-Infinity}]}"),
       "0-10000 a NaN"},
  };
  struct speech_engine *e = openai_new(NULL);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    print_message("# %s\n", cases[i].name);
    assert_heard(e, cases[i].body, cases[i].heard);
  }
  speech_engine_free(e);
}

static void times_stay_within_the_piece_and_in_order(void **state) {
  (void)state;
  static const struct {
    const char *body, *heard;
  } cases[] = {
      {"{\"segments\":[{\"start\":-5,\"end\":1e300,\"text\":\"a\"}]}", "0-10000 a"},
      {"{\"segments\":[{\"start\":4,\"end\":2,\"text\":\"a\"}]}", "4000-4000 a"},
      {"{\"segments\":[{\"start\":99,\"end\":100,\"text\":\"a\"}]}", "10000-10000 a"},
      {"{\"segments\":[{\"start\":\"x\",\"end\":null,\"text\":\"a\"}]}", "0-10000 a"},
      {"{\"segments\":[{\"start\":\"1.5\",\"end\":\"2.5s\",\"text\":\"a\"}]}", "1500-2500 a"},
      {"{\"segments\":[{\"start\":1,\"end\":9,\"text\":\"a b c\",\"words\":[{\"word\":\" a\",\"start\":5,\"end\":6},"
       "{\"word\":\" b\",\"start\":3,\"end\":2},{\"word\":\" c\",\"start\":700,\"end\":-1}]}]}",
       "1000-9000 a b c [a 5000-6000|b 5000-5000|c 10000-10000]"},
  };
  struct speech_engine *e = openai_new(NULL);
  for (size_t i = 0; i < COUNT_OF(cases); i++) assert_heard(e, str_from(cases[i].body), cases[i].heard);
  speech_engine_free(e);
}

static void words_that_lost_their_time_are_told(void **state) {
  (void)state;
#define TIMED(text, start, end) "{\"word\":\" " text "\",\"start\":" #start ",\"end\":" #end "}"
  static const struct {
    const char *words;
    bool is_lost;
  } cases[] = {
      {TIMED("a", 1, 2) "," TIMED("b", 2, 2) "," TIMED("c", 2, 2) "," TIMED("d", 2, 2) "," TIMED("e", 2, 2), true},
      {TIMED("a", 1, 1) "," TIMED("b", 2, 2) "," TIMED("c", 3, 3) "," TIMED("d", 3, 3) "," TIMED("e", 3, 4), false},
      {TIMED("a", 1, 2) "," TIMED("b", 2, 3) "," TIMED("c", 3, 4), false},
      {"", false},
  };
  struct speech_engine *e = openai_new(NULL);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct speech_answer a;
    struct buf body CLEANUP(buf_done) = BUF_INIT(4096);
    assert_int_equal(
        buf_addf(&body, "{\"segments\":[{\"start\":1,\"end\":9,\"text\":\"text\",\"words\":[%s]}]}", cases[i].words),
        OK);
    assert_int_equal(answer(e, 200, buf_str(&body), &a), SPEECH_OK);
    assert_int_equal(a.has_lost_time, cases[i].is_lost);
    speech_answer_done(&a);
  }
  speech_engine_free(e);
}

static void what_makes_no_sense_is_an_error(void **state) {
  (void)state;
  static const char *const bodies[] = {"{",
                                       "{\"text\":\"half",
                                       "{\"text\":7}",
                                       "{}",
                                       "[]",
                                       "\"text\"",
                                       "<html>502</html>",
                                       "{\"segments\":\"a\"}",
                                       "{\"error\":\"model is loading\"}"};
  struct speech_engine *e = openai_new(NULL);
  struct speech_answer a;
  for (size_t i = 0; i < COUNT_OF(bodies); i++) {
    assert_int_equal(answer(e, 200, str_from(bodies[i]), &a), SPEECH_ERROR);
    assert_int_equal(a.phrase_count, 0);
  }
  struct buf big CLEANUP(buf_done) = BUF_INIT(4 << 20);
  assert_int_equal(buf_add(&big, STR("{\"text\":")), OK);
  for (int i = 0; i < 500000; i++) assert_int_equal(buf_add_char(&big, '['), OK);
  assert_int_equal(answer(e, 200, buf_str(&big), &a), SPEECH_ERROR);
  buf_clear(&big);
  assert_int_equal(buf_add(&big, STR("{\"segments\":[")), OK);
  for (int i = 0; i < 30000; i++) assert_int_equal(buf_add(&big, STR("{\"text\":\"a\"},")), OK);
  assert_int_equal(buf_add(&big, STR("{}]}")), OK);
  assert_int_equal(answer(e, 200, buf_str(&big), &a), SPEECH_ERROR);
  buf_clear(&big);
  for (int i = 0; i < 100000; i++) assert_int_equal(buf_add_char(&big, 'a'), OK); /* a text that nobody said in 28 s */
  assert_int_equal(answer(e, 200, buf_str(&big), &a), SPEECH_ERROR);
  speech_engine_free(e);
}

static void languages_become_codes_and_confidences_are_known(void **state) {
  (void)state;
  struct speech_engine *e = openai_new(NULL);
  struct speech_answer a;
  struct str body =
      STR("{\"language\":\"hebrew\",\"segments\":[{\"start\":0,\"end\":1,\"text\":\"a\",\"avg_logprob\":-0.5,"
          "\"no_speech_prob\":0.75},{\"start\":1,\"end\":2,\"text\":\"b c\",\"avg_logprob\":-0.5,\"words\":["
          "{\"word\":\" b\",\"start\":1,\"end\":2,\"probability\":0.2},{\"word\":\" "
          "c\",\"start\":1,\"end\":2,\"probability\":0.6}]}]}");
  assert_int_equal(answer(e, 200, body, &a), SPEECH_OK);
  assert_string_equal(a.language, "he");
  assert_true(fabs(a.phrases[0].confidence - exp(-0.5)) < 1e-9 && a.phrases[0].no_speech == 0.75);
  assert_true(fabs(a.phrases[1].confidence - 0.4) < 1e-9 && a.phrases[1].no_speech < 0);
  assert_true(a.phrases[1].words[1].confidence == 0.6);
  speech_answer_done(&a);
  speech_engine_free(e);
}

static bool next_request_has(struct speech_engine *e, const char *text) {
  struct speech_input input = input_of("auto");
  struct speech_request r;
  assert_int_equal(speech_engine_request(e, &input, &r), OK);
  bool has = body_of(&r, text) ? true : false;
  speech_request_done(&r);
  return has;
}

static void a_language_counts_if_the_engine_is_sure_or_was_told(void **state) {
  (void)state;
  static const struct {
    const char *asked, *found, *probability, *language;
  } cases[] = {{"auto", "javanese", "0.31", ""},
               {"", "javanese", "0.49", ""},
               {"auto", "javanese", "0.5", "jw"},
               {"auto", "javanese", "2", "jw"},
               {"jw", "javanese", "0.31", "jw"},
               {"auto", "dutch", "0.01", "jw"}}; /* as tiny.en: it knows one language, and finds any */
  struct speech_engine *e = openai_new(NULL);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char body[256];
    struct speech_input input = input_of(cases[i].asked);
    assert_true(next_request_has(e, "name=\"no_language_probabilities\"\r\n\r\nfalse\r\n"));
    struct speech_answer a;
    (void)snprintf(body, sizeof(body),
                   "{\"language\":\"javanese\",\"detected_language\":\"%s\",\"detected_language_probability\":%s,"
                   "\"segments\":[{\"text\":\"a\"}]}",
                   cases[i].found, cases[i].probability);
    struct speech_reply reply = {.end = FETCH_DONE, .status = 200, .body = str_from(body)};
    assert_int_equal(speech_engine_answer(e, &input, &reply, &a), SPEECH_OK);
    assert_string_equal(a.language, cases[i].language);
    speech_answer_done(&a);
  }
  assert_false(
      next_request_has(e, "name=\"no_language_probabilities\"")); /* it costs time, and tells nothing of that model */
  assert_true(next_request_has(e, "\r\n\r\nauto\r\n"));
  speech_engine_free(e);
}

static void errors_say_what_to_do(void **state) {
  (void)state;
  static const struct {
    enum fetch_end end;
    int status;
    const char *body;
    int64_t retry_ms;
    enum speech_error error;
    int64_t told_ms;
  } cases[] = {
      {FETCH_REFUSED, 0, "", 0, SPEECH_UNREACHABLE, 0},
      {FETCH_TIMEOUT, 0, "", 0, SPEECH_SLOW, 0},
      {FETCH_CUT, 200, "{\"text\":\"a\"}", 0, SPEECH_UNREACHABLE, 0},
      {FETCH_TOO_BIG, 200, "", 0, SPEECH_ERROR, 0},
      {FETCH_STOPPED, 0, "", 0, SPEECH_UNREACHABLE, 0},
      {FETCH_DONE, 401, "{\"error\":{\"message\":\"key\"}}", 0, SPEECH_AUTH_FAILED, 0},
      {FETCH_DONE, 403, "", 0, SPEECH_AUTH_FAILED, 0},
      {FETCH_DONE, 429, "", 7000, SPEECH_RATE_LIMITED, 7000},
      {FETCH_DONE, 429, "", 86400000, SPEECH_RATE_LIMITED, SPEECH_RETRY_MAX_MS},
      {FETCH_DONE, 503, "Loading model", 0, SPEECH_SLOW, 0},
      {FETCH_DONE, 408, "", 0, SPEECH_SLOW, 0},
      {FETCH_DONE, 502, "", 0, SPEECH_UNREACHABLE, 0},
      {FETCH_DONE, 400, "Invalid request", 0, SPEECH_BAD_PIECE, 0},
      {FETCH_DONE, 413, "", 0, SPEECH_BAD_PIECE, 0},
      {FETCH_DONE, 422, "{\"detail\":[{\"loc\":[\"body\",\"file\"]}]}", 0, SPEECH_BAD_PIECE, 0},
      {FETCH_DONE, 500, "stof", 0, SPEECH_ERROR, 0},
      {FETCH_DONE, 404, "no such model for this language", 0, SPEECH_ERROR, 0},
      {FETCH_DONE, 302, "", 0, SPEECH_ERROR, 0},
      {FETCH_DONE, 204, "", 0, SPEECH_ERROR, 0},
      {FETCH_DONE, 400, "Unsupported LANGUAGE: xx", 0, SPEECH_UNSUPPORTED_LANGUAGE, 0},
  };
  struct speech_engine *e = openai_new("k");
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct speech_input input = input_of("xx");
    struct speech_answer a;
    struct speech_reply reply = {.end = cases[i].end,
                                 .status = cases[i].status,
                                 .body = str_from(cases[i].body),
                                 .retry_after_ms = cases[i].retry_ms};
    enum speech_error error = speech_engine_answer(e, &input, &reply, &a);
    if (error != cases[i].error || a.retry_after_ms != cases[i].told_ms)
      fail_msg("%d %d: %s, %lld", cases[i].end, cases[i].status, speech_error_text(error), (long long)a.retry_after_ms);
    assert_int_equal(a.phrase_count, 0);
    speech_answer_done(&a);
  }
  speech_engine_free(e);
}

static void a_server_that_does_not_know_auto_or_verbose_json_is_asked_without(void **state) {
  (void)state;
  struct speech_engine *e = openai_new(NULL);
  struct speech_answer a;
  struct str no_auto =
      STR("{\"error\":{\"message\":\"Invalid language 'auto'. Language parameter must be ISO-639-1\"}}");
  struct str no_verbose =
      STR("{\"error\":{\"message\":\"response_format 'verbose_json' is not compatible with model\"}}");
  assert_true(next_request_has(e, "\r\n\r\nauto\r\n"));
  assert_int_equal(answer(e, 400, no_auto, &a), SPEECH_SLOW);
  assert_false(next_request_has(e, "name=\"language\""));
  assert_true(next_request_has(e, "verbose_json"));
  assert_int_equal(answer(e, 400, no_verbose, &a), SPEECH_SLOW);
  assert_false(next_request_has(e, "verbose_json"));
  assert_true(next_request_has(e, "\r\n\r\njson\r\n"));
  assert_int_equal(answer(e, 400, no_auto, &a), SPEECH_BAD_PIECE); /* once only */
  assert_int_equal(answer(e, 400, no_verbose, &a), SPEECH_BAD_PIECE);
  speech_engine_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_request_has_the_fields_and_the_sound),
      cmocka_unit_test(urls_and_languages_are_as_servers_want_them),
      cmocka_unit_test(a_long_prompt_keeps_its_end),
      cmocka_unit_test(settings_that_can_not_work_are_refused),
      cmocka_unit_test(every_shape_of_answer_is_read),
      cmocka_unit_test(broken_texts_are_mended_and_lose_nothing_else),
      cmocka_unit_test(times_stay_within_the_piece_and_in_order),
      cmocka_unit_test(words_that_lost_their_time_are_told),
      cmocka_unit_test(what_makes_no_sense_is_an_error),
      cmocka_unit_test(languages_become_codes_and_confidences_are_known),
      cmocka_unit_test(a_language_counts_if_the_engine_is_sure_or_was_told),
      cmocka_unit_test(errors_say_what_to_do),
      cmocka_unit_test(a_server_that_does_not_know_auto_or_verbose_json_is_asked_without),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
