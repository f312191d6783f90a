/* conf.h - the settings. Each stands once in conf.def: type, field, default, limits, help.
 *
 * Sources, of which a later one wins: defaults, the --config file (lines NAME=value, comments with #), the environment. A
 * secret can also be given as NAME_FILE, which is refused if other users can read that file. A bad value is refused with
 * the setting's name and the reason. An unknown name in the file is refused; in the environment it is ignored.
 * Thread rule: loaded once before threads start, read-only afterwards. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct conf {
#define CONF_TEXT(name, field, ...) char *field;   /* NULL when unset */
#define CONF_SECRET(name, field, ...) char *field; /* NULL when unset */
#define CONF_INT(name, field, ...) int64_t field;
#define CONF_CHOICE(name, field, ...) int field;
#include "base/conf.def"
#undef CONF_TEXT
#undef CONF_SECRET
#undef CONF_INT
#undef CONF_CHOICE
};

/* file may be NULL; environment is a NULL-terminated list of NAME=value. On failure *ret_problem holds one sentence
 * that begins with the setting's name and never holds a secret's value. */
CHECKED enum err conf_load(const char *file, char *const *environment, struct buf *ret_problem, struct conf *ret_conf);
void conf_done(struct conf *c); /* wipes secrets */
/* Appends the help text: one paragraph for each setting, in the order of conf.def. */
CHECKED enum err conf_help(struct buf *b);
