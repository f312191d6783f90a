/* Includes and helpers of every test program of base. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"

#define assert_str(got, expected)                                 \
  do {                                                            \
    struct str got_ = (got), expected_ = (expected);              \
    assert_int_equal(got_.n, expected_.n);                        \
    if (got_.n) assert_memory_equal(got_.p, expected_.p, got_.n); \
  } while (0)

#define RUN_TESTS(tests)                                \
  int main(void) {                                      \
    return cmocka_run_group_tests((tests), NULL, NULL); \
  }
