/* Input: any bytes as the headers Prefer and Retry-After. Property: what they ask to wait is within its limits, and the same
 * wherever a line of Prefer is split into two. */
#include <stdlib.h>

#include "api/request/api_prefer.h"
#include "fetch/fetch.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { DAY_MS = 24 * 3600 * 1000 };

static void require(bool holds) {
  if (!holds) abort();
}

static struct prefer read_lines(struct str first, struct str second, bool *ret_media) {
  struct http_header headers[] = {{STR("Prefer"), first}, {STR("prefer"), second}};
  struct http_request r = {.method = HTTP_GET, .headers = headers, .header_count = COUNT_OF(headers)};
  *ret_media = prefer_media(&r);
  return prefer_read(&r);
}

static void feed_prefer(struct str text) {
  bool is_media, same;
  struct prefer whole = read_lines(text, STR_NONE, &is_media);
  require(whole.wait_s >= -1 && whole.wait_s <= PREFER_WAIT_MAX_S);
  require(is_media == (whole.wait_s >= 0 && !whole.respond_async));
  for (size_t at = str_index(text, ',', 0); at < text.n; at = str_index(text, ',', at + 1)) {
    struct prefer two = read_lines(str_head(text, at), str_skip(text, at + 1), &same);
    require(two.wait_s == whole.wait_s && two.respond_async == whole.respond_async && same == is_media);
  }
}

static void feed_retry_after(struct str text) {
  int64_t ms = fetch_retry_after_ms(text);
  require(ms >= 0 && ms <= DAY_MS);
  bool is_number = text.n > 0, is_zero = true;
  for (size_t i = 0; i < text.n; i++) {
    is_number = is_number && text.p[i] >= '0' && text.p[i] <= '9';
    is_zero = is_zero && text.p[i] == '0';
  }
  require(!is_number || (ms % 1000 == 0 && (ms == 0) == is_zero));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  struct str text = str_of((const char *)bytes, n);
  feed_prefer(text);
  feed_retry_after(text);
  return 0;
}
