#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "api/request/problem.h"

static json_t *document_of(enum problem p, const struct problem_words *words) {
  struct buf b = BUF_INIT(PROBLEM_SIZE_MAX);
  assert_int_equal(problem_write(&b, p, words), OK);
  json_t *document = json_loadb(b.p, b.n, 0, NULL);
  assert_non_null(document);
  buf_done(&b);
  return document;
}

static const char *text_of(const json_t *document, const char *member) {
  const char *text = json_string_value(json_object_get(document, member));
  assert_non_null(text);
  return text;
}

static void every_problem_is_a_whole_document(void **state) {
  (void)state;
  for (enum problem p = 0; p < PROBLEM_COUNT_; p++) {
    json_t *document = document_of(p, NULL);
    assert_true(problem_status(p) >= 400 && problem_status(p) < 600);
    assert_int_equal(json_integer_value(json_object_get(document, "status")), problem_status(p));
    assert_string_equal(text_of(document, "type"), "about:blank");
    assert_string_equal(text_of(document, "code"), problem_code(p));
    assert_true(strlen(text_of(document, "title")) > 3);
    assert_true(strlen(text_of(document, "detail")) > 5);
    json_decref(document);
  }
}

static void codes_are_words_and_not_given_twice(void **state) {
  (void)state;
  for (enum problem p = 0; p < PROBLEM_COUNT_; p++) {
    assert_int_equal(strspn(problem_code(p), "abcdefghijklmnopqrstuvwxyz_"), strlen(problem_code(p)));
    for (enum problem q = 0; q < p; q++) assert_string_not_equal(problem_code(p), problem_code(q));
  }
}

static void what_may_succeed_later_says_when(void **state) {
  (void)state;
  for (enum problem p = 0; p < PROBLEM_COUNT_; p++) {
    bool later = problem_status(p) == 503 || problem_status(p) == 429;
    assert_int_equal(problem_retry_after_s(p, NULL) > 0, later);
  }
  assert_int_equal(problem_retry_after_s(PROBLEM_UNAVAILABLE, &(struct problem_words){.retry_after_s = 77}), 77);
}

static void words_take_the_place_of_the_tables(void **state) {
  (void)state;
  struct problem_words words = {.code = "timeout", .detail = STR("a \"quoted\" \x01 detail")};
  json_t *document = document_of(PROBLEM_UNAVAILABLE, &words);
  assert_string_equal(text_of(document, "code"), "timeout");
  assert_string_equal(text_of(document, "detail"), "a \"quoted\" \x01 detail");
  assert_string_equal(text_of(document, "title"), "Service Unavailable");
  json_decref(document);
}

static void the_engines_refusals_have_their_problems(void **state) {
  (void)state;
  static const int status_cache[] = {400, 408, 413, 417, 431, 501, 503, 505};
  for (size_t i = 0; i < COUNT_OF(status_cache); i++)
    assert_int_equal(problem_status(problem_of_status(status_cache[i])), status_cache[i]);
  assert_int_equal(problem_of_status(499), PROBLEM_BAD_REQUEST);
  assert_int_equal(problem_of_status(599), PROBLEM_INTERNAL);
}

static void every_error_is_a_problem(void **state) {
  (void)state;
  static const struct {
    enum err e;
    enum problem p;
  } rows[] = {
      {ERR_NOT_FOUND, PROBLEM_NOT_FOUND}, {ERR_CONFLICT, PROBLEM_CONFLICT},  {ERR_BUSY, PROBLEM_BUSY},
      {ERR_NOMEM, PROBLEM_BUSY},          {ERR_CLOSED, PROBLEM_UNAVAILABLE}, {ERR_TIMEOUT, PROBLEM_TOO_SLOW},
      {ERR_IO, PROBLEM_DATABASE},         {ERR_FULL, PROBLEM_DATABASE},      {ERR_CORRUPT, PROBLEM_DATABASE},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) assert_int_equal(problem_of_err(rows[i].e), rows[i].p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_problem_is_a_whole_document),        cmocka_unit_test(codes_are_words_and_not_given_twice),
      cmocka_unit_test(what_may_succeed_later_says_when),         cmocka_unit_test(words_take_the_place_of_the_tables),
      cmocka_unit_test(the_engines_refusals_have_their_problems), cmocka_unit_test(every_error_is_a_problem),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
