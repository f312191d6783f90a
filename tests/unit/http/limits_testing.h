/* limits_testing.h - requests and incomplete requests, for tests of limits. */
#pragma once

#include "stage.h"

#include <stdio.h>

#include "base/clock.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* Moves the clock. Only builds with test hooks can: else the test is skipped. */
static inline void advance_ms(int64_t ms) {
#ifdef CALLREEL_TEST_HOOKS
  clock_test_advance_ms(ms);
#else
  (void)ms;
  print_message("# skipped: the build has no test hooks\n");
  skip();
#endif
}

/* Opens a connection that was answered once and has then sent text, an incomplete request. */
static inline int open_partial(struct stage *s, const char *text) {
  int c = client_open(s);
  assert_reply(client_get(c, "/hello"), 200, "hello"); /* so that the server's loop knows it */
  client_send(c, text);
  return c;
}
