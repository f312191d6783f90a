/* cmd.h - the commands as a table, and what each of them is given. One file a command: cmd_{name}.c. */
#pragma once

#include "base/conf.h"
#include "base/str.h"

enum { CMD_DONE = 0, CMD_FAILED = 1, CMD_USAGE = 2 };

/* Words behind the command's name, with the options that all commands have taken out. */
struct cmd_args {
  const char *command;
  const char *config; /* --config FILE or NULL */
  bool json;          /* --json */
  int count;
  char **words;
};

struct cmd {
  const char *name;
  const char *summary; /* one line for the list */
  const char *help;    /* the whole text of COMMAND --help */
  int (*run)(const struct cmd_args *args);
};

/* Ended by a row without a name, in the order in which help shows them. */
extern const struct cmd cmd_table[];

#define CMD(name_) int cmd_##name_(const struct cmd_args *args)
CMD(serve);
CMD(migrate);
CMD(business);
CMD(key);
CMD(status);
CMD(fetch);
CMD(retry);
CMD(signin);
CMD(verify);
CMD(backup);
CMD(check);
CMD(demo);
CMD(version);

/* ---- words and options (cmd_options.c) ---- */

/* An option's value "--name VALUE" or "--name=VALUE"; takes it out of args' words. NULL: not given. *bad is set, with a
 * sentence on standard error, when it is given without a value or twice. */
struct cmd_options {
  struct cmd_args args; /* a copy whose words shrink */
  char *words[256];
  bool bad;
};
void cmd_options_init(struct cmd_options *o, const struct cmd_args *args);
const char *cmd_option(struct cmd_options *o, const char *name);
/* The next value of an option that may stand several times; NULL: no more. */
const char *cmd_option_next(struct cmd_options *o, const char *name);
bool cmd_flag(struct cmd_options *o, const char *name);
/* The next word that is no option; NULL: none. */
const char *cmd_word(struct cmd_options *o);
/* True if nothing is left and nothing was bad; else a sentence on standard error that names it. */
bool cmd_options_end(struct cmd_options *o);
/* A whole number in words; false with a sentence that names the option. */
bool cmd_number(const char *option, const char *text, int64_t min, int64_t max, int64_t *ret_value);

/* One line "callreel COMMAND: …" on standard error; returns CMD_FAILED or, of cmd_misuse, CMD_USAGE. */
int cmd_fail(const struct cmd_args *args, const char *format, ...) PRINTF(2, 3);
int cmd_misuse(const struct cmd_args *args, const char *format, ...) PRINTF(2, 3);
