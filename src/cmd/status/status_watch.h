/* status_watch.h - `status --watch`.
 *
 * Thread rule: the main thread; status_paint is pure. */
#pragma once

#include "cmd/app.h"

/* Shows the status until q, Ctrl-C or SIGTERM: on a terminal it repaints twice a second, else it prints a line of text or JSON
 * whenever that differs from the one before. Returns the exit code. */
CHECKED int status_watch(const struct cmd_args *args, struct app *app, int64_t business_id);

/* Appends what paints text on a terminal of that size from its upper left corner: lines are cut at its width, the text at its
 * height, and what stood there before is wiped. */
CHECKED enum err status_paint(struct str text, int columns, int rows, struct buf *b);
