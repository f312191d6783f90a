/* settings_check.h - whether texts among the settings are what they should be: what conf.def can't say as a range or a list
 * of words. Reads the files that settings name, asks nobody else. */
#pragma once

#include "base/conf.h"

/* OK, ERR_NOMEM, or ERR_INVALID with one sentence that begins with the first bad setting's name and never holds a secret's
 * value. */
CHECKED enum err settings_check(const struct conf *conf, struct buf *ret_problem);
