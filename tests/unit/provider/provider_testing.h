/* provider_testing.h - helpers that the provider's tests share. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"
#include "provider/provider.h"

#define AC "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define AC_OTHER "ACbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define CA "CA11111111111111111111111111111111"
#define CA_PARENT "CA22222222222222222222222222222222"
#define RE "RE33333333333333333333333333333333"
#define RE_OTHER "RE44444444444444444444444444444444"
#define CF "CF55555555555555555555555555555555"
#define BASE "https://api.twilio.com"
#define RECORDING_PATH "/2010-04-01/Accounts/" AC "/Recordings/" RE
#define RECORDING_URL BASE RECORDING_PATH

#define ok(expression) assert_int_equal((expression), OK)
#define assert_str(view, text) assert_str_at((view), (text), __FILE__, __LINE__)

static inline void assert_str_at(struct str view, const char *text, const char *file, int line) {
  if (str_eq(view, str_from(text))) return;
  print_error("%s:%d: \"%.*s\" is not \"%s\"\n", file, line, STR_ARG(view), text);
  _fail(file, line);
}

static inline struct provider_account test_account(void) {
  return (struct provider_account){
      .business_id = 7,
      .account_sid = STR(AC),
      .tokens = {STR("first token"), STR("second token")},
      .base_url = STR(BASE),
  };
}

/* The value of a field, or "(none)"; a field that is there twice fails the test. */
static inline struct str test_field(const struct delivery_part *part, const char *name) {
  struct str value = STR("(none)");
  int found = 0;
  for (size_t i = 0; i < part->count; i++) {
    if (!str_eq(part->fields[i].name, str_from(name))) continue;
    value = part->fields[i].value;
    found++;
  }
  assert_true(found <= 1);
  return value;
}
