#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/sse.h"

static void assert_text(struct buf *b, const char *text) {
  const char *got;
  assert_int_equal(buf_terminate(b, &got), OK);
  assert_string_equal(got, text);
}

static void an_event_is_a_block_of_lines(void **state) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(1024);
  (void)state;
  assert_int_equal(sse_add(&b, STR("recording"), 17, STR("{\"a\":1}")), OK);
  assert_int_equal(sse_add(&b, STR("call"), 0, STR("{}")), OK);
  assert_text(&b, "event: recording\nid: 17\ndata: {\"a\":1}\n\nevent: call\ndata: {}\n\n");
}

static void line_breaks_within_data_stay_data(void **state) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(1024);
  (void)state;
  assert_int_equal(sse_add(&b, STR("x"), 1, STR("a\nid: 9\n")), OK);
  assert_text(&b, "event: x\nid: 1\ndata: a\ndata: id: 9\ndata: \n\n");
}

static void the_opening_is_not_an_event(void **state) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(1024);
  (void)state;
  assert_int_equal(sse_add_opening(&b, 3000, 0), OK);
  assert_int_equal(sse_add_opening(&b, 3000, 5), OK);
  assert_text(&b, "retry: 3000\n\nretry: 3000\nid: 5\n\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_event_is_a_block_of_lines),
      cmocka_unit_test(line_breaks_within_data_stay_data),
      cmocka_unit_test(the_opening_is_not_an_event),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
