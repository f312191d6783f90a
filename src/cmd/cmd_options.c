/* cmd_options.c - reads words and options, and prints errors. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"

int cmd_fail(const struct cmd_args *args, const char *format, ...) {
  va_list list;
  va_start(list, format);
  fprintf(stderr, "callreel %s: ", args->command);
  vfprintf(stderr, format, list);
  fputc('\n', stderr);
  va_end(list);
  return CMD_FAILED;
}

int cmd_misuse(const struct cmd_args *args, const char *format, ...) {
  va_list list;
  va_start(list, format);
  fprintf(stderr, "callreel %s: ", args->command);
  vfprintf(stderr, format, list);
  fprintf(stderr, "; callreel %s --help says how\n", args->command);
  va_end(list);
  return CMD_USAGE;
}

void cmd_options_init(struct cmd_options *o, const struct cmd_args *args) {
  memset(o, 0, sizeof(*o));
  o->args = *args;
  o->args.words = o->words;
  if (args->count > (int)COUNT_OF(o->words)) {
    o->bad = true;
    o->args.count = 0;
    (void)cmd_misuse(args, "too many words");
    return;
  }
  for (int i = 0; i < args->count; i++) o->words[i] = args->words[i];
}

static void options_remove(struct cmd_options *o, int at, int count) {
  o->args.count -= count;
  for (int i = at; i < o->args.count; i++) o->words[i] = o->words[i + count];
}

const char *cmd_option_next(struct cmd_options *o, const char *name) {
  size_t n = strlen(name);
  for (int i = 0; i < o->args.count; i++) {
    const char *word = o->words[i];
    if (strncmp(word, name, n) != 0 || (word[n] != '\0' && word[n] != '=')) continue;
    if (word[n] == '=') {
      options_remove(o, i, 1);
      return word + n + 1;
    }
    if (i + 1 == o->args.count || strncmp(o->words[i + 1], "--", 2) == 0) {
      o->bad = true;
      (void)cmd_misuse(&o->args, "%s needs a value", name);
      options_remove(o, i, 1);
      return NULL;
    }
    const char *value = o->words[i + 1];
    options_remove(o, i, 2);
    return value;
  }
  return NULL;
}

const char *cmd_option(struct cmd_options *o, const char *name) {
  const char *value = cmd_option_next(o, name);
  if (value && cmd_option_next(o, name)) {
    o->bad = true;
    (void)cmd_misuse(&o->args, "%s is given twice", name);
  }
  return value;
}

bool cmd_flag(struct cmd_options *o, const char *name) {
  for (int i = 0; i < o->args.count; i++) {
    if (strcmp(o->words[i], name) != 0) continue;
    options_remove(o, i, 1);
    return true;
  }
  return false;
}

const char *cmd_word(struct cmd_options *o) {
  for (int i = 0; i < o->args.count; i++) {
    const char *word = o->words[i];
    if (strncmp(word, "--", 2) == 0) continue;
    options_remove(o, i, 1);
    return word;
  }
  return NULL;
}

bool cmd_options_end(struct cmd_options *o) {
  if (o->bad) return false;
  if (o->args.count == 0) return true;
  o->bad = true;
  (void)cmd_misuse(&o->args, "\"%s\" is not understood", o->words[0]);
  return false;
}

bool cmd_number(const char *option, const char *text, int64_t min, int64_t max, int64_t *ret_value) {
  if (str_to_i64(str_from(text), min, max, ret_value) == OK) return true;
  fprintf(stderr, "callreel: %s: must be a whole number from %lld to %lld\n", option, (long long)min, (long long)max);
  return false;
}
