/* err.h - the one error type.
 *
 * A function that can fail returns `enum err`, which its caller must check (CHECKED). On failure it leaves its outputs, which are
 * named ret_… and come last, untouched. Thread rule: pure. */
#pragma once

#include <stdbool.h>

enum err {
#define X(name, text, retryable) name,
#include "base/err.def"
#undef X
  ERR_COUNT_
};

#define CHECKED __attribute__((warn_unused_result))
#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

/* Passes on ownership of pointer x: the value is x, and x becomes NULL. */
#define TAKE(x)                 \
  __extension__({               \
    __typeof__(x) taken_ = (x); \
    (x) = NULL;                 \
    taken_;                     \
  })

/* Ignores a failure on purpose; a comment beside it says why. (In gcc a cast to void does not silence CHECKED.) */
#define IGNORE(expression) \
  do {                     \
    if (expression) {      \
    }                      \
  } while (0)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Returns the expression's error from the calling function, unless it is OK. */
#define TRY(expression)                  \
  do {                                   \
    enum err try_err_ = (expression);    \
    if (try_err_ != OK) return try_err_; \
  } while (0)

/* The code's short English text, never NULL. */
const char *err_text(enum err e);
/* True if the same call may succeed later without a repair. */
bool err_retryable(enum err e);
/* The code for an errno value (ENOSPC, EDQUOT, EFBIG: ERR_FULL; ENOENT: ERR_NOT_FOUND; else ERR_IO …). */
enum err err_from_errno(int number);
