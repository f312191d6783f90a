/* problem_text.h - the sentence that says why a start or a command failed.
 *
 *   return problem_text_set(ret_problem, ERR_INVALID, "JWT_SECRET: must have at least %d bytes", JWT_SECRET_MIN);
 *
 * Thread rule: as the buffer's. */
#pragma once

#include "base/buf.h"

/* Replaces the content of problem (NULL: none is wanted) with the formatted sentence and returns e. A sentence that does
 * not fit leaves problem empty; e is returned all the same. No sentence may contain a secret. */
CHECKED enum err problem_text_set(struct buf *problem, enum err e, const char *format, ...) PRINTF(3, 4);
