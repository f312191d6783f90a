/* demo_simulator.c - starts callreel-sim. Reads its URL and the credentials that it generated from its first line: so they
 * appear in no argument list, which other users can see. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/secret.h"
#include "cmd/demo/demo_parts.h"

enum { START_MS = 15 * 1000, LINE_SIZE = 1024 };

static bool hello_take_word(struct str *rest, const char *name, char *ret_text, size_t size) {
  struct str word;
  (void)str_cut(*rest, ' ', &word, rest);
  if (!str_eq(word, str_from(name))) return false;
  if (!str_cut(*rest, ' ', &word, rest)) *rest = STR_NONE;
  return word.n && str_copy(ret_text, size, word) == OK;
}

enum err demo_hello_parse(struct str line, struct demo_simulator *ret_simulator) {
  struct demo_simulator s = {.pid = 0};
  struct str start = STR("callreel-sim listening ");
  if (!str_starts(line, start)) return ERR_INVALID;
  line = str_skip(line, start.n);
  bool whole = hello_take_word(&line, "on", s.url, sizeof(s.url)) &&
               hello_take_word(&line, "account", s.account, sizeof(s.account)) &&
               hello_take_word(&line, "token", s.token, sizeof(s.token)) && line.n == 0;
  if (whole) *ret_simulator = s;
  secret_wipe(s.token, sizeof(s.token));
  return whole ? OK : ERR_INVALID;
}

static enum err simulator_find_executable(char ret_path[PATH_MAX]) {
  static const char name[] = "callreel-sim";
  ssize_t n = readlink("/proc/self/exe", ret_path, PATH_MAX - sizeof(name) - 1);
  while (n > 0 && ret_path[n - 1] != '/') n--;
  if (n <= 0) return ERR_NOT_FOUND;
  memcpy(ret_path + n, name, sizeof(name));
  return access(ret_path, X_OK) == 0 ? OK : ERR_NOT_FOUND;
}

/* Runs in the child between fork and exec: calls only async-signal-safe functions. */
static void exec_simulator(const char *path, int out, pid_t parent) {
  char *const argv[] = {(char[]){"callreel-sim"}, (char[]){"--listen"}, (char[]){"127.0.0.1:0"}, NULL};
  (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent || dup2(out, STDOUT_FILENO) < 0) _exit(127);
  execv(path, argv);
  _exit(127);
}

/* Reads the first line, without its newline. ERR_TIMEOUT after START_MS. */
static enum err simulator_read_line(int fd, char line[LINE_SIZE], size_t *ret_bytes) {
  int64_t until = clock_mono_ms() + START_MS, now;
  size_t n = 0;
  while (n < LINE_SIZE && (now = clock_mono_ms()) < until) {
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    if (poll(&ready, 1, (int)(until - now)) <= 0) continue;
    ssize_t got = read(fd, line + n, 1);
    if (got <= 0) return ERR_CLOSED;
    if (line[n] == '\n') {
      *ret_bytes = n;
      return OK;
    }
    n++;
  }
  return ERR_TIMEOUT;
}

int demo_simulator_start(const struct cmd_args *args, struct demo_simulator *ret_simulator) {
  char path[PATH_MAX], line[LINE_SIZE];
  int ends[2];
  size_t n;
  if (simulator_find_executable(path) != OK)
    return cmd_fail(args,
                    "callreel-sim is not in the directory of callreel: name a simulator that runs with --sim URL");
  if (pipe2(ends, O_CLOEXEC) != 0) return cmd_fail(args, "%s", strerror(errno));
  int in CLEANUP(fs_close_) = ends[0];
  int out CLEANUP(fs_close_) = ends[1];
  pid_t parent = getpid(), pid = fork();
  if (pid == 0) exec_simulator(path, out, parent);
  if (pid < 0) return cmd_fail(args, "%s", strerror(errno));
  fs_close_(&out);
  out = -1;
  struct demo_simulator s;
  enum err e = simulator_read_line(in, line, &n);
  if (e == OK) e = demo_hello_parse(str_of(line, n), &s);
  secret_wipe(line, sizeof(line));
  if (e != OK) s = (struct demo_simulator){.pid = 0};
  s.pid = pid;
  if (e == OK) {
    *ret_simulator = s;
    return CMD_DONE;
  }
  demo_simulator_stop(&s);
  return cmd_fail(args, "%s did not start: %s", path, err_text(e));
}

void demo_simulator_stop(struct demo_simulator *s) {
  if (s->pid > 0) {
    (void)kill(s->pid, SIGTERM);
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR) continue;
  }
  s->pid = 0;
  secret_wipe(s->token, sizeof(s->token));
}
