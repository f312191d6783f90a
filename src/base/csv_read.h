/* csv_read.h - reads a CSV file (RFC 4180), row by row, in bounded memory.
 *
 *   csv_reader_new(fd, &r);
 *   while ((e = csv_read_row(r, &cells, &count)) == OK) …
 *   if (e != ERR_NOT_FOUND) … csv_reader_line(r) …
 *
 * UTF-8, with or without a byte order mark; rows end with LF, CR LF or CR; empty lines are left out. Thread rule: one owner. */
#pragma once

#include "base/str.h"

enum { CSV_CELLS_MAX = 512, CSV_ROW_MAX = 4 * 1024 * 1024 };

struct csv_reader;
/* fd stays the caller's. */
CHECKED enum err csv_reader_new(int fd, struct csv_reader **ret_reader);
struct csv_reader *csv_reader_free(struct csv_reader *r); /* NULL is fine. Always NULL. */
/* The next row's cells, valid until the next call. ERR_NOT_FOUND: there is none. ERR_INVALID: a quote is not closed, or stands in
 * the middle of a cell. ERR_TOO_BIG: a row of more than CSV_ROW_MAX bytes or CSV_CELLS_MAX cells. */
CHECKED enum err csv_read_row(struct csv_reader *r, const struct str **ret_cells, size_t *ret_count);
int64_t csv_reader_line(const struct csv_reader *r);  /* where the last row began, from 1 */
int64_t csv_reader_bytes(const struct csv_reader *r); /* that were read */
