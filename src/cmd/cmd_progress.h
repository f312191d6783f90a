/* cmd_progress.h - shows the progress of long work on standard error: a bar on a terminal, else a line every 2 s. Standard
 * output holds only the command's result.
 *
 *   struct progress p;
 *   progress_begin(&p, "Checking files");
 *   while (…) progress_show(&p, done, all);
 *   progress_end(&p);
 *
 * Thread rule: one owner. */
#pragma once

#include "base/buf.h"

struct progress {
  const char *what;
  bool is_terminal;
  int64_t shown_ms; /* monotonic; when it was last shown, or when it began */
  int percent;      /* that was shown last; -1: none yet */
};

void progress_begin(struct progress *p, const char *what);
/* all 0: the total is unknown, and nothing is shown. */
void progress_show(struct progress *p, int64_t done, int64_t all);
/* For work whose length is unknown: shows how much is done. */
void progress_count(struct progress *p, int64_t done);
/* Erases the bar from the terminal. */
void progress_end(struct progress *p);

/* done / all in percent, rounded down: 100 only if done >= all. Pure. */
int progress_percent(int64_t done, int64_t all);
/* "Checking files  [#####     ]  50 %", at most columns wide. Pure. */
CHECKED enum err progress_write(struct buf *b, const char *what, int percent, int columns);
