/* cmd_print.h - what commands print: JSON for programs, tables for people, numbers in ids. */
#pragma once

#include "base/buf.h"

/* "2026-11-21 08:00" UTC, "-" for 0. */
enum { PRINT_TIME_SIZE = 24 };
const char *print_time(int64_t ms, char ret_text[PRINT_TIME_SIZE]);
/* The buffer and a newline to standard output; ERR_IO when it can't take it. */
CHECKED enum err print_line(const struct buf *b);
/* Appends "name": and the JSON of text, null for "". */
CHECKED enum err print_json_text(struct buf *b, const char *name, const char *text);
CHECKED enum err print_json_time(struct buf *b, const char *name, int64_t ms);
