/* cmd_print.h - prints lines and times on standard output, and appends JSON members to a buffer.
 *
 * Thread rule: any thread; the caller owns the buffer. */
#pragma once

#include "base/buf.h"
#include "cmd/app.h"

/* ms of the Unix clock as "2026-11-21 08:00", UTC; "-" for 0. Returns ret_text or a literal. */
enum { PRINT_TIME_SIZE = 24 };
const char *print_time(int64_t ms, char ret_text[PRINT_TIME_SIZE]);
/* A text of a person for a table: as it is, or, if it contains characters that a terminal would act on or hide, quoted as in the
 * log. Returns text, ret_text, or "-" for "". */
enum { PRINT_NAME_SIZE = 3100 };
const char *print_name(const char *text, char ret_text[PRINT_NAME_SIZE]);
/* Appends the beginning of a command that works in any shell, in any directory, with these settings: DATA_DIR, LISTEN (and
 * DATABASE_URL, RECORDINGS_DIR and PUBLIC_BASE_URL where they are set), this program's path and --config. */
CHECKED enum err print_program(struct buf *b, const struct app *app, const struct cmd_args *args);
/* Writes the buffer and a newline to standard output and flushes it. ERR_IO if that fails. */
CHECKED enum err print_line(const struct buf *b);
/* Appends "name": and the text as a JSON string, or null for "". */
CHECKED enum err print_json_text(struct buf *b, const char *name, const char *text);
/* Appends "name": and the time as an RFC 3339 string, or null for 0. */
CHECKED enum err print_json_time(struct buf *b, const char *name, int64_t ms);
