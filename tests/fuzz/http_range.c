/* Input: any bytes as header lines of a GET. Property: a selected range lies within the representation. */
#include <stdlib.h>
#include <string.h>

#include "http/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds) {
  if (!holds) abort();
}

static void check(const struct http_request *r, int64_t length) {
  const struct http_representation have = {STR("\"e\""), 1795248000, length};
  int64_t first = -1, last = -1;
  switch (http_select(r, &have, &first, &last)) {
    case HTTP_SELECT_PART:
      require(r->method == HTTP_GET && length > 0 && first >= 0 && first <= last && last < length);
      break;
    case HTTP_SELECT_UNSATISFIABLE:
      require(r->method == HTTP_GET && length >= 0);
      break;
    case HTTP_SELECT_WHOLE:
    case HTTP_SELECT_UNCHANGED:
    case HTTP_SELECT_FAILED:
      require(first == -1 && last == -1);
      break;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  static const int64_t lengths[] = {-1, 0, 1, 100, INT64_MAX};
  struct http_header headers[16];
  struct http_request r = {.headers = headers, .minor = 1};
  struct str rest = str_of((const char *)bytes, n), line, name, value;
  for (bool more = n > 0; more && r.header_count < COUNT_OF(headers);) {
    more = str_cut(rest, '\n', &line, &rest);
    if (str_cut(line, ':', &name, &value)) headers[r.header_count++] = (struct http_header){name, str_trim(value)};
  }
  for (size_t i = 0; i < COUNT_OF(lengths); i++) {
    r.method = HTTP_GET;
    check(&r, lengths[i]);
    r.method = HTTP_HEAD;
    check(&r, lengths[i]);
  }
  struct http_range range = http_range_parse(&r);
  require(range.first >= 0 && range.last >= 0);
  return 0;
}
