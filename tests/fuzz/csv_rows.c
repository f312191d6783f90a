/* Input: any bytes as a CSV file. Property: cells stay within the row, rows and cells within their ceilings, and what was read is
 * read back the same after every cell was quoted. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/csv_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds) {
  if (!holds) abort();
}

static void put(int fd, struct str content) {
  require(ftruncate(fd, 0) == 0 && pwrite(fd, content.p, content.n, 0) == (ssize_t)content.n &&
          lseek(fd, 0, SEEK_SET) == 0);
}

static enum err add_quoted(struct buf *b, struct str cell) {
  TRY(buf_add_char(b, '"'));
  for (size_t i = 0; i < cell.n; i++) {
    if (cell.p[i] == '"') TRY(buf_add_char(b, '"'));
    TRY(buf_add_char(b, cell.p[i]));
  }
  return buf_add_char(b, '"');
}

/* Appends all rows that can be read to b, each cell quoted. */
static void rewrite(int fd, struct buf *b) {
  struct csv_reader *r;
  const struct str *cells;
  size_t count;
  int64_t line = 0;
  enum err e;
  if (csv_reader_new(fd, &r) != OK) return;
  while ((e = csv_read_row(r, &cells, &count)) == OK) {
    require(count > 0 && count <= CSV_CELLS_MAX && csv_reader_line(r) > line);
    line = csv_reader_line(r);
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
      sum += cells[i].n;
      require((i == 0 || buf_add_char(b, ',') == OK) && add_quoted(b, cells[i]) == OK);
    }
    require(sum <= CSV_ROW_MAX && buf_add_char(b, '\n') == OK);
  }
  require(e == ERR_NOT_FOUND || e == ERR_INVALID || e == ERR_TOO_BIG);
  csv_reader_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  static int fd = -1;
  struct buf once CLEANUP(buf_done) = BUF_INIT(4 * n + 64), twice CLEANUP(buf_done) = BUF_INIT(4 * n + 64);
  if (fd < 0) require((fd = memfd_create("rows", MFD_CLOEXEC)) >= 0);
  if (n == 0) return 0;
  put(fd, str_of((const char *)bytes, n));
  rewrite(fd, &once);
  if (once.n == 0) return 0;
  put(fd, buf_str(&once));
  rewrite(fd, &twice);
  require(str_eq(buf_str(&once), buf_str(&twice)));
  return 0;
}
