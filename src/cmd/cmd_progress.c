#include "cmd/cmd_progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"

enum { BAR_EVERY_MS = 100, LINE_EVERY_MS = 2000, COLUMNS = 80, BAR_MOST = 40, BAR_LEAST = 4 };

int progress_percent(int64_t done, int64_t all) {
  if (all <= 0 || done <= 0) return 0;
  if (done >= all) return 100;
  return (int)((double)done / (double)all * 100.0);
}

enum err progress_write(struct buf *b, const char *what, int percent, int columns) {
  int width = columns - (int)strlen(what) - (int)sizeof("  []  100 %");
  if (width > BAR_MOST) width = BAR_MOST;
  if (width < BAR_LEAST) return buf_addf(b, "%s %3d %%", what, percent);
  TRY(buf_addf(b, "%s  [", what));
  for (int i = 0; i < width; i++) TRY(buf_add_char(b, i * 100 < percent * width ? '#' : ' '));
  return buf_addf(b, "]  %3d %%", percent);
}

void progress_begin(struct progress *p, const char *what) {
  *p = (struct progress){
      .what = what, .is_terminal = isatty(STDERR_FILENO) == 1, .shown_ms = clock_mono_ms(), .percent = -1};
}

static void show_bar(const struct progress *p, int percent) {
  struct winsize size;
  struct buf b CLEANUP(buf_done) = BUF_INIT(1024);
  int columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : COLUMNS;
  if (progress_write(&b, p->what, percent, columns) == OK) fprintf(stderr, "\r%.*s\x1b[K", STR_ARG(buf_str(&b)));
}

void progress_show(struct progress *p, int64_t done, int64_t all) {
  int percent = progress_percent(done, all);
  int64_t now = clock_mono_ms();
  if (all <= 0 || percent == p->percent || now - p->shown_ms < (p->is_terminal ? BAR_EVERY_MS : LINE_EVERY_MS)) return;
  p->percent = percent;
  p->shown_ms = now;
  if (p->is_terminal)
    show_bar(p, percent);
  else
    fprintf(stderr, "%s: %d %%\n", p->what, percent);
}

void progress_count(struct progress *p, int64_t done) {
  int64_t now = clock_mono_ms();
  if (now - p->shown_ms < (p->is_terminal ? BAR_EVERY_MS : LINE_EVERY_MS)) return;
  p->percent = 0;
  p->shown_ms = now;
  fprintf(stderr, p->is_terminal ? "\r%s  %lld\x1b[K" : "%s: %lld\n", p->what, (long long)done);
}

void progress_end(struct progress *p) {
  if (p->is_terminal && p->percent >= 0) fputs("\r\x1b[K", stderr);
  p->percent = -1;
}
