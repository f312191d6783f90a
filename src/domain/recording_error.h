/* recording_error.h - the closed list of reasons why a recording is not available, with code, message and class.
 * Thread rule: pure. */
#pragma once

#include "base/str.h"

enum recording_error {
#define X(name, code, class, message) RECORDING_##name,
#include "domain/recording_error.def"
#undef X
  RECORDING_ERROR_COUNT_
};

/* How a failure with this error is retried: see recording_error.def. */
enum recording_error_class {
  RECORDING_CLASS_WAIT,
  RECORDING_CLASS_FINAL,
  RECORDING_CLASS_EIGHTH,
  RECORDING_CLASS_CAP,
  RECORDING_CLASS_ACCOUNT,
};

const char *recording_error_code(enum recording_error e);    /* "" for RECORDING_NONE */
const char *recording_error_message(enum recording_error e); /* one sentence for people */
enum recording_error_class recording_error_class(enum recording_error e);
/* RECORDING_NONE, with *ret_known false, for an unknown code. ret_known may be NULL. */
enum recording_error recording_error_of_code(struct str code, bool *ret_known);
