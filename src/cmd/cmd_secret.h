/* cmd_secret.h - reads a secret from a file. Secrets are never words of the command line, which other users can see.
 *
 * Thread rule: any thread. */
#pragma once

#include "cmd/cmd.h"

/* Returns the file's content (1 to 256 bytes) without surrounding blanks and newlines, NUL-terminated; the caller frees it with
 * cmd_secret_free. CMD_FAILED, reported on standard error: the file can't be read, or others than its owner may read it. */
CHECKED int cmd_secret_read(const struct cmd_args *args, const char *option, const char *path, char **ret_text);
void cmd_secret_free(char *text); /* wipes it first; NULL is fine */
