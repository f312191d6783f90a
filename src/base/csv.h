/* csv.h - cells of a CSV file (RFC 4180) that a spreadsheet can open without running anything.
 *
 *   TRY(csv_add_cell(&buf, 0, STR("Dana Levi")));  TRY(csv_add_cell(&buf, 1, number));  TRY(csv_end_row(&buf));
 *
 * Thread rule: pure. */
#pragma once

#include "base/buf.h"

/* Appends a cell; column 0 begins a row. Text that begins with = + - @, a tab or CR, which a spreadsheet
 * could take for a formula, gets a ' in front. Text with a comma, quotes, line breaks or blanks at its ends is quoted. */
CHECKED enum err csv_add_cell(struct buf *b, int column, struct str text);
/* Appends CR LF. */
CHECKED enum err csv_end_row(struct buf *b);
