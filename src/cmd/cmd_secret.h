/* cmd_secret.h - secrets come from files that only their owner can read, never from the command line. */
#pragma once

#include "cmd/cmd.h"

/* The file's content without its last newline, NUL-terminated, for cmd_secret_free. CMD_DONE, or a sentence and CMD_FAILED. */
CHECKED int cmd_secret_read(const struct cmd_args *args, const char *option, const char *path, char **ret_text);
void cmd_secret_free(char *text); /* wipes; NULL is fine */
