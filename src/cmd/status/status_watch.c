/* status_watch.c - shows the status again and again until a key or a signal ends it.
 *
 *   plain terminal --terminal_take--> ours (no echo, no lines, other screen) --terminal_give_back--> as it was
 *
 * Invariants
 *  (1) The ending signals are blocked except while it waits, so every end goes through terminal_give_back.
 *  (2) While the database does not answer the text says so and it is asked again: watching continues through an outage. */
#include "cmd/status/status_watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cmd/status/status_text.h"

enum { PAINT_MS = 500, COLUMNS = 80, ROWS = 24 };

static volatile sig_atomic_t ended; /* set by an ending signal */

static void watch_on_signal(int number) {
  (void)number;
  ended = 1;
}

struct watch {
  const struct cmd_args *args;
  struct app *app;
  int64_t business_id;
  bool paints; /* standard output is a terminal */
  bool reads;  /* and standard input too: keys are read */
  struct termios before;
  sigset_t waiting; /* mask while waiting */
  struct buf shown, now, painting;
};

/* ---- the terminal ---- */

static void terminal_write(const char *text) {
  fputs(text, stdout);
  (void)fflush(stdout); /* if the terminal is gone, SIGHUP ends the process */
}

static void terminal_take(struct watch *w) {
  struct termios raw;
  w->paints = isatty(STDOUT_FILENO) == 1 && !w->args->json;
  w->reads = w->paints && tcgetattr(STDIN_FILENO, &w->before) == 0;
  if (w->reads) {
    raw = w->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    w->reads = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  if (w->paints) terminal_write("\x1b[?1049h\x1b[?25l\x1b[2J");
}

static void terminal_give_back(const struct watch *w) {
  if (w->paints) terminal_write("\x1b[?25h\x1b[?1049l");
  if (w->reads) (void)tcsetattr(STDIN_FILENO, TCSANOW, &w->before); /* fails only if the terminal is gone */
}

enum err status_paint(struct str text, int columns, int rows, struct buf *b) {
  TRY(buf_add(b, STR("\x1b[H")));
  for (int row = 0; row < rows && text.n; row++) {
    struct str line;
    if (!str_cut(text, '\n', &line, &text)) text = STR_NONE;
    TRY(buf_add(b, str_head(line, (size_t)columns))); /* all of it ASCII */
    TRY(buf_add(b, row + 1 < rows ? STR("\x1b[K\r\n") : STR("\x1b[K")));
  }
  return buf_add(b, STR("\x1b[J"));
}

static enum err watch_paint(struct watch *w) {
  struct winsize size;
  bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row;
  buf_clear(&w->painting);
  TRY(status_paint(buf_str(&w->now), known ? size.ws_col : COLUMNS, known ? size.ws_row : ROWS, &w->painting));
  (void)fwrite(w->painting.p, 1, w->painting.n, stdout);
  (void)fflush(stdout);
  return OK;
}

/* Prints the text if it differs from the one printed last. */
static enum err watch_print(struct watch *w) {
  if (str_eq(buf_str(&w->now), buf_str(&w->shown))) return OK;
  buf_clear(&w->shown);
  TRY(buf_add(&w->shown, buf_str(&w->now)));
  bool written = fwrite(w->now.p, 1, w->now.n, stdout) == w->now.n && fflush(stdout) == 0;
  return written ? OK : ERR_CLOSED;
}

/* ---- watching ---- */

static enum err watch_show(struct watch *w) {
  buf_clear(&w->now);
  enum err e = status_write_all(w->app->db, &w->app->conf, w->business_id, w->args->json, &w->now);
  if (e != OK) {
    buf_clear(&w->now);
    TRY(w->args->json ? buf_addf(&w->now, "{\"error\":\"%s\"}\n", err_text(e)) /* (2) */
                      : buf_addf(&w->now, "The database does not answer: %s\n", err_text(e)));
  }
  return w->paints ? watch_paint(w) : watch_print(w);
}

/* Waits until the next text is due. False: a key or a signal ends it. */
static bool watch_wait(const struct watch *w) {
  struct pollfd key = {.fd = w->reads ? STDIN_FILENO : -1, .events = POLLIN};
  const struct timespec pause = {.tv_nsec = (long)PAINT_MS * 1000 * 1000};
  char c;
  if (ppoll(&key, 1, &pause, &w->waiting) > 0) {
    if (read(STDIN_FILENO, &c, 1) != 1 || c == 'q' || c == 'Q') return false;
  }
  return !ended;
}

static void watch_catch_signals(struct watch *w) {
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction action = {.sa_handler = watch_on_signal};
  sigset_t blocked;
  sigemptyset(&action.sa_mask);
  sigemptyset(&blocked);
  for (size_t i = 0; i < COUNT_OF(numbers); i++) {
    sigaddset(&blocked, numbers[i]);
    (void)sigaction(numbers[i], &action, NULL);
  }
  (void)sigprocmask(SIG_BLOCK, &blocked, &w->waiting); /* (1) */
  for (size_t i = 0; i < COUNT_OF(numbers); i++) sigdelset(&w->waiting, numbers[i]);
  (void)signal(SIGPIPE, SIG_IGN);
}

int status_watch(const struct cmd_args *args, struct app *app, int64_t business_id) {
  struct watch w = {.args = args,
                    .app = app,
                    .business_id = business_id,
                    .shown = BUF_INIT(STATUS_TEXT_MAX),
                    .now = BUF_INIT(STATUS_TEXT_MAX),
                    .painting = BUF_INIT(STATUS_TEXT_MAX)};
  enum err e;
  watch_catch_signals(&w);
  terminal_take(&w);
  do {
    e = watch_show(&w);
  } while (e == OK && watch_wait(&w));
  terminal_give_back(&w);
  buf_done(&w.shown);
  buf_done(&w.now);
  buf_done(&w.painting);
  if (e == ERR_CLOSED) return CMD_DONE; /* the reader of standard output closed it */
  return e == OK ? CMD_DONE : cmd_fail(args, "%s", err_text(e));
}
