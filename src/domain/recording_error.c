/* recording_error.c - the table of recording_error.def. */
#include "domain/recording_error.h"

#include <assert.h>

static const struct {
  const char *code;
  enum recording_error_class class;
  const char *message;
} ERRORS[RECORDING_ERROR_COUNT_] = {
#define X(name, code_, class_, message_) \
  [RECORDING_##name] = {.code = code_, .class = RECORDING_CLASS_##class_, .message = message_},
#include "domain/recording_error.def"
#undef X
};

const char *recording_error_code(enum recording_error e) {
  assert((unsigned)e < RECORDING_ERROR_COUNT_);
  return ERRORS[e].code;
}

const char *recording_error_message(enum recording_error e) {
  assert((unsigned)e < RECORDING_ERROR_COUNT_);
  return ERRORS[e].message;
}

enum recording_error_class recording_error_class(enum recording_error e) {
  assert((unsigned)e < RECORDING_ERROR_COUNT_);
  return ERRORS[e].class;
}

enum recording_error recording_error_of_code(struct str code, bool *ret_known) {
  for (unsigned i = 0; i < RECORDING_ERROR_COUNT_; i++) {
    if (!str_eq(code, str_from(ERRORS[i].code))) continue;
    if (ret_known) *ret_known = true;
    return (enum recording_error)i;
  }
  if (ret_known) *ret_known = false;
  return RECORDING_NONE;
}
