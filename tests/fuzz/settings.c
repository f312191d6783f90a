/* Input: any bytes as a settings file and as one setting of the environment. Property: accepted, or refused with a sentence. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds) {
  if (!holds) abort();
}

static void load(const char *file, char *const *environment) {
  struct conf conf;
  struct buf problem = BUF_INIT(4096);
  enum err e = conf_load(file, environment, &problem, &conf);
  if (e == OK) {
    require(conf.connections >= 10 && conf.play_wait_s >= 0 && conf.play_wait_s <= 54 && conf.listen && problem.n == 0);
    conf_done(&conf);
  } else {
    require(problem.n > 0 && !memchr(problem.p, '\n', problem.n));
  }
  buf_done(&problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  static char path[64];
  static int fd = -1;
  char *none[] = {NULL}, *text = malloc(n + 1);
  if (!text) return 0;
  memcpy(text, bytes, n);
  text[n] = '\0';
  if (fd < 0) {
    fd = memfd_create("settings", MFD_CLOEXEC);
    require(fd >= 0 && fchmod(fd, 0600) == 0);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  }
  require(ftruncate(fd, 0) == 0 && pwrite(fd, bytes, n, 0) == (ssize_t)n);
  load(path, none);
  /* A NAME_FILE could name any file of this machine: not from here. */
  char *one[] = {text, NULL}, *equals = strchr(text, '=');
  bool names_file = equals && equals - text > 5 && memcmp(equals - 5, "_FILE", 5) == 0;
  if (equals && !names_file) load(NULL, one);
  free(text);
  return 0;
}
