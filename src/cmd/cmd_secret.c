#include "cmd/cmd_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/secret.h"

enum { SECRET_MAX = 256 };

void cmd_secret_free(char *text) {
  if (!text) return;
  secret_wipe(text, strlen(text));
  free(text);
}

int cmd_secret_read(const struct cmd_args *args, const char *option, const char *path, char **ret_text) {
  char bytes[SECRET_MAX + 2];
  int fd CLEANUP(fs_close_) = -1;
  mode_t mode;
  enum err e = fs_open_chosen(path, &fd, &mode);
  if (e == ERR_INVALID) return cmd_fail(args, "%s: %s is not a regular file", option, path);
  if (e != OK) return cmd_fail(args, "%s: %s can't be read: %s", option, path, err_text(e));
  if (mode & 077) return cmd_fail(args, "%s: %s can be read or written by others (chmod 600 it)", option, path);
  ssize_t n = read(fd, bytes, sizeof(bytes));
  struct str text = str_trim(str_of(bytes, n > 0 ? (size_t)n : 0));
  while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r')) text.n--;
  bool fits = text.n > 0 && text.n <= SECRET_MAX && !memchr(text.p, '\0', text.n);
  char *copy = fits ? str_dup(text) : NULL;
  secret_wipe(bytes, sizeof(bytes));
  if (!fits) return cmd_fail(args, "%s: %s must hold 1 to %d bytes", option, path, SECRET_MAX);
  if (!copy) return cmd_fail(args, "out of memory");
  *ret_text = copy;
  return CMD_DONE;
}
