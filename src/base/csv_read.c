/* csv_read.c - see csv_read.h.
 *
 * Invariants
 *  (1) text holds the present row's cells, one after the other; it never moves while cells point into it: ends are offsets until
 *      the row is complete. */
#include "base/csv_read.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"

enum { CHUNK = 64 * 1024, END = -1 };

struct csv_reader {
  int fd;
  char chunk[CHUNK];
  size_t at, filled;
  int64_t bytes, line, row_line;
  bool began;
  struct buf text; /* (1) */
  size_t ends[CSV_CELLS_MAX];
  size_t count;
  struct str cells[CSV_CELLS_MAX];
};

enum err csv_reader_new(int fd, struct csv_reader **ret_reader) {
  struct csv_reader *r = calloc(1, sizeof(*r));
  if (!r) return ERR_NOMEM;
  r->fd = fd;
  r->line = 1;
  buf_init(&r->text, CSV_ROW_MAX);
  *ret_reader = r;
  return OK;
}

struct csv_reader *csv_reader_free(struct csv_reader *r) {
  if (r) buf_done(&r->text);
  free(r);
  return NULL;
}

/* The next byte without taking it, or END. */
static enum err reader_peek(struct csv_reader *r, int *ret_byte) {
  while (r->at == r->filled) {
    ssize_t n = read(r->fd, r->chunk, CHUNK);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return err_from_errno(errno);
    if (n == 0) {
      *ret_byte = END;
      return OK;
    }
    r->at = 0;
    r->filled = (size_t)n;
    r->bytes += n;
    bool has_mark = !r->began && n >= 3 && memcmp(r->chunk, "\xEF\xBB\xBF", 3) == 0;
    r->began = true;
    if (has_mark) r->at = 3;
  }
  *ret_byte = (unsigned char)r->chunk[r->at];
  return OK;
}

static enum err reader_end_cell(struct csv_reader *r) {
  if (r->count == CSV_CELLS_MAX) return ERR_TOO_BIG;
  r->ends[r->count++] = r->text.n;
  return OK;
}

/* Reads the rest of a cell that began with a quote. */
static enum err reader_quoted(struct csv_reader *r) {
  int byte;
  for (;;) {
    TRY(reader_peek(r, &byte));
    if (byte == END) return ERR_INVALID;
    r->at++;
    if (byte == '"') {
      TRY(reader_peek(r, &byte));
      if (byte != '"') return byte == END || byte == ',' || byte == '\n' || byte == '\r' ? OK : ERR_INVALID;
      r->at++;
    }
    r->line += byte == '\n';
    TRY(buf_add_char(&r->text, (char)byte));
  }
}

/* Reads one cell and its end. *ret_more: the row has more cells. */
static enum err reader_cell(struct csv_reader *r, bool *ret_more) {
  int byte;
  TRY(reader_peek(r, &byte));
  if (byte == '"') {
    r->at++;
    TRY(reader_quoted(r));
  }
  for (;; r->at++) {
    TRY(reader_peek(r, &byte));
    if (byte == END || byte == ',' || byte == '\n' || byte == '\r') break;
    TRY(buf_add_char(&r->text, (char)byte));
  }
  *ret_more = byte == ',';
  if (byte != END) r->at++;
  if (byte == '\r') {
    TRY(reader_peek(r, &byte));
    if (byte == '\n') r->at++;
    byte = '\n';
  }
  r->line += byte == '\n';
  return reader_end_cell(r);
}

enum err csv_read_row(struct csv_reader *r, const struct str **ret_cells, size_t *ret_count) {
  int byte;
  do {
    bool more = true;
    TRY(reader_peek(r, &byte));
    if (byte == END) return ERR_NOT_FOUND;
    buf_clear(&r->text);
    r->count = 0;
    r->row_line = r->line;
    while (more) TRY(reader_cell(r, &more));
  } while (r->count == 1 && r->ends[0] == 0); /* an empty line */
  size_t from = 0;
  for (size_t i = 0; i < r->count; i++) {
    r->cells[i] = str_of(r->text.p ? r->text.p + from : NULL, r->ends[i] - from);
    from = r->ends[i];
  }
  *ret_cells = r->cells;
  *ret_count = r->count;
  return OK;
}

int64_t csv_reader_line(const struct csv_reader *r) {
  return r->row_line;
}

int64_t csv_reader_bytes(const struct csv_reader *r) {
  return r->bytes;
}
