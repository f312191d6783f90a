/* speech_testing.h - what a test asks an engine, and its answers as text. For the test programs of engines. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "speech/speech_engine.h"
#include "speech/speech_text.h"

enum { PIECE_SAMPLES = 10 * SPEECH_RATE };
static int16_t samples[PIECE_SAMPLES];

static inline struct speech_input input_of(const char *language) {
  return (struct speech_input){
      .url = "http://127.0.0.1:8080", .language = language, .samples = samples, .count = PIECE_SAMPLES};
}

static inline struct speech_reply reply_of(int status, struct str body) {
  return (struct speech_reply){.end = FETCH_DONE, .status = status, .body = body};
}

/* The phrases as lines: "start-end text [word start-end confidence|…]"; times in ms. */
static inline void describe(const struct speech_answer *a, struct buf *b) {
  buf_clear(b);
  for (size_t i = 0; i < a->phrase_count; i++) {
    const struct speech_phrase *p = &a->phrases[i];
    assert_true(speech_text_is_clean(p->text) && p->text.n > 0);
    assert_int_equal(
        buf_addf(b, "%s%lld-%lld %.*s", i ? "\n" : "", (long long)p->start_ms, (long long)p->end_ms, STR_ARG(p->text)),
        OK);
    for (size_t k = 0; k < p->word_count; k++) {
      const struct speech_word *w = &p->words[k];
      assert_true(speech_text_is_clean(w->text) && w->text.n > 0);
      assert_int_equal(buf_addf(b, "%s%.*s %lld-%lld", k ? "|" : " [", STR_ARG(w->text), (long long)w->start_ms,
                                (long long)w->end_ms),
                       OK);
    }
    if (p->word_count) assert_int_equal(buf_add(b, STR("]")), OK);
  }
  assert_int_equal(buf_add(b, STR("")), OK);
}

static inline enum speech_error answer(struct speech_engine *e, int status, struct str body,
                                       struct speech_answer *ret) {
  struct speech_input input = input_of("auto");
  struct speech_reply reply = reply_of(status, body);
  return speech_engine_answer(e, &input, &reply, ret);
}

static inline void assert_heard(struct speech_engine *e, struct str body, const char *expected) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(1 << 20);
  struct speech_answer a;
  const char *text;
  enum speech_error error = answer(e, 200, body, &a);
  if (error != SPEECH_OK) fail_msg("%s: %.*s", speech_error_text(error), STR_ARG(str_head(body, 300)));
  describe(&a, &b);
  assert_int_equal(buf_terminate(&b, &text), OK);
  assert_string_equal(text, expected);
  speech_answer_done(&a);
}

static inline const char *body_of(const struct speech_request *r, const char *text) {
  return memmem(r->body.p, r->body.n, text, strlen(text));
}
