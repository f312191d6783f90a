#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "db/db_clock.h"

enum { HOUR_MS = 3600 * 1000 };

/* The server is an hour ahead of this machine, by what a connection read in trip_ms. */
static void tell(int64_t ahead_ms, int64_t trip_ms) {
  int64_t mono = clock_mono_ms();
  db_clock_report(clock_now_ms() + ahead_ms, mono - trip_ms / 2, mono + trip_ms / 2);
}

static void assert_ahead(int64_t ahead_ms) {
  int64_t ahead = db_clock_now_ms() - clock_now_ms();
  assert_in_range(ahead - ahead_ms + 50, 0, 100);
}

static void it_is_this_machines_clock_until_a_server_tells_its_own(void **state) {
  (void)state;
  db_clock_forget();
  assert_ahead(0);
  tell(HOUR_MS, 2);
  assert_ahead(HOUR_MS);
  db_clock_forget();
  assert_ahead(0);
}

static void a_slow_answer_does_not_replace_a_better_one_at_once(void **state) {
  (void)state;
  db_clock_forget();
  tell(HOUR_MS, 2);
  tell(HOUR_MS + 2000, 4000);
  assert_ahead(HOUR_MS);
  tell(HOUR_MS + 1000, 2);
  assert_ahead(HOUR_MS + 1000);
  clock_test_advance_ms(DB_CLOCK_HOLDS_MS);
  tell(2000, 4000);
  assert_ahead(2000);
  db_clock_forget();
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_this_machines_clock_until_a_server_tells_its_own),
                                     cmocka_unit_test(a_slow_answer_does_not_replace_a_better_one_at_once)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
