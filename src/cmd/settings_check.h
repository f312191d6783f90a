/* settings_check.h - checks the settings that are texts: conf.def can only give ranges and lists of words.
 *
 *   if (settings_check(&conf, &problem) != OK) … problem holds one sentence
 *
 * It reads the files that settings name, and uses neither the network nor the database.
 * Thread rule: any thread. */
#pragma once

#include "base/conf.h"

/* ERR_INVALID: ret_problem holds one sentence that begins with the name of the first bad setting and never contains a secret.
 * ERR_NOMEM. */
CHECKED enum err settings_check(const struct conf *conf, struct buf *ret_problem);
