/* service_testing.h - names of things, and what an answer must be, for tests of the whole service. */
#pragma once

#include "service.h"

#include <stdio.h>
#include <string.h>

#define CA1 "CA00000000000000000000000000000001"
#define CA2 "CA00000000000000000000000000000002"
#define RE1 "RE00000000000000000000000000000001"
#define RE2 "RE00000000000000000000000000000002"
#define RE9 "RE00000000000000000000000000000009"
#define STREAM "/api/recordings/" RE1 "/stream"
#define STATUS "/api/recordings/" RE1 "/status"
#define DOWNLOAD "/api/recordings/" RE1 "/download"

static inline void expect(const struct answer *a, int status, const char *code) {
  char member[64];
  assert_int_equal(a->status, status);
  if (!code) return;
  (void)snprintf(member, sizeof(member), "\"code\":\"%s\"", code);
  assert_non_null(strstr(a->body, member));
  assert_string_equal(answer_header(a, "Content-Type"), "application/problem+json");
  assert_string_equal(answer_header(a, "Cache-Control"), "no-store");
}

#define SERVICE_TEST(name) cmocka_unit_test_setup_teardown(name, service_setup, service_teardown)
