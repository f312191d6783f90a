/* csv.c - see csv.h. */
#include "base/csv.h"

#include <string.h>

static bool could_be_formula(struct str text) {
  return text.n && text.p[0] && strchr("=+-@\t\r", text.p[0]);
}

static bool must_be_quoted(struct str text) {
  if (text.n && (text.p[0] == ' ' || text.p[text.n - 1] == ' ')) return true;
  for (size_t i = 0; i < text.n; i++)
    if (text.p[i] && strchr(",\"\r\n", text.p[i])) return true;
  return false;
}

enum err csv_add_cell(struct buf *b, int column, struct str text) {
  bool quoted = must_be_quoted(text);
  if (column) TRY(buf_add_char(b, ','));
  if (quoted) TRY(buf_add_char(b, '"'));
  if (could_be_formula(text)) TRY(buf_add_char(b, '\''));
  for (size_t i = 0; i < text.n; i++) {
    if (text.p[i] == '"') TRY(buf_add_char(b, '"'));
    TRY(buf_add_char(b, text.p[i]));
  }
  return quoted ? buf_add_char(b, '"') : OK;
}

enum err csv_end_row(struct buf *b) {
  return buf_add(b, STR("\r\n"));
}
