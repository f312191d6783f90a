/* cmd.h - the table of commands, and how a command reads its words and options. Each command has a file: cmd_{name}.c.
 *
 *   struct cmd_options o;
 *   cmd_options_init(&o, args);
 *   const char *business = cmd_option(&o, "--business"), *id = cmd_word(&o);   options first, then words
 *   if (!cmd_options_end(&o)) return CMD_USAGE;                                the error is on standard error already
 *
 * Thread rule: one owner. Strings are those of argv: they live as long as the process. */
#pragma once

#include "base/conf.h"
#include "base/str.h"

enum { CMD_DONE = 0, CMD_FAILED = 1, CMD_USAGE = 2 };

/* The words after the command's name, without --config and --json. */
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

/* In the order in which help shows them. The last row has no name. */
extern const struct cmd cmd_table[];

#define CMD(name_) int cmd_##name_(const struct cmd_args *args)
CMD(serve);
CMD(migrate);
CMD(business);
CMD(key);
CMD(status);
CMD(fetch);
CMD(retry);
CMD(prune);
CMD(transcribe);
CMD(signin);
CMD(session);
CMD(url);
CMD(verify);
CMD(import);
CMD(reconcile);
CMD(backfill);
CMD(backup);
CMD(check);
CMD(demo);
CMD(audit);
CMD(version);

/* ---- words and options (cmd_options.c) ---- */

/* Each function removes what it returns from the words. Misuse is reported on standard error once and sets bad. */
struct cmd_options {
  struct cmd_args args; /* a copy whose words shrink */
  char *words[256];
  bool bad;
};
void cmd_options_init(struct cmd_options *o, const struct cmd_args *args);
/* The value of "--name VALUE" or "--name=VALUE"; NULL if it is not given. Misuse: no value, or given twice. */
const char *cmd_option(struct cmd_options *o, const char *name);
/* The next value of an option that may be given several times; NULL if there is no more. */
const char *cmd_option_next(struct cmd_options *o, const char *name);
/* True if the option "--name", which has no value, is given. */
bool cmd_flag(struct cmd_options *o, const char *name);
/* The next word that does not begin with --; NULL if there is none. */
const char *cmd_word(struct cmd_options *o);
/* True if no word is left and nothing was misused; else false, and the first word that is left is reported. */
bool cmd_options_end(struct cmd_options *o);
/* Parses a decimal integer between min and max. False: reported on standard error, with the option's name. */
bool cmd_number(const char *option, const char *text, int64_t min, int64_t max, int64_t *ret_value);

/* Both print one line "callreel COMMAND: …" on standard error. cmd_fail returns CMD_FAILED, cmd_misuse CMD_USAGE. */
int cmd_fail(const struct cmd_args *args, const char *format, ...) PRINTF(2, 3);
int cmd_misuse(const struct cmd_args *args, const char *format, ...) PRINTF(2, 3);
