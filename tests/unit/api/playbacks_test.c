/* playbacks_test.c - requests are grouped into playbacks, within ten minutes and across loops. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "api/media/api_playbacks.h"
#include "base/str.h"

struct tables {
  struct playbacks *all;
  struct playbacks_local *one, *other;
};

static int setup(void **state) {
  struct tables *t = calloc(1, sizeof(*t));
  if (!t || playbacks_new(&t->all) != OK || playbacks_local_new(&t->one) != OK || playbacks_local_new(&t->other) != OK)
    return -1;
  *state = t;
  return 0;
}

static int teardown(void **state) {
  struct tables *t = *state;
  playbacks_local_free(t->one);
  playbacks_local_free(t->other);
  playbacks_free(t->all);
  free(t);
  return 0;
}

static void the_first_hit_of_ten_minutes_counts(void **state) {
  struct tables *t = *state;
  static const struct {
    int64_t at;
    bool hit, first;
  } rows[] = {
      {1000, true, true},
      {1001, true, false},
      {1000 + PLAYBACK_MS - 1, true, false},
      {1000 + PLAYBACK_MS, true, true},
      {1000 + PLAYBACK_MS + 1, true, false},
      {1000 + 3 * PLAYBACK_MS, false, false}, /* begins with a miss … */
      {1000 + 3 * PLAYBACK_MS + 5, true, true},
      {1000 + 4 * PLAYBACK_MS - 1, true, false},
      {1000 + 4 * PLAYBACK_MS, true, true}, /* … from which its ten minutes count */
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    assert_int_equal(playbacks_note(t->all, t->one, 77, rows[i].hit, rows[i].at), rows[i].first);
}

static void two_loops_count_one_playback(void **state) {
  struct tables *t = *state;
  assert_true(playbacks_note(t->all, t->one, 5, true, 1000));
  assert_false(playbacks_note(t->all, t->other, 5, true, 1001));
  assert_false(playbacks_note(t->all, t->other, 5, true, 1002));
  assert_false(playbacks_note(t->all, t->other, 6, false, 1003));
  assert_true(playbacks_note(t->all, t->one, 6, true, 1004));
  assert_false(playbacks_note(t->all, t->other, 6, true, 1005));
}

static void playbacks_differ_by_whom_and_what(void **state) {
  struct tables *t = *state;
  uint64_t keys[] = {
      playbacks_key(t->all, 1, 1, 1, STR("RE00000000000000000000000000000001")),
      playbacks_key(t->all, 2, 1, 1, STR("RE00000000000000000000000000000001")),
      playbacks_key(t->all, 1, 2, 1, STR("RE00000000000000000000000000000001")),
      playbacks_key(t->all, 1, 1, 2, STR("RE00000000000000000000000000000001")),
      playbacks_key(t->all, 1, 1, 1, STR("RE00000000000000000000000000000002")),
      playbacks_key(t->all, 1, 1, 1, STR("RE10000000000000000000000000000001")),
  };
  for (size_t i = 0; i < COUNT_OF(keys); i++)
    for (size_t k = 0; k < i; k++) assert_true(keys[i] != keys[k]);
  assert_true(keys[0] == playbacks_key(t->all, 1, 1, 1, STR("RE00000000000000000000000000000001")));
}

static void a_full_table_forgets_but_holds_on(void **state) {
  struct tables *t = *state;
  for (uint64_t i = 0; i < 200000; i++)
    assert_true(playbacks_note(t->all, t->one, (i + 1) * UINT64_C(0x9E3779B97F4A7C15), true, 1000));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(the_first_hit_of_ten_minutes_counts, setup, teardown),
      cmocka_unit_test_setup_teardown(two_loops_count_one_playback, setup, teardown),
      cmocka_unit_test_setup_teardown(playbacks_differ_by_whom_and_what, setup, teardown),
      cmocka_unit_test_setup_teardown(a_full_table_forgets_but_holds_on, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
