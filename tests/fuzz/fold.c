/* Input: any bytes as text, the first byte says what becomes of hyphens. Property: what is folded is UTF-8, at most twice as
 * long, and stays as it is when it is folded again. */
#include <stdlib.h>
#include <string.h>

#include "base/fold.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds) {
  if (!holds) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  if (n < 1 || memchr(bytes + 1, 0, n - 1)) return 0; /* no text here has a NUL */
  struct str text = str_of((const char *)bytes + 1, n - 1);
  enum fold_hyphens hyphens = bytes[0] % 2 ? FOLD_SPLIT : FOLD_JOIN;
  struct buf once CLEANUP(buf_done) = BUF_INIT(2 * n + 1), twice CLEANUP(buf_done) = BUF_INIT(4 * n + 1);
  require(fold_text(text, hyphens, &once) == OK);
  require(once.n <= 2 * text.n && str_is_utf8(buf_str(&once)));
  require(fold_text(buf_str(&once), hyphens, &twice) == OK && str_eq(buf_str(&once), buf_str(&twice)));
  return 0;
}
