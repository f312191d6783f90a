/* Input: any bytes as an Accept-Encoding header. Property: the parser reads no byte past the end, and finds a token that is in
 * the list. */
#include <stdint.h>
#include <stdlib.h>

#include "http/accept.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct str value = str_of((const char *)data, size);
  bool named = http_accept_names(value, STR("gzip"));
  if (named && size < 4) abort();
  return 0;
}
