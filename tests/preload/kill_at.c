/* kill_at.c - a process that dies at a counted step, for stories: preloaded into a server, it kills the process with SIGKILL.
 *
 *   LD_PRELOAD=libkill_at.so KILL_AT=/tmp/kill-at callreel serve
 *
 * While the file exists, each sync and each removal of a file's name counts as two steps: before it and after it. The file
 * holds the number of the step at which the process dies. */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define REAL(fn) ((__typeof__(&(fn)))next_symbol(#fn))

static void *next_symbol(const char *name) {
  void *symbol = dlsym(RTLD_NEXT, name);
  if (!symbol) abort();
  return symbol;
}

/* The step that the file names; 0: there is no file. */
static int chosen_step(void) {
  char text[16] = "";
  const char *path = getenv("KILL_AT");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return 0;
  ssize_t n = read(fd, text, sizeof(text) - 1);
  close(fd);
  return n > 0 ? (int)strtol(text, NULL, 10) : 0;
}

static void step(void) {
  static atomic_int steps;
  int chosen = chosen_step();
  if (chosen > 0 && atomic_fetch_add(&steps, 1) + 1 == chosen) (void)kill(getpid(), SIGKILL);
}

int fsync(int fd) {
  step();
  int result = REAL(fsync)(fd);
  step();
  return result;
}

int fdatasync(int fd) {
  step();
  int result = REAL(fdatasync)(fd);
  step();
  return result;
}

int unlinkat(int dir, const char *path, int flags) {
  step();
  int result = REAL(unlinkat)(dir, path, flags);
  step();
  return result;
}
