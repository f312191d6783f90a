/* tap.c - makes every program that uses cmocka print TAP, and lets a skipped test read as skipped. Linked into each.
 *
 * cmocka prints "not ok 3 # SKIP name" for a test that called skip(), which TAP readers, meson among them, count as a failure.
 * This print_message takes the place of cmocka's and prints "ok 3 # SKIP name" instead. Everything else it prints unchanged. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

__attribute__((constructor)) static void print_tap(void) {
  cmocka_set_message_output(CM_OUTPUT_TAP);
}

void print_message(const char *const format, ...) {
  static const char not_[] = "not ";
  bool is_skip = strncmp(format, "not ok", 6) == 0 && strstr(format, "# SKIP");
  va_list list;
  va_start(list, format);
  vprintf(is_skip ? format + strlen(not_) : format, list);
  va_end(list);
  (void)fflush(stdout);
}
