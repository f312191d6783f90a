/* cmd_status.h - the parts of `status`: the text of a moment, and watching it. */
#pragma once

#include "cmd/app.h"

/* Of a business, 0: of all; lines for people, or one line of JSON. */
CHECKED enum err status_write_all(struct db *db, int64_t business_id, bool json, struct buf *b);

/* (status_watch.c) Shows it until q, Ctrl-C or SIGTERM: painted twice a second on a terminal, else a line of text or JSON
 * whenever it is another. The exit code. */
CHECKED int status_watch(const struct cmd_args *args, struct app *app, int64_t business_id);

/* As a terminal of that size shows it from its upper left corner: lines cut at its width and its height, what was there
 * before wiped. Pure. */
CHECKED enum err status_paint(struct str text, int columns, int rows, struct buf *b);
