/* csv_test.c - cells are quoted where they must be, and none begins a formula. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/csv.h"

static void cells_are_quoted_and_defused(void **state) {
  (void)state;
  static const struct {
    const char *text, *cell;
  } rows[] = {
      {"", ""},
      {"Dana", "Dana"},
      {"a,b", "\"a,b\""},
      {"say \"hi\"", "\"say \"\"hi\"\"\""},
      {"two\r\nlines", "\"two\r\nlines\""},
      {" blank", "\" blank\""},
      {"=1+1", "'=1+1"},
      {"+972", "'+972"},
      {"-1", "'-1"},
      {"@x", "'@x"},
      {"\tx", "'\tx"},
      {"\rx", "\"'\rx\""},
      {"=\"a\"", "\"'=\"\"a\"\"\""},
      {"חוב", "חוב"},
      {"1=1", "1=1"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(256);
    const char *text;
    assert_int_equal(csv_add_cell(&b, 0, str_from(rows[i].text)), OK);
    assert_int_equal(buf_terminate(&b, &text), OK);
    assert_string_equal(text, rows[i].cell);
  }
}

static void empty_cells_have_their_commas(void **state) {
  (void)state;
  struct buf b CLEANUP(buf_done) = BUF_INIT(256);
  const char *text;
  for (int row = 0; row < 2; row++) {
    for (int column = 0; column < 3; column++)
      assert_int_equal(csv_add_cell(&b, column, column == row ? STR("x") : STR("")), OK);
    assert_int_equal(csv_end_row(&b), OK);
  }
  assert_int_equal(buf_terminate(&b, &text), OK);
  assert_string_equal(text, "x,,\r\n,x,\r\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(cells_are_quoted_and_defused),
                                     cmocka_unit_test(empty_cells_have_their_commas)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
