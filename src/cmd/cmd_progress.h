/* cmd_progress.h - long work shows a bar on a terminal, and a plain line now and then elsewhere; on standard error, so that
 * what a command has to say stays apart.
 *
 *   struct progress p;  progress_begin(&p, "Checking files");  progress_show(&p, done, all) …;  progress_end(&p);
 *
 * Thread rule: one owner. */
#pragma once

#include "base/buf.h"

struct progress {
  const char *what;
  bool is_terminal;
  int64_t shown_ms; /* mono; when it was last shown, or begun */
  int percent;      /* last shown; -1 nothing was */
};

void progress_begin(struct progress *p, const char *what);
/* all 0: unknown, nothing is shown. */
void progress_show(struct progress *p, int64_t done, int64_t all);
/* Takes the bar away, so that what is printed next stands alone. */
void progress_end(struct progress *p);

/* Of done in all, 0 to 100; 100 only when all is done. Pure. */
int progress_percent(int64_t done, int64_t all);
/* "Checking files  [#####     ]  50 %", at most columns wide. Pure. */
CHECKED enum err progress_write(struct buf *b, const char *what, int percent, int columns);
