/* Input: any bytes as a form, a query and a path segment. Property: views stay within the decoded bytes, and no byte past the end
 * is read. */
#include <stdlib.h>
#include <string.h>

#include "http/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds) {
  if (!holds) abort();
}

static bool inside(struct str part, const struct buf *b) {
  return part.n == 0 || (part.p >= b->p && part.p + part.n <= b->p + b->n);
}

static void walk(struct str text, bool takes_any_bytes) {
  struct buf b = BUF_INIT(text.n + 1);
  struct http_form form = {.rest = text, .takes_any_bytes = takes_any_bytes};
  struct str name, value;
  enum err e = buf_reserve(&b, text.n + 1);
  while (e == OK && (e = http_form_next(&form, &b, &name, &value)) == OK)
    require(inside(name, &b) && inside(value, &b));
  require(e != OK && b.n <= text.n);
  if (takes_any_bytes) require(e == ERR_NOT_FOUND || e == ERR_NOMEM);
  buf_done(&b);
}

static void get(struct str text) {
  struct buf b = BUF_INIT(text.n + 1);
  struct str value;
  if (http_query_get(text, STR("a"), &b, &value) == OK) require(inside(value, &b));
  buf_clear(&b);
  if (http_segment_decode(text, &b, &value) == OK)
    require(inside(value, &b) && !memchr(value.p ? value.p : "", 0, value.n));
  buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  struct str text = str_of((const char *)bytes, n);
  walk(text, false);
  walk(text, true);
  get(text);
  return 0;
}
