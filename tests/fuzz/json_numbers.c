/* Input: any bytes as JSON. Property: what a parser takes comes out with every number as it was written, also a second time. */
#include <stdlib.h>
#include <string.h>

#include "api/handlers/api_json_numbers.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds) {
  if (!holds) abort();
}

/* Appends the text as it comes out. False: it is no JSON. */
static bool passed(struct str text, struct buf *b) {
  struct buf hidden CLEANUP(buf_done) = BUF_INIT(8 * text.n + 64);
  enum err e = json_numbers_hide(text, &hidden);
  require(e == OK);
  json_t *read = json_loadb(hidden.p ? hidden.p : "", hidden.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
  if (!read) return false;
  char *dumped = json_dumps(read, JSON_COMPACT | JSON_ENCODE_ANY);
  json_decref(read);
  require(dumped);
  require(json_numbers_show(str_from(dumped), b) == OK);
  free(dumped);
  return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  struct str text = str_of((const char *)bytes, n);
  struct buf once CLEANUP(buf_done) = BUF_INIT(8 * n + 64), twice CLEANUP(buf_done) = BUF_INIT(8 * n + 64);
  if (n == 0 || n > 4096 || !passed(text, &once)) return 0;
  require(passed(buf_str(&once), &twice) && str_eq(buf_str(&once), buf_str(&twice)));
  size_t at;
  for (size_t i = 0; i <= n; i++) (void)!json_numbers_origin(text, i, &at);
  return 0;
}
